// Whether a pod is Ready: what traffic may rely on.

import type { PodSpec } from "../../spec/pod-spec.ts";
import type { Journal } from "./journal.ts";
import type { Unit } from "./unit.ts";

/** Every regular container and sidecar is ready, and whoever else was asked has agreed. */
export function isPodReady(
  { readinessGates }: Pick<PodSpec, "readinessGates">,
  units: readonly Unit[],
  { conditions }: Pick<Journal, "conditions">,
): boolean {
  const serving = units.filter(({ kind }) => kind === "container" || kind === "sidecar");
  return (
    serving.every(({ state, life }) => state === "running" && life.started && life.ready) &&
    readinessGates.every((type) => conditions[type]?.status === "True")
  );
}
