// Other amounts for containers of a pod that runs, by its owner: their next runs have them too.

import type { PodSpec } from "../../spec/pod-spec.ts";
import type { ResizeWish } from "../resize.ts";
import { applyResize, prepareResize } from "../resize.ts";
import type { PodLife } from "./pod-life.ts";

/**
 * Containers whose resizePolicy wants a restart get their new amounts with their new groups, before
 * the pod's own group may shrink around them.
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
    const stopped = life.units.filter(({ name }) => planned.restarts.includes(name));
    await Promise.all(
      stopped.map(async (unit) => {
        const message = `Container ${unit.name} resize requires restart`;
        await life.restart(unit, "Killing", message, undefined);
        await unit.launching;
      }),
    );
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
