// A running container's changes as an image. It stands still meanwhile, or its files would be from
// different moments.

import { readFileSync, writeFileSync } from "node:fs";
import type { CommitImageOptions } from "../image/types.ts";
import type { ImageOptions } from "./types.ts";
import type { PodState } from "./read-state.ts";
import { findWritable } from "./writable.ts";

const freezeMs = 5000;

export async function commitContainer(
  state: PodState,
  root: string,
  name: string,
  options: CommitImageOptions & { readonly images?: ImageOptions | undefined },
): Promise<string> {
  const { entry, imageId, upper, excluded } = findWritable(state, options.container);
  const { places, ids } = state;
  const { Images } = await import("../image/images.ts");
  using _ = await freeze(`${places.cgroupParent}/${places.cgroupName}/${entry.name}`);
  return await new Images(root, options.images).commit(imageId, {
    ...{ upper, excluded, ids, name },
    comment: options.comment ?? "",
  });
}

/** By its control group; what has ended needs none. */
async function freeze(group: string): Promise<Disposable> {
  const set = (value: "0" | "1") => {
    try {
      writeFileSync(`${group}/cgroup.freeze`, value);
      return true;
    } catch {
      return false; // It has ended.
    }
  };
  const thaw = { [Symbol.dispose]: () => void set("0") };
  if (!set("1")) return thaw;
  const end = performance.now() + freezeMs;
  while (!readFileSync(`${group}/cgroup.events`, "utf8").includes("frozen 1")) {
    if (performance.now() > end) break;
    await Bun.sleep(1);
  }
  return thaw;
}
