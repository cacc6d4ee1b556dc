// A container for a pod that runs already, read by the rules for any container of it.

import type { ContainerSpec, PodSpec } from "../spec/pod-spec.ts";
import type { ReadSpec } from "./objects.ts";
import type { PodState } from "./read-state.ts";

type Manifest = PodState["manifest"];

export async function readContainer(
  readSpec: ReadSpec | undefined,
  { manifest, objects }: Pick<PodSpec, "manifest" | "objects">,
  container: Manifest,
): Promise<ContainerSpec> {
  const { initContainers: _, ...rest } = specOf(withoutEphemeral(manifest));
  const pod = { ...manifest, spec: { ...rest, containers: [container] } };
  const [read] = (await readSpec?.(pod, objects))?.containers ?? [];
  if (!read) throw new Error("nobody here reads manifests");
  return read;
}

/** As it was when the pod was made: then it may have none of them. */
export function withoutEphemeral(manifest: Manifest): Manifest {
  const { ephemeralContainers: _, ...rest } = specOf(manifest);
  return { ...manifest, spec: rest };
}

function specOf(manifest: Manifest): Manifest {
  return manifest["spec"] as Manifest; // The reader has seen it.
}
