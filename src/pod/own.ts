// Owning a detached pod for as long as it lives, when nobody else does.

import { statSync } from "node:fs";
import type { PodState } from "./read-state.ts";
import { readPodState } from "./read-state.ts";
import { isKeeperAlive, readRecord } from "./record.ts";
import type { RunningPod } from "./running-pod.ts";

/**
 * `done` when the pod has gone, or needs no owner, or lives with the process that started it;
 * `not-yet` for one that is being started. While another owns it, waits for that one to leave.
 */
export async function ownPod(
  directory: string,
  open: (state: PodState) => RunningPod,
  signal: AbortSignal,
): Promise<"done" | "not-yet"> {
  for (;;) {
    const record = readRecord(directory);
    if (record === undefined) return "not-yet";
    if (!isKeeperAlive(record) || !record.isDetached) return "done";
    // Before it is read: one that is replaced meanwhile is seen to be another file.
    const version = versionOf(directory);
    const state = tryReadState(directory);
    if (state === undefined) return "not-yet";
    if (!(state.needsOwner ?? true)) return "done";
    const isSame = () => versionOf(directory) === version;
    if ((await holdPod(open(state), isSame, signal)) === "over") return "done";
  }
}

/** Owners write the state anew, each time as another file. */
function versionOf(directory: string): string {
  const stat = statSync(`${directory}/pod.json`, { throwIfNoEntry: false });
  return `${stat?.ino} ${stat?.mtimeMs}`;
}

function tryReadState(directory: string): PodState | undefined {
  try {
    return readPodState(directory);
  } catch {
    return undefined;
  }
}

/** `changed` when another has owned it meanwhile: what was read of it may be old. */
async function holdPod(
  pod: RunningPod,
  isSame: () => boolean,
  signal: AbortSignal,
): Promise<"over" | "changed"> {
  const over = Promise.withResolvers<void>();
  const onAbort = (): void => over.resolve();
  signal.addEventListener("abort", onAbort);
  if (signal.aborted) onAbort();
  pod.ended.then(over.resolve, over.resolve);
  let isOver = false;
  void over.promise.then(() => (isOver = true));
  try {
    const vacancy = pod.vacancy();
    if (!(await pod.supervise())) await Promise.race([vacancy, over.promise]);
    else if (isSame()) await over.promise;
    return isOver ? "over" : "changed";
  } finally {
    signal.removeEventListener("abort", onAbort);
    await pod[Symbol.asyncDispose]();
  }
}
