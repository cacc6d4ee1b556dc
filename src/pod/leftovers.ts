// What a reboot left: a pod's state is forgotten with /run, its data and logs are on a disk.
// Nothing older than this boot can belong to a pod that lives. And what an owner left that was
// killed: the group of a keeper that never had a pod, or outlived it for a moment.

import { existsSync, lstatSync, rmdirSync, statSync } from "node:fs";
import { readWords } from "../native/host.ts";
import type { HostFacts } from "../spec/host-facts.ts";
import type { Places } from "../spec/places.ts";
import { tearDownWithoutKeeper } from "./keepers.ts";
import { findPlaces, names } from "./state.ts";

/** Off every path that somebody waits on; what cannot be removed now is tried at the next start. */
export async function removeLeftovers(
  places: Places,
  facts: HostFacts,
  bootedMs = bootMs(),
  nowMs = Date.now(),
): Promise<void> {
  const known = new Set(names(`${places.state}/pods`));
  for (const uid of names(`${places.root}/pods`)) {
    if (known.has(uid) || !isOlder(`${places.root}/pods/${uid}`, bootedMs)) continue;
    await tearDownWithoutKeeper(findPlaces(uid, places, facts), "").catch(() => {});
  }
  removeEmptyGroups(`${facts.cgroup.root}/keepers`, known, nowMs - youngMs);
  if (!existsSync(`${places.state}/addresses`)) return;
  const { sweepClaims } = await import("../network/claims.ts");
  const isYoung = (path: string) => lstatSync(path).ctimeMs > nowMs - youngMs;
  sweepClaims(places.state, (uid) => existsSync(`${places.state}/pods/${uid}`), isYoung);
}

/** A group is made a moment before its keeper is. */
const youngMs = 10_000;

function removeEmptyGroups(keepers: string, known: ReadonlySet<string>, before: number): void {
  for (const uid of names(keepers)) {
    const path = `${keepers}/${uid}`;
    if (uid.includes(".") || known.has(uid) || !isOlder(path, before)) continue;
    try {
      rmdirSync(path);
    } catch {
      // A keeper that waits for its pod lives in it.
    }
  }
}

function bootMs(): number {
  const [uptime = "0"] = readWords("/proc/uptime");
  return Date.now() - Number(uptime) * 1000;
}

/** By its inode's own change: a container can set every other time of a file. */
function isOlder(path: string, timeMs: number): boolean {
  try {
    return statSync(path).ctimeMs < timeMs;
  } catch {
    return false;
  }
}
