// How long a container that has exited waits for its next run, as the kubelet counts it. All
// durations are the rules' own; the clock turns them into waiting.

import type { Clock } from "./clock.ts";

const firstMs = 10_000;
const capMs = 300_000;

export interface BackOff {
  /** What the next run waits, counted from the exit before it. */
  readonly delayMs: number;
  readonly updatedMs: number;
}

/** When a container that finished then may run again; undefined for at once. */
export function backOffEnd(
  entry: BackOff | undefined,
  finishedMs: number,
  clock: Clock,
): number | undefined {
  if (!entry || hasExpired(entry, finishedMs, clock)) return undefined;
  return finishedMs + clock.scaled(entry.delayMs);
}

/** As it stands once the container runs again. */
export function nextBackOff(
  entry: BackOff | undefined,
  finishedMs: number,
  nowMs: number,
  clock: Clock,
): BackOff {
  const isFresh = !entry || hasExpired(entry, finishedMs, clock);
  return { delayMs: isFresh ? firstMs : Math.min(entry.delayMs * 2, capMs), updatedMs: nowMs };
}

/** It ran well for long enough. */
function hasExpired(entry: BackOff, finishedMs: number, clock: Clock): boolean {
  return clock.unscaled(finishedMs - entry.updatedMs) > 2 * capMs;
}
