// The read-only layers of an overlay, opened on the host: of a root or of an image volume.

import type { HostFacts } from "../spec/host-facts.ts";
import type { ResolvedPod } from "../spec/resolved.ts";
import { openHost } from "./open-host.ts";
import type { Op, Slot } from "./plan.ts";
import { noSlot } from "./plan.ts";
import type { PlanSlots } from "./slots.ts";

export interface PlannedLayers {
  readonly open: readonly Op[];
  /** For `make_overlay`. */
  readonly lowers: {
    readonly names: readonly string[];
    readonly lower: Slot;
    readonly lower_count: number;
  };
}

export function planLayers(
  paths: readonly string[],
  pod: ResolvedPod,
  facts: HostFacts,
  slots: PlanSlots,
): PlannedLayers {
  if (facts.layersByDescriptor && paths.length > 1) {
    const tree = slots.take();
    const directory = sharedDirectory(paths);
    const names = paths.map((path) => path.slice(directory.length + 1));
    return {
      open: [openHost(pod, directory, tree, [], "directory", 0)],
      lowers: { names, lower: tree, lower_count: names.length },
    };
  }
  const layers = paths.map((path) => ({ path, slot: slots.take() }));
  // An idmapped layer is a detached mount, and old kernels take others only as they are.
  const isDetached = facts.layersByDescriptor || pod.ids.count > 0;
  const lower = layers[0]?.slot ?? noSlot;
  return {
    open: layers.map(({ path, slot }) =>
      isDetached
        ? openHost(pod, path, slot, [], "directory", 0)
        : ({ op: "open_directory", path, slot } as const),
    ),
    lowers: { names: [], lower, lower_count: layers.length },
  };
}

/** The deepest that holds all of them. */
function sharedDirectory(paths: readonly string[]): string {
  const [first = ""] = paths;
  let directory = first;
  do directory = directory.slice(0, directory.lastIndexOf("/"));
  while (!paths.every((path) => path.startsWith(`${directory}/`)));
  return directory;
}
