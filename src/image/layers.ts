// Unpacked layers. A layer that describes all its directories is one for every image, kept by its
// digest; one that leaves some out takes theirs from the layers below it, and is kept by the digest
// of the chain.

import { existsSync, mkdirSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { PodError } from "../errors/pod-error.ts";
import { closeFd } from "../native/syscalls.ts";
import * as tree from "../native/tree.ts";
import type { Descriptor } from "./manifest.ts";
import { compressionOf } from "./manifest.ts";
import type { ImageStore } from "./store.ts";
import { attempt, digestOf, hexOf, storeFailed } from "./store.ts";
import { BadArchive } from "./tar-header.ts";
import { unpackLayer } from "./unpack.ts";

export interface LayerNames {
  readonly diffId: string;
  /** This layer and all below it. */
  readonly chainId: string;
}

export function nameLayers(diffIds: readonly string[]): LayerNames[] {
  let chain = "";
  return diffIds.map((diffId) => {
    chain = chain === "" ? diffId : digestOf(`${chain} ${diffId}`);
    return { diffId, chainId: chain };
  });
}

/** The directory to stack; undefined where it has to be unpacked. */
export function findLayer(store: ImageStore, names: LayerNames): string | undefined {
  const places = [ownPlace(store, names), chainPlace(store, names)];
  return places.find((path) => existsSync(path));
}

function ownPlace(store: ImageStore, { diffId }: LayerNames): string {
  return store.layerPath(diffId);
}

function chainPlace(store: ImageStore, { chainId }: LayerNames): string {
  return `${store.layerPath(chainId)}-chain`;
}

/** A layer that is unpacked, and waits for those below it if it wants anything of them. */
export interface WaitingLayer extends Disposable {
  /** Its directory, once all layers below are there, topmost first. */
  settle(below: readonly string[]): string;
}

/**
 * Nobody waits for a lock while holding one, so two pulls of the same layers cannot wait for each
 * other: what waits for its lower layers is a draft that belongs to no lock.
 */
export async function unpackWaiting(
  store: ImageStore,
  layer: Descriptor,
  names: LayerNames,
  subject: string,
  signal: AbortSignal | undefined,
): Promise<WaitingLayer> {
  using _ = await store.lock(`${hexOf(names.diffId)}-layer`, signal);
  const found = findLayer(store, names);
  if (found !== undefined) return { settle: () => found, [Symbol.dispose]: () => {} };
  const draft = store.makeDraft();
  try {
    const implicit = await unpackInto(store, draft.path, layer, names, subject, signal);
    if (implicit.length === 0) keep(draft.path, ownPlace(store, names));
    const settle = (below: readonly string[]) => {
      if (implicit.length === 0) return ownPlace(store, names);
      inherit(draft.path, implicit, below);
      return keep(draft.path, chainPlace(store, names));
    };
    return { settle, [Symbol.dispose]: () => draft[Symbol.dispose]() };
  } catch (error) {
    draft[Symbol.dispose]();
    throw error;
  }
}

/** Another's copy of the same is as good. */
function keep(draft: string, place: string): string {
  try {
    renameSync(draft, place);
  } catch (error) {
    if (!existsSync(place)) throw storeFailed(`cannot keep ${place}`, error);
  }
  return place;
}

async function unpackInto(
  store: ImageStore,
  directory: string,
  layer: Descriptor,
  { diffId }: LayerNames,
  subject: string,
  signal: AbortSignal | undefined,
): Promise<readonly string[]> {
  const compression = compressionOf(layer, subject);
  const root = join(directory, "root");
  attempt("make", root, () => mkdirSync(root, { mode: 0o755 }));
  const blob = store.blobPath(layer.digest);
  try {
    const options = { compression, blobBytes: layer.size, diffId, signal };
    const { bytes, implicit } = await unpackLayer(blob, root, options);
    store.writeWhole(join(directory, "layer.json"), JSON.stringify({ diffId, bytes }));
    return implicit;
  } catch (error) {
    signal?.throwIfAborted();
    if (!(error instanceof BadArchive)) throw storeFailed(`cannot unpack ${layer.digest}`, error);
    throw new PodError({
      code: "image.refused",
      message: `layer ${layer.digest} of ${subject} is refused: ${error.message}`,
    });
  }
}

/**
 * Overlayfs shows the attributes of the topmost directory of a name. One that a layer only walks
 * through must look as it did below: /tmp stays open to all.
 */
function inherit(draft: string, implicit: readonly string[], below: readonly string[]): void {
  const own = tree.openDirectory(join(draft, "root"));
  const roots: number[] = [];
  try {
    for (const path of below) roots.push(tree.openDirectory(join(path, "root")));
    for (const path of implicit) inheritOne(own, path, roots);
  } finally {
    for (const fd of [own, ...roots]) closeFd(fd);
  }
}

function inheritOne(own: number, path: string, roots: readonly number[]): void {
  const source = openBelow(roots, path);
  if (source < 0) return;
  const target = tree.tryOpenDirectoryBeneath(own, path);
  try {
    const { mode, uid, gid, mtimeNs } = statSync(`/proc/self/fd/${source}`, { bigint: true });
    tree.tryChown(target, ".", Number(uid), Number(gid));
    for (const [name, value] of tree.readXattrs(source, ".")) {
      if (!name.startsWith("trusted.overlay.")) tree.trySetXattr(target, ".", name, value);
    }
    tree.tryChmod(target, ".", Number(mode) & 0o7777);
    tree.trySetTime(target, ".", mtimeNs);
  } finally {
    closeFd(source);
    closeFd(target);
  }
}

/** In the topmost layer that has it; what stands in its way there hides those below. */
function openBelow(roots: readonly number[], path: string): number {
  const ENOENT = 2;
  for (const root of roots) {
    const found = tree.tryOpenDirectoryBeneath(root, path);
    if (found !== -ENOENT) return found;
  }
  return -ENOENT;
}
