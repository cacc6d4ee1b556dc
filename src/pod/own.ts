// Owning a detached pod for as long as it lives, when nobody else does.

import { connectKeeper } from "./keepers.ts";
import { mayNeedOwner } from "./needs-owner.ts";
import { readPodState } from "./read-state.ts";
import type { PodState } from "./read-state.ts";
import { isKeeperAlive, readRecord } from "./record.ts";

/**
 * `done` when the pod has gone, or needs no owner, or lives with the process that started it;
 * `not-yet` for one that is being started. While another owns it, waits for that one to leave.
 */
export async function ownPod(directory: string, signal: AbortSignal): Promise<"done" | "not-yet"> {
  const record = readRecord(directory);
  if (record === undefined) return "not-yet";
  if (!isKeeperAlive(record) || !record.isDetached) return "done";
  const state = tryReadState(directory);
  if (state === undefined) return "not-yet";
  if (!mayNeedOwner(state.manifest)) return "done";
  await holdPod(state, signal);
  return "done";
}

function tryReadState(directory: string): PodState | undefined {
  try {
    return readPodState(directory);
  } catch {
    return undefined;
  }
}

async function holdPod(state: PodState, signal: AbortSignal): Promise<void> {
  const gone = Promise.withResolvers<void>();
  let vacant = Promise.withResolvers<void>();
  const client = connectKeeper(state.places, {
    exited() {},
    ended() {},
    closed: () => gone.resolve(),
    vacant: () => vacant.resolve(),
  });
  const onAbort = (): void => client[Symbol.dispose]();
  signal.addEventListener("abort", onAbort);
  if (signal.aborted) onAbort();
  try {
    if (!client.isOpen) return;
    await client.listen();
    await client.subscribe();
    while (client.isOpen && !(await client.hello("supervisor")).isOurs) {
      await Promise.race([vacant.promise, gone.promise]);
      vacant = Promise.withResolvers<void>();
    }
    await gone.promise;
  } finally {
    signal.removeEventListener("abort", onAbort);
    client[Symbol.dispose]();
  }
}
