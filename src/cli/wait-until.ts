// Waiting for pods to become something, without asking again and again: their directories tell.

import { PodError } from "../errors/pod-error.ts";
import type { Peapod } from "../open.ts";
import type { Pod } from "../pod/types.ts";
import { Interrupted } from "./failure.ts";
import { catchInterrupts, interruptStatus } from "./interrupts.ts";
import { podLabel } from "./text.ts";
import { formatDuration } from "./time.ts";
import type { Wish } from "./wishes.ts";

export interface WaitOptions {
  /** Infinity for none. */
  readonly timeoutMs: number;
  readonly onMet?: (pod: Pod) => void;
}

/** In the order of the pods: an exit status for each. */
export async function waitUntil(
  peapod: Peapod,
  pods: readonly Pod[],
  wish: Wish,
  { timeoutMs, onMet }: WaitOptions,
): Promise<number[]> {
  const abort = new AbortController();
  const timer = Number.isFinite(timeoutMs) ? setTimeout(() => abort.abort(), timeoutMs) : undefined;
  using _ = catchInterrupts((signal) => abort.abort(new Interrupted(interruptStatus(signal))));
  const left = new Map(pods.map((pod) => [pod.uid, pod]));
  const statuses = new Map<string, number>();
  try {
    for await (const _change of peapod.changes({ signal: abort.signal })) {
      const there = new Set((await peapod.list()).map(({ uid }) => uid));
      for (const [uid, pod] of left) {
        const status = await look(pod, wish, there.has(uid));
        if (status === undefined) continue;
        left.delete(uid);
        statuses.set(uid, status);
        onMet?.(pod);
      }
      if (left.size === 0) return pods.map(({ uid }) => statuses.get(uid) ?? 0);
    }
  } finally {
    clearTimeout(timer);
  }
  if (abort.signal.reason instanceof Interrupted) throw abort.signal.reason;
  const names = [...left.values()].map(podLabel).join(", ");
  throw new PodError({
    code: "wait.timed-out",
    message: `${names}: ${wish.missed} after ${formatDuration(timeoutMs)}`,
  });
}

/** The exit status when it is so. */
async function look(pod: Pod, wish: Wish, isThere: boolean): Promise<number | undefined> {
  if (wish.kind === "delete") return isThere ? undefined : 0;
  if (!isThere) {
    throw new PodError({
      code: "pod.not-found",
      message: `pod ${podLabel(pod)} was taken down while it was waited for`,
    });
  }
  return wish.look(await pod.object());
}
