// A container's root file system: an overlay of its layers and a writable directory, and the host's
// files shown in it.

import type { HostFacts } from "../spec/host-facts.ts";
import type { ResolvedContainer, ResolvedPod } from "../spec/resolved.ts";
import { layerNames } from "../spec/resolved.ts";
import { planLayers } from "./layers.ts";
import { openHost } from "./open-host.ts";
import type { AttributeName, Op, Parts, Slot } from "./plan.ts";
import { steps } from "./steps.ts";
import type { PlanSlots } from "./slots.ts";
import { podSlot } from "./slots.ts";

export function planRoot(
  container: ResolvedContainer,
  facts: HostFacts,
  pod: ResolvedPod,
  slots: PlanSlots,
): Parts {
  const origin = `${container.field}.image`;
  const owner = { uid: pod.ids.firstId, gid: pod.ids.firstId };
  const layers = planLayers(container.root.layers, pod, facts, slots);
  const names = layerNames(container.name, container.attempt);
  const [data, upper, work, overlay] = [slots.take(), slots.take(), slots.take(), slots.take()];
  const make: Op = {
    op: "make_overlay",
    ...layers.lowers,
    upper,
    work,
    slot: overlay,
    attributes: container.security.isPrivileged ? [] : ["nodev"],
  };
  // An idmapped layer is detached, and an old kernel wants to see it attached beside upper and
  // work, which is why `data` is the next slot.
  const isShown = !facts.layersByDescriptor && pod.ids.count > 0;
  const { lower: first, lower_count } = layers.lowers;
  const parent = isShown ? data : podSlot.data;
  const writable = (kind: "upper" | "work", slot: Slot): Op => {
    const name = names[kind];
    return { op: "make_directory", parent, name, slot, mode: 0o755, ...owner };
  };
  const overlayOps = [
    ...(isShown
      ? [openData(pod, data), { op: "show_trees", first, count: lower_count + 1 } satisfies Op]
      : []),
    writable("upper", upper),
    writable("work", work),
    make,
  ];
  const binds = container.root.binds.map((bind) => ({ ...bind, slot: slots.take() }));
  return {
    prepare: steps("prepare", origin, [
      ...binds.map(({ source, slot, readOnly }) => {
        const access: readonly AttributeName[] = readOnly ? ["rdonly"] : [];
        return openHost(pod, source, slot, [...access, "nosuid", "nodev"], "any", 0);
      }),
      ...layers.open,
      ...(facts.layersByDescriptor ? [] : overlayOps),
    ]),
    build: steps("build", origin, [
      // By the child where it can: containers of a pod then do it side by side.
      ...(facts.layersByDescriptor ? overlayOps : []),
      { op: "place_root", tree: overlay },
      ...binds.map(({ target, slot }) => ({ op: "attach", tree: slot, target }) as const),
    ]),
  };
}

/** The pod's data directory, not idmapped: its owner is the pod's root already. */
function openData(pod: ResolvedPod, slot: Slot): Op {
  const path = `${pod.places.dataParent}/${pod.places.uid}`;
  const unmapped = { ids: { ...pod.ids, count: 0 } };
  return openHost(unmapped, path, slot, [], "directory", 0);
}
