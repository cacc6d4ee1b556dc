// Owning a detached pod for as long as it lives, when nobody else does.

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
  const record = readRecord(directory);
  if (record === undefined) return "not-yet";
  if (!isKeeperAlive(record) || !record.isDetached) return "done";
  const state = tryReadState(directory);
  if (state === undefined) return "not-yet";
  if (!(state.needsOwner ?? true)) return "done";
  await holdPod(open(state), signal);
  return "done";
}

function tryReadState(directory: string): PodState | undefined {
  try {
    return readPodState(directory);
  } catch {
    return undefined;
  }
}

async function holdPod(pod: RunningPod, signal: AbortSignal): Promise<void> {
  const over = Promise.withResolvers<void>();
  const onAbort = (): void => over.resolve();
  signal.addEventListener("abort", onAbort);
  if (signal.aborted) onAbort();
  pod.ended.then(over.resolve, over.resolve);
  let isOver = false;
  void over.promise.then(() => (isOver = true));
  try {
    for (;;) {
      const vacancy = pod.vacancy();
      if (isOver || (await pod.supervise())) break;
      await Promise.race([vacancy, over.promise]);
    }
    await over.promise;
  } finally {
    signal.removeEventListener("abort", onAbort);
    await pod[Symbol.asyncDispose]();
  }
}
