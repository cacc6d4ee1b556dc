// What one probe's results mean, as the kubelet counts them: no clock and no I/O.

import type { ProbeSpec } from "../../../spec/life.ts";

export type ProbeKind = "startup" | "liveness" | "readiness";
export const probeKinds: readonly ProbeKind[] = ["startup", "liveness", "readiness"];

export interface ProbeState {
  /** What counts at this moment. */
  readonly result: "unknown" | "success" | "failure";
  /** The latest answer, and how many in a row said the same. */
  readonly last: "none" | "success" | "failure";
  readonly run: number;
  /** Nothing is probed any more until the container is another: it has started, or has to go. */
  readonly isOnHold: boolean;
}

/** A container is alive until shown otherwise, and not ready until shown otherwise. */
const initialResults = { startup: "unknown", liveness: "success", readiness: "failure" } as const;

export function newProbeState(kind: ProbeKind): ProbeState {
  return { result: initialResults[kind], last: "none", run: 0, isOnHold: false };
}

/** One answer more. A prober that could not ask says nothing, and is not counted. */
export function nextProbeState(
  kind: ProbeKind,
  spec: Pick<ProbeSpec, "successThreshold" | "failureThreshold">,
  state: ProbeState,
  answer: "success" | "failure",
): ProbeState {
  if (state.isOnHold) return state;
  const run = state.last === answer ? state.run + 1 : 1;
  const threshold = answer === "success" ? spec.successThreshold : spec.failureThreshold;
  if (run < threshold) return { ...state, last: answer, run };
  const isDecided = kind === "startup" || (kind === "liveness" && answer === "failure");
  return { result: answer, last: answer, run: isDecided ? 0 : run, isOnHold: isDecided };
}

/** Startup first and alone, then the others. */
export function mayProbe(kind: ProbeKind, isStarted: boolean): boolean {
  return kind === "startup" ? !isStarted : isStarted;
}

/** `Liveness`, as events begin. */
export function probeTitle(kind: ProbeKind): string {
  return kind.charAt(0).toUpperCase() + kind.slice(1);
}
