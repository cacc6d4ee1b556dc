// A container under its owner's eyes as the target of its probes and hooks.

import { podTarget, type TargetParts } from "./probes/pod-target.ts";
import type { ProbeTarget } from "./probes/target.ts";
import type { Unit } from "./unit.ts";

export type TargetSource = Pick<TargetParts, "pod" | "podIp" | "client" | "exec">;

export function probeTarget(unit: Unit, source: TargetSource): ProbeTarget {
  const { name: container, attempt, startedMs, spec } = unit;
  return podTarget({ ...source, container, attempt, startedMs, ports: spec.ports });
}
