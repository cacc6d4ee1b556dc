// Which pods use which layers: one small file for each pod, written before it starts. A file whose
// pod is gone counts for nothing and is removed by who next removes anything.

import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import Type from "typebox";
import { Compile } from "typebox/compile";
import type { ImageStore } from "./store.ts";
import { attempt } from "./store.ts";

const UseSchema = Type.Object({
  uid: Type.String(),
  /** Where its state directory stands for as long as it lives. */
  stateParent: Type.String(),
  /** Ids: digests of configurations. */
  images: Type.Array(Type.String()),
  /** Names below `layers`. */
  layers: Type.Array(Type.String()),
});
export type ImageUse = Type.Static<typeof UseSchema>;
const isUse = Compile(UseSchema);

type UsedImages = readonly { readonly id: string; readonly layers: readonly string[] }[];

export function recordUse(
  store: ImageStore,
  uid: string,
  stateParent: string,
  images: UsedImages,
): void {
  const use = usesOf(uid, stateParent, images);
  // Nobody reads it before the pod is there, so it need not be whole at once.
  const path = placeOf(store, uid);
  attempt("write", path, () => writeFileSync(path, JSON.stringify(use), { mode: 0o600 }));
}

/** By the one owner of a pod that lives. */
export function addUse(
  store: ImageStore,
  uid: string,
  stateParent: string,
  images: UsedImages,
): void {
  const added = usesOf(uid, stateParent, images);
  const known = readUse(placeOf(store, uid));
  // As with most restarts: the same images once more.
  const isKnown = (key: "images" | "layers") =>
    added[key].every((name) => known?.[key].includes(name));
  if (isKnown("images") && isKnown("layers")) return;
  const use: ImageUse = {
    ...added,
    images: [...new Set([...(known?.images ?? []), ...added.images])],
    layers: [...new Set([...(known?.layers ?? []), ...added.layers])],
  };
  store.writeWhole(placeOf(store, uid), JSON.stringify(use), false);
}

function usesOf(uid: string, stateParent: string, images: UsedImages): ImageUse {
  const layers = images.flatMap((image) => image.layers.map((path) => basename(dirname(path))));
  return {
    ...{ uid, stateParent },
    images: [...new Set(images.map(({ id }) => id))],
    layers: [...new Set(layers)],
  };
}

function placeOf(store: ImageStore, uid: string): string {
  return join(store.path, "uses", `${uid}.json`);
}

/** Of pods that live. */
export function readUses(store: ImageStore): ImageUse[] {
  return store.names("uses").flatMap((file) => {
    const path = join(store.path, "uses", file);
    const use = readUse(path);
    return use && isLive(use) ? [use] : [];
  });
}

/** Only while the store is owned. */
export function removeStaleUses(store: ImageStore): void {
  for (const file of store.names("uses")) {
    const path = join(store.path, "uses", file);
    const use = readUse(path);
    if (!use || !isLive(use)) rmSync(path, { force: true });
  }
}

/**
 * A pod that is still starting has no state directory yet, and holds the store's lock: whoever
 * removes anything does not meet it.
 */
function isLive({ stateParent, uid }: ImageUse): boolean {
  return existsSync(join(stateParent, uid));
}

function readUse(path: string): ImageUse | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    return isUse.Check(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
