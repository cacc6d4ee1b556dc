// An image of the store, with all that its documents say.

import { PodError } from "../errors/pod-error.ts";
import type { LayerNames } from "./layers.ts";
import { findLayer, nameLayers } from "./layers.ts";
import type { Descriptor, ImageConfig, ImageManifest } from "./manifest.ts";
import { parseConfig, parseDocument, unsupported } from "./manifest.ts";
import type { StoredName } from "./names.ts";
import { findName } from "./names.ts";
import { defaultRegistry } from "./reference.ts";
import type { ImageStore } from "./store.ts";

export interface StoredImage {
  readonly name: StoredName;
  readonly manifest: ImageManifest;
  readonly config: ImageConfig;
  /** The lowest first. */
  readonly layers: readonly StoredLayer[];
}

export interface StoredLayer extends LayerNames {
  readonly blob: Descriptor;
}

export function readImage(store: ImageStore, name: StoredName): StoredImage {
  const document = parseDocument(store.readDocument(name.manifest), name.name);
  if (document.kind !== "manifest") throw unsupported(name.name, "its manifest is a list");
  const { manifest } = document;
  const config = parseConfig(store.readDocument(manifest.config.digest), name.name);
  return { name, manifest, config, layers: pairLayers(manifest, config, name.name) };
}

export function pairLayers(
  manifest: ImageManifest,
  config: ImageConfig,
  subject: string,
): StoredLayer[] {
  const { diff_ids } = config.rootfs;
  const names = nameLayers(diff_ids);
  if (names.length !== manifest.layers.length) {
    const counts = `${manifest.layers.length} layers and ${names.length} digests of their content`;
    throw unsupported(subject, `it lists ${counts}`);
  }
  return manifest.layers.flatMap((blob, index) => {
    const own = names[index];
    return own === undefined ? [] : [{ ...own, blob }];
  });
}

/** The directories of its layers, the lowest first; undefined while one is missing. */
export function layerRoots(store: ImageStore, image: StoredImage): string[] | undefined {
  const roots = image.layers.map((layer) => findLayer(store, layer));
  return roots.every((root) => root !== undefined) ? roots : undefined;
}

/** As they are stacked, the topmost first. */
export function unpackedLayers(store: ImageStore, image: StoredImage, subject: string): string[] {
  const roots = layerRoots(store, image);
  if (roots !== undefined && roots.length > 0) {
    return roots.map((path) => `${path}/root`).toReversed();
  }
  throw new PodError({
    code: "image.unusable",
    message: `the image ${subject} has ${roots ? "no layers" : "layers that are not unpacked"}`,
    hint: roots ? "an image without files cannot be mounted" : `run peapod pull ${subject}`,
  });
}

export function searchRegistries(options: { readonly registries?: readonly string[] }): string[] {
  const { registries = [] } = options;
  return registries.length > 0 ? [...registries] : [defaultRegistry];
}

export function mustFind(
  store: ImageStore,
  text: string,
  registries: readonly string[],
): StoredName {
  const found = findName(store, text, registries);
  if (found !== undefined) return found;
  throw new PodError({
    code: "image.not-found",
    message: `there is no image ${JSON.stringify(text)} in ${store.path}`,
    hint: "peapod images lists those there are, and peapod pull brings more",
  });
}
