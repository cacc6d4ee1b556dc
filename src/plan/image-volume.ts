// An image mounted as a volume: its layers stacked without a writable one. What Kubernetes promises
// of it is that nothing in it can be changed or run.

import type { HostFacts } from "../spec/host-facts.ts";
import type { ResolvedMount, ResolvedPod } from "../spec/resolved.ts";
import type { AttributeName, Op, Parts } from "./plan.ts";
import { noSlot } from "./plan.ts";
import { openHost } from "./root.ts";
import { steps } from "./sandbox.ts";
import type { PlanSlots } from "./slots.ts";

const attributes: readonly AttributeName[] = ["rdonly", "nosuid", "nodev", "noexec"];

export function planImageVolume(
  pod: ResolvedPod,
  { field, target, sources }: ResolvedMount,
  facts: HostFacts,
  slots: PlanSlots,
): Parts {
  const layers = sources.map((path) => ({ path, slot: slots.take() }));
  const [only] = layers;
  if (only === undefined) throw new Error(`${field} shows no layer`);
  // overlayfs wants two layers, and one needs no overlay.
  if (layers.length === 1) {
    return {
      prepare: steps("prepare", field, [openHost(pod, only.path, only.slot, attributes, "any", 0)]),
      build: steps("build", field, [{ op: "attach", tree: only.slot, target }]),
    };
  }
  const overlay = slots.take();
  const isMapped = pod.ids.count > 0;
  const make: Op = {
    op: "make_overlay",
    first_lower: only.slot,
    lower_count: layers.length,
    upper: noSlot,
    work: noSlot,
    slot: overlay,
    attributes,
  };
  const open = layers.map(({ path, slot }) =>
    facts.layersByDescriptor || isMapped
      ? openHost(pod, path, slot, [], "directory", 0)
      : ({ op: "open_directory", path, slot } as const),
  );
  // As with a root: an old kernel wants to see idmapped layers attached.
  const show: Op = { op: "show_trees", first: only.slot, count: layers.length };
  const early: readonly Op[] = facts.layersByDescriptor ? [] : [...(isMapped ? [show] : []), make];
  return {
    prepare: steps("prepare", field, [...open, ...early]),
    build: steps("build", field, [
      ...(facts.layersByDescriptor ? [make] : []),
      { op: "attach", tree: overlay, target },
    ]),
  };
}
