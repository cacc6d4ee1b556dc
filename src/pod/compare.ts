// A manifest beside the pod of its name that runs.

import { PodError } from "../errors/pod-error.ts";
import type { PodSpec } from "../spec/pod-spec.ts";
import type { PodChanges } from "./changes.ts";
import { changesBetween } from "./changes.ts";
import type { PodHost } from "./peapod.ts";
import type { RunningPod } from "./running-pod.ts";

/** Undefined where there is none, or where nothing of it is left to be compared. */
export async function comparePod(
  host: PodHost,
  spec: PodSpec,
): Promise<{ readonly pod: RunningPod; readonly changes: PodChanges } | undefined> {
  let pod: RunningPod;
  try {
    pod = await host.running(`${spec.namespace}/${spec.name}`);
  } catch (error) {
    if (error instanceof PodError && error.code === "pod.not-found") return undefined;
    throw error;
  }
  // A name may be the beginning of another's.
  if (pod.name !== spec.name || pod.namespace !== spec.namespace) return undefined;
  // As its next owner would read it; of a pod that ends with its starter there is none.
  const before = await pod.spec();
  if (before === undefined) {
    throw new PodError({
      code: "pod.exists",
      message: `there is a pod ${spec.namespace}/${spec.name} already (uid ${pod.uid})`,
    });
  }
  return { pod, changes: changesBetween(before, spec) };
}
