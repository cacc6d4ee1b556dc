// What a container's root is made of, and what the container has changed in it.

import type { FileChange } from "../image/types.ts";
import { measureTree } from "./disk-use.ts";
import type { PodState } from "./read-state.ts";
import type { ContainerLayers, ImageOptions } from "./types.ts";
import { findWritable, ownNames } from "./writable.ts";

export interface LayersOptions {
  readonly container?: string | undefined;
  readonly images?: ImageOptions | undefined;
}

/** While it runs: a file that is being written may be told as it was a moment ago. */
export async function diffContainer(
  state: PodState,
  root: string,
  { container, images }: LayersOptions,
): Promise<FileChange[]> {
  const { imageId, upper, excluded } = findWritable(state, container);
  const { Images } = await import("../image/images.ts");
  const options = { excluded, firstId: state.ids.firstId };
  return await new Images(root, images).diffUpper(imageId, upper, options);
}

export async function describeLayers(
  state: PodState,
  root: string,
  { container, images }: LayersOptions,
): Promise<ContainerLayers> {
  const { entry, imageId, upper, mounts } = findWritable(state, container);
  const { Images } = await import("../image/images.ts");
  const { names, layers } = await new Images(root, images).used(imageId);
  return {
    container: entry.name,
    ...{ imageId, imageNames: names, layers, mounts },
    runtimeFiles: ownNames,
    writable: { path: upper, ...(await measureTree(upper)) },
  };
}
