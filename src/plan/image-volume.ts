// An image mounted as a volume: its layers stacked without a writable one. What Kubernetes promises
// of it is that nothing in it can be changed or run.

import type { HostFacts } from "../spec/host-facts.ts";
import type { ResolvedMount, ResolvedPod } from "../spec/resolved.ts";
import { planLayers } from "./layers.ts";
import type { AttributeName, Op, Parts } from "./plan.ts";
import { noSlot } from "./plan.ts";
import { openHost } from "./open-host.ts";
import { steps } from "./steps.ts";
import type { PlanSlots } from "./slots.ts";

const attributes: readonly AttributeName[] = ["rdonly", "nosuid", "nodev", "noexec"];

export function planImageVolume(
  pod: ResolvedPod,
  { field, target, sources }: ResolvedMount,
  facts: HostFacts,
  slots: PlanSlots,
): Parts {
  const [path] = sources;
  if (path === undefined) throw new Error(`${field} shows no layer`);
  // overlayfs wants two layers, and one needs no overlay.
  if (sources.length === 1) {
    const slot = slots.take();
    return {
      prepare: steps("prepare", field, [openHost(pod, path, slot, attributes, "any", 0)]),
      build: steps("build", field, [{ op: "attach", tree: slot, target }]),
    };
  }
  const { open, lowers } = planLayers(sources, pod, facts, slots);
  const overlay = slots.take();
  const make: Op = {
    op: "make_overlay",
    ...lowers,
    upper: noSlot,
    work: noSlot,
    slot: overlay,
    attributes,
  };
  // As with a root: an old kernel wants to see idmapped layers attached.
  const { lower: first, lower_count: count } = lowers;
  const show: readonly Op[] = pod.ids.count > 0 ? [{ op: "show_trees", first, count }] : [];
  return {
    prepare: steps("prepare", field, [
      ...open,
      ...(facts.layersByDescriptor ? [] : [...show, make]),
    ]),
    build: steps("build", field, [
      ...(facts.layersByDescriptor ? [make] : []),
      { op: "attach", tree: overlay, target },
    ]),
  };
}
