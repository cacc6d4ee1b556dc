// Other amounts for containers of a pod that runs, by its owner: their next runs have them too.

import type { PodSpec } from "../../spec/pod-spec.ts";
import type { ResizeWish } from "../shapes.ts";
import { applyResize, prepareResize } from "../resize.ts";
import type { PodLife } from "./pod-life.ts";
import { restartNamed } from "./restart-named.ts";

/**
 * Containers whose resizePolicy wants a restart have ended before the pod's own group may shrink;
 * they get their new amounts with their new groups.
 */
export async function resizeContainers(
  life: PodLife,
  wishes: readonly ResizeWish[],
): Promise<void> {
  const { state, directory, launch, client } = life.parts;
  const { facts } = launch;
  const planned = prepareResize(specNow(life), state, wishes, facts);
  const resized = [...planned.spec.initContainers, ...planned.spec.containers];
  const before = new Map(life.units.map((unit) => [unit, unit.spec]));
  for (const unit of life.units) {
    const found = resized.find(({ name }) => name === unit.name);
    if (found) unit.spec = { ...unit.spec, resources: found.resources };
  }
  try {
    for (const name of planned.restarts) await restartNamed(life, name);
    await applyResize(await client(), directory, state, planned, facts);
  } catch (error) {
    for (const [unit, spec] of before) unit.spec = spec;
    throw error;
  }
}

/** As the pod runs now: a unit may have been changed since its start. */
function specNow({ parts, units }: PodLife): PodSpec {
  const { spec, state } = parts;
  const now = (containers: PodSpec["containers"]) =>
    containers.map((one) => units.find(({ name }) => name === one.name)?.spec ?? one);
  return {
    ...spec,
    manifest: state.manifest,
    containers: now(spec.containers),
    initContainers: now(spec.initContainers),
  };
}
