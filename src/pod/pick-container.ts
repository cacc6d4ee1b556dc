// Which container of a pod is meant.

import { PodError } from "../errors/pod-error.ts";
import type { PodState } from "./read-state.ts";

export function findContainer<Kind extends { readonly name: string }>(
  containers: readonly Kind[],
  wanted: string,
  pod: string,
): Kind {
  const found = containers.find(({ name }) => name === wanted);
  if (found) return found;
  throw new PodError({
    code: "container.unknown",
    message: `pod ${pod} has no container ${JSON.stringify(wanted)}`,
    hint: `it has ${containers.map(({ name }) => name).join(", ")}`,
  });
}

/** As kubectl chooses: by annotation, else the first that is no init container. */
export function defaultContainer({ manifest, containers }: PodState): string {
  const metadata = manifest["metadata"] as
    { readonly annotations?: Readonly<Record<string, string>> } | undefined;
  const wanted = metadata?.annotations?.["kubectl.kubernetes.io/default-container"];
  if (wanted !== undefined && containers.some(({ name }) => name === wanted)) return wanted;
  const regular = containers.find(({ kind = "container" }) => kind === "container");
  return regular?.name ?? "";
}
