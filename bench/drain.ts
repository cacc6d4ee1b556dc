// When the kernel is done. It ends network namespaces and control groups after the call that let
// them go, on threads of its own; until then the next sample pays for the one before.
import { readFileSync } from "node:fs";
import { findCgroupMount } from "../src/native/host.ts";

const gapMs = 2;
/** One look may fall between two pieces of work. */
const looks = 3;
const limitMs = 10_000;

/**
 * Waits until none of the kernel's workers ends namespaces or groups and, where `groups` is true,
 * no group is dying: some wait for two seconds, at rest. Answers with the microseconds until the
 * first such look; throws after ten seconds.
 */
export async function drain({ groups }: { readonly groups: boolean }): Promise<number> {
  const began = performance.now();
  let quietSince: number | undefined;
  let quietLooks = 0;
  while (quietLooks < looks) {
    const now = performance.now();
    if (now - began > limitMs) throw new Error(`the kernel was not done after ${limitMs} ms`);
    if (isBusy(groups)) {
      quietSince = undefined;
      quietLooks = 0;
    } else {
      quietSince ??= now;
      quietLooks += 1;
    }
    if (quietLooks < looks) await Bun.sleep(gapMs);
  }
  return ((quietSince ?? began) - began) * 1000;
}

function isBusy(groups: boolean): boolean {
  return (groups && dyingGroups() > dyingAtRest) || deferredWork().length > 0;
}

/** Groups that were removed and whose memory is not yet given back. */
function dyingGroups(): number {
  const mount = findCgroupMount()?.path ?? "";
  return Number(/^nr_dying_descendants (\d+)$/m.exec(readText(`${mount}/cgroup.stat`))?.[1] ?? 0);
}

/** What others have left: a group stays dying for as long as a page is charged to it. */
const dyingAtRest = dyingGroups();

/**
 * Workers that are at it now, by the name of their queue: a busy one is called `kworker/u8:3+netns`
 * (kernel/workqueue.c, wq_worker_comm).
 */
function deferredWork(): string[] {
  const kthreadd = 2;
  const children = readText(`/proc/${kthreadd}/task/${kthreadd}/children`).trim().split(" ");
  return children
    .map((pid) => readText(`/proc/${pid}/comm`))
    .filter((name) => /^kworker\/.*\+(netns|cgroup)/.test(name));
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
