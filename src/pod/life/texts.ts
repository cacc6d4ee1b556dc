// The kubelet's own words for what becomes of containers: people look for these.

import type { PodState } from "../read-state.ts";
import type { ExitStatus } from "../types.ts";
import type { Termination } from "./journal.ts";
import type { Unit } from "./unit.ts";

/** `c in pod p_default(uid)` is how events name a container. */
export function podText({ name, namespace, uid }: PodState): string {
  return `${name}_${namespace}(${uid})`;
}

export function backOffText(delayMs: number, container: string, state: PodState): string {
  const delay = goDuration(delayMs);
  return `back-off ${delay} restarting failed container=${container} pod=${podText(state)}`;
}

/** `1m20s`, as Go prints durations. */
export function goDuration(durationMs: number): string {
  const seconds = Math.round(durationMs / 1000);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const whole = `${hours > 0 ? `${hours}h` : ""}${seconds >= 60 ? `${minutes}m` : ""}`;
  return `${whole}${seconds % 60}s`;
}

/** Whose fault it is that a pod has failed: an init container's, as long as no other has begun. */
export function exitText(units: readonly Unit[]): string {
  const hasBegun = units.some(({ kind, attempt }) => kind === "container" && attempt >= 0);
  const guilty = hasBegun ? "container" : "init";
  const failed = units.find(({ kind, exitCode }) => kind === guilty && exitCode !== 0);
  return failed
    ? `container ${failed.name} exited with ${failed.exitCode}`
    : "its containers exited";
}

export function exitReason({ exitCode, oomKilled }: ExitStatus): string {
  if (oomKilled) return "OOMKilled";
  return exitCode === 0 ? "Completed" : "Error";
}

export function makeTermination(
  attempt: number,
  exit: ExitStatus,
  message: string,
  reason = exitReason(exit),
): Termination {
  return {
    attempt,
    exitCode: exit.exitCode,
    ...(exit.signal !== undefined && { signal: exit.signal }),
    reason,
    message,
    startedMs: exit.startedAt.getTime(),
    finishedMs: exit.finishedAt.getTime(),
  };
}
