// A launch's operations as spans of time, from the ends that the executor noted.

import type { Plan } from "../plan/plan.ts";
import type { TraceSpan } from "./types.ts";

/** Each operation began when the one before it in the same plan ended. */
export function spansOf(
  name: string,
  plan: Plan,
  endsNs: readonly bigint[],
  startNs: bigint,
): TraceSpan[] {
  const spans: TraceSpan[] = [];
  let previous: bigint | undefined;
  for (const [index, end] of endsNs.entries()) {
    const step = plan.steps[index];
    if (!step || end === 0n) continue;
    spans.push({
      plan: name,
      operation: step.op.op,
      stage: step.stage,
      origin: step.origin,
      startMs: Number((previous ?? end) - startNs) / 1e6,
      endMs: Number(end - startNs) / 1e6,
    });
    previous = end;
  }
  return spans;
}
