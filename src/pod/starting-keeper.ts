// A keeper on its way to a pod: started first of all, so that it comes up and makes the pod's
// namespaces while the pod is resolved and planned, or long before, when a pool had it ready.

import type { KeeperClient, KeeperEvents } from "../launch/keeper-client.ts";
import { startKeeper } from "../launch/launch.ts";
import { reapWhenEnded } from "../native/process-end.ts";
import { closeFd } from "../native/syscalls.ts";
import { namespacesAhead } from "../plan/sandbox.ts";
import type { HostFacts } from "../spec/host-facts.ts";
import type { PodSpec } from "../spec/pod-spec.ts";
import type { KeeperGroup, Seed } from "./keepers.ts";
import type { StartingLink } from "./starting-link.ts";
import { makeKeeperGroup, removeKeeperGroup } from "./keepers.ts";

export interface StartingKeeper {
  /** Of the pod that it will have. */
  readonly uid: string;
  readonly client: KeeperClient;
  readonly pid: number;
  readonly pidfd: number;
  readonly group: KeeperGroup;
  /** Asked for already, when it waited in a pool. */
  readonly link?: StartingLink | undefined;
  /** Where its events go once there is a pod to hear them. */
  readonly events: { target: KeeperEvents | undefined };
}

export function bringUpKeeper(
  facts: HostFacts,
  uid: string,
  namespaces: PodSpec["namespaces"],
  seed: Seed,
  links: boolean,
): StartingKeeper {
  const events: StartingKeeper["events"] = { target: undefined };
  const group = { keepersParent: `${facts.cgroup.root}/keepers`, uid };
  const directory = makeKeeperGroup(group);
  try {
    const { client, pid, pidfd } = startKeeper({
      cgroup: directory,
      seed: seed.fd,
      namespaces: namespacesAhead(namespaces),
      links: links && namespaces.network === "POD",
      events: {
        exited: (event) => events.target?.exited(event),
        ended: (reply) => events.target?.ended(reply),
        closed: () => events.target?.closed(),
        asked: (ask) => events.target?.asked?.(ask),
        vacant: () => events.target?.vacant?.(),
      },
    });
    return { uid, client, pid, pidfd, group, events };
  } catch (error) {
    void removeKeeperGroup(group);
    throw error;
  } finally {
    closeFd(directory);
  }
}

/** A keeper that got no pod ends when its client leaves. One that did was seen to with the pod. */
export async function dismissKeeper(keeper: StartingKeeper): Promise<void> {
  const { client, pidfd, group, events } = keeper;
  if (events.target) return;
  client[Symbol.dispose]();
  await reapWhenEnded(pidfd);
  await removeKeeperGroup(group);
}
