// What is left of a run once the next one runs. Its log stays.

import { rm } from "node:fs/promises";
import { layerNames } from "../../spec/resolved.ts";
import type { PodState } from "../read-state.ts";
import { messageName } from "./messages.ts";

/** No process is left that could swap a directory for a link while this goes through it. */
export async function removeRun(
  { places }: Pick<PodState, "places">,
  container: string,
  process: number,
  attempt: number,
): Promise<void> {
  const data = `${places.dataParent}/${places.uid}`;
  const { upper, work } = layerNames(container, attempt);
  const message = `${places.stateParent}/${places.uid}/${messageName(process, attempt)}`;
  await Promise.all(
    [`${data}/${upper}`, `${data}/${work}`, message].map((path) =>
      rm(path, { recursive: true, force: true }),
    ),
  );
}
