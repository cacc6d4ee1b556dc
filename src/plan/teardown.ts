// The plan that removes whatever a pod left on the host, from its places alone: it may be run by a
// process that was not there, and run again.

import type { ResolvedLink } from "../spec/network.ts";
import type { PodPlaces } from "../spec/resolved.ts";
import { netlink } from "./link.ts";
import type { Op, Plan } from "./plan.ts";
import { PlanSlots } from "./slots.ts";
import { steps } from "./steps.ts";

const deadlineMs = 60_000;

/** What a pod with an address gives back. */
export type NetworkRelease = Pick<ResolvedLink, "claim" | "withdraw">;

export function planTeardown(
  places: PodPlaces,
  rangeClaim: string,
  network?: NetworkRelease,
): Plan {
  const slots = new PlanSlots();
  const removal = (parent: string, name: string, whileLeaving = false): Op[] => {
    const slot = slots.take();
    return [
      { op: "open_directory", path: parent, slot },
      { op: "remove_tree", parent: slot, name, while_leaving: Number(whileLeaving) },
    ];
  };
  const group = slots.take();
  return {
    kind: "teardown",
    steps: steps("prepare", "", [
      { op: "open_directory", path: places.cgroupParent, slot: group },
      { op: "remove_cgroup", parent: group, name: places.cgroupName },
      ...removal(places.dataParent, places.uid, true),
      ...removal(places.logsParent, places.logsName, true),
      // The rules before the address: whoever gets it next finds none of them.
      ...(network?.withdraw ?? []).map((batch) => ({
        ...netlink("netfilter", batch),
        may_fail: 1,
      })),
      ...(network ? removal(places.addressesParent, network.claim) : []),
      ...(rangeClaim === "" ? [] : removal(places.rangesParent, rangeClaim)),
      // The state last but for the name: while it is there the pod can be found, and its teardown
      // run again.
      ...removal(places.stateParent, places.uid),
      ...removal(places.namesParent, places.nameLink),
    ]),
    rootUid: 0,
    rootGid: 0,
    deadlineMs,
    mayHang: false,
  };
}

/**
 * What is left when nobody is there to remove the keeper's own group: it leaves the group, and
 * removes it.
 */
export function planLastTeardown(places: PodPlaces): Plan {
  const keepers = new PlanSlots().take();
  return {
    kind: "teardown",
    steps: steps("prepare", "", [
      { op: "open_directory", path: places.keepersParent, slot: keepers },
      { op: "write_cgroup", cgroup: keepers, file: "cgroup.procs", value: "0" },
      { op: "remove_cgroup", parent: keepers, name: places.uid },
    ]),
    rootUid: 0,
    rootGid: 0,
    deadlineMs,
    mayHang: false,
  };
}
