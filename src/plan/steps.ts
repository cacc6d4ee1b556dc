// Steps of one stage, for one field.

import type { Op, Step } from "./plan.ts";

export function steps(stage: Step["stage"], origin: string, ops: readonly Op[]): Step[] {
  return ops.map((op) => ({ stage, op, origin }));
}
