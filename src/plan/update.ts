// Changes to a pod that runs: plans that start nothing.

import { noProcess } from "./abi.gen.ts";
import type { Op, Plan, Step } from "./plan.ts";
import { steps } from "./steps.ts";

const deadlineMs = 60_000;

/** What a keeper is told besides the plan. */
export const updateRequest = {
  process: noProcess,
  target: noProcess,
  flags: [],
  stopSignal: 0,
  graceMs: 0,
} as const;

export function planUpdate(firstId: number, all: readonly Step[]): Plan {
  return {
    kind: "update",
    steps: all,
    rootUid: firstId,
    rootGid: firstId,
    deadlineMs,
    mayHang: false,
  };
}

export function updateSteps(origin: string, ops: readonly Op[]): Step[] {
  return steps("prepare", origin, ops);
}
