// Removing: names when asked, and then what no name and no pod leads to any more. Whoever removes
// is alone in the store, so nothing that is just being brought can be taken for left over.

import { lstatSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { parseConfig, parseDocument } from "./manifest.ts";
import type { StoredName } from "./names.ts";
import { readNames, removeName } from "./names.ts";
import { removeUnready } from "./ready.ts";
import type { ImageStore } from "./store.ts";
import { hexOf } from "./store.ts";
import { nameLayers } from "./layers.ts";
import type { Collected } from "./types.ts";
import { readUses, removeStaleUses } from "./uses.ts";

/** While the store is owned. `drop` names are gone first. */
export function collect(store: ImageStore, drop: readonly StoredName[]): Collected {
  for (const { name } of drop) removeName(store, name);
  removeStaleUses(store);
  const kept = reachable(store);
  let bytes = 0;
  const remove = (folder: "layers" | "blobs/sha256", names: ReadonlySet<string>) => {
    const doomed = store.names(folder).filter((name) => !names.has(name));
    for (const name of doomed) {
      const path = join(store.path, folder, name);
      bytes += folder === "layers" ? layerBytes(path) : statSync(path).size;
      rmSync(path, { recursive: true, force: true });
    }
    return doomed.length;
  };
  // Layers first: a blob can be unpacked again, a layer cannot be packed to the same bytes.
  const layers = remove("layers", kept.layers);
  const blobs = remove("blobs/sha256", kept.blobs);
  removeUnready(store, new Set(store.names("layers")));
  // Nobody works in the store, so whatever is half done was left by the dead.
  for (const folder of ["drafts", "partial"] as const) {
    for (const name of store.names(folder)) {
      const path = join(store.path, folder, name);
      bytes += lstatSync(path).size;
      rmSync(path, { recursive: true, force: true });
    }
  }
  for (const name of store.names("locks")) {
    if (name !== "store") rmSync(join(store.path, "locks", name), { force: true });
  }
  return { names: drop.map(({ name }) => name), layers, blobs, bytes };
}

interface Reachable {
  readonly blobs: Set<string>;
  readonly layers: Set<string>;
}

function reachable(store: ImageStore): Reachable {
  const blobs = new Set<string>();
  const layers = new Set<string>();
  for (const { target, manifest, config } of readNames(store)) {
    for (const digest of [target, manifest, config]) blobs.add(hexOf(digest));
    try {
      const document = parseDocument(store.readDocument(manifest), manifest);
      if (document.kind !== "manifest") continue;
      for (const { digest } of document.manifest.layers) blobs.add(hexOf(digest));
      const { rootfs } = parseConfig(store.readDocument(config), config);
      for (const { diffId, chainId } of nameLayers(rootfs.diff_ids)) {
        layers.add(hexOf(diffId)).add(`${hexOf(chainId)}-chain`);
      }
    } catch {
      // Damaged: its blobs that are known stay until its name is removed.
    }
  }
  for (const use of readUses(store)) for (const layer of use.layers) layers.add(layer);
  return { blobs, layers };
}

/** Of the archive that it was unpacked from. */
export function layerBytes(path: string): number {
  try {
    const value: unknown = JSON.parse(readFileSync(join(path, "layer.json"), "utf8"));
    const isSound = typeof value === "object" && value !== null && "bytes" in value;
    return isSound && typeof value.bytes === "number" ? value.bytes : 0;
  } catch {
    return 0;
  }
}
