// A running container's changes as an image. It stands still meanwhile, or its files would be from
// different moments.

import { readFileSync, writeFileSync } from "node:fs";
import { PodError } from "../errors/pod-error.ts";
import type { CommitImageOptions } from "../image/types.ts";
import { layerNames } from "../spec/resolved.ts";
import type { ImageOptions } from "./types.ts";
import type { PodState } from "./read-state.ts";
import { readRecord } from "./record.ts";

/** Mounted by peapod in every container. */
const ownNames = ["/dev", "/etc/hostname", "/etc/hosts", "/etc/resolv.conf", "/proc", "/sys"];
const freezeMs = 5000;

export async function commitContainer(
  state: PodState,
  root: string,
  name: string,
  options: CommitImageOptions & { readonly images?: ImageOptions | undefined },
): Promise<string> {
  const entry = state.containers.find(
    (container, index) =>
      container.name === options.container || (!options.container && index === 0),
  );
  if (!entry) {
    throw new PodError({
      code: "container.unknown",
      message: `pod ${state.name} has no container ${JSON.stringify(options.container)}`,
    });
  }
  if (entry.imageId === undefined) {
    throw new PodError({
      code: "image.unsupported",
      message: `container ${entry.name} does not run an image of the store, so nothing lies below its changes`,
    });
  }
  const { places, ids } = state;
  const record = readRecord(`${places.stateParent}/${places.uid}`);
  const attempt = record?.processes.get(entry.process)?.attempt ?? 0;
  const { Images } = await import("../image/images.ts");
  using _ = await freeze(`${places.cgroupParent}/${places.cgroupName}/${entry.name}`);
  return await new Images(root, options.images).commit(entry.imageId, {
    upper: `${places.dataParent}/${places.uid}/${layerNames(entry.name, attempt).upper}`,
    excluded: new Set([...ownNames, ...mountsOf(state, entry.name)]),
    ids,
    name,
    comment: options.comment ?? "",
  });
}

/** As the manifest has them. */
function mountsOf({ manifest }: PodState, container: string): string[] {
  // Checked when it was read; the state keeps it as it was written.
  const { spec } = manifest as {
    spec?: { containers?: { name?: string; volumeMounts?: { mountPath?: string }[] }[] };
  };
  const own = spec?.containers?.find(({ name }) => name === container);
  return (own?.volumeMounts ?? []).map(({ mountPath = "" }) => mountPath.replace(/\/+$/, ""));
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
