// What a pod's state directory says: written once at its start, read by whoever opens the pod
// later.

import { readdirSync, readlinkSync, renameSync, writeFileSync } from "node:fs";
import type { HostFacts } from "../spec/host-facts.ts";
import type { HostPath } from "../spec/paths.ts";
import type { Places } from "../spec/places.ts";
import type { PodPlaces } from "../spec/resolved.ts";
import type { PodState } from "./read-state.ts";

export function writePodState(directory: string, state: PodState): void {
  writeFileSync(`${directory}/pod.json`, JSON.stringify(state), { mode: 0o600 });
}

/** By a rename: whoever reads sees the old or the new. */
export function replacePodState(directory: string, state: PodState): void {
  const next = `${directory}/pod.json.next`;
  writeFileSync(next, JSON.stringify(state), { mode: 0o600 });
  renameSync(next, `${directory}/pod.json`);
}

/** 64 hexadecimal digits: each run of a container is another container to Kubernetes. */
export function containerId(first: string, attempt: number): string {
  if (attempt === 0) return first;
  return new Bun.CryptoHasher("sha256").update(`${first} ${attempt}`).digest("hex");
}

/**
 * The places of a pod by its uid alone, from what is on the disk: its start may have been cut off
 * before its state was written.
 */
export function findPlaces(uid: string, places: Places, facts: HostFacts): PodPlaces {
  const namesParent = `${places.state}/names` as HostPath;
  const nameLink = names(namesParent).find((name) => linkTarget(`${namesParent}/${name}`) === uid);
  const groups = facts.cgroup.root;
  const parents = [groups, `${groups}/burstable`, `${groups}/besteffort`];
  const cgroupName = `pod${uid}`;
  return {
    uid,
    stateParent: `${places.state}/pods` as HostPath,
    namesParent,
    nameLink: nameLink ?? uid,
    rangesParent: `${places.state}/id-ranges` as HostPath,
    addressesParent: `${places.state}/addresses` as HostPath,
    dataParent: `${places.root}/pods` as HostPath,
    logsParent: places.logs,
    logsName: names(places.logs).find((name) => name.endsWith(`_${uid}`)) ?? uid,
    cgroupParent: (parents.find((path) => names(path).includes(cgroupName)) ?? groups) as HostPath,
    cgroupName,
    keepersParent: `${groups}/keepers` as HostPath,
  };
}

export function findRangeClaim(uid: string, rangesParent: string): string {
  return names(rangesParent).find((name) => linkTarget(`${rangesParent}/${name}`) === uid) ?? "";
}

/** The uid that a link of `names` or `id-ranges` stands for; empty for anything else. */
export function linkTarget(path: string): string {
  try {
    return readlinkSync(path).split("/").at(-1) ?? "";
  } catch {
    return "";
  }
}

export function names(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
