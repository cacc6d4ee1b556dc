// Opening a directory or a file of the host, as every container does for what it is shown.

import type { ResolvedPod } from "../spec/resolved.ts";
import type { AttributeName, Op, Slot } from "./plan.ts";
import { noSlot } from "./plan.ts";
import { podSlot } from "./slots.ts";

export type OpenVolume = Extract<Op, { readonly op: "open_volume" }>;

/** A directory that is there, as it is, private and without the mounts below it. */
export function openVolume(
  slot: Slot,
  path: string,
  more: Partial<Omit<OpenVolume, "op" | "slot" | "path">> = {},
): OpenVolume {
  return {
    op: "open_volume",
    path,
    sub_path: "",
    base: noSlot,
    slot,
    attributes: [],
    user_namespace: noSlot,
    expect: "directory",
    create_mode: 0,
    recursive: 0,
    top_attributes: [],
    receives: 0,
    sends: 0,
    ...more,
  };
}

/** A tree of the host, idmapped where the pod has ids of its own. */
export function openHost(
  pod: Pick<ResolvedPod, "ids">,
  path: string,
  slot: Slot,
  attributes: readonly AttributeName[],
  expect: "any" | "directory",
  recursive: number,
): Op {
  return openVolume(slot, path, {
    attributes,
    user_namespace: mappedIds(pod),
    expect,
    recursive,
  });
}

/** The user namespace that shows the host's root as the pod's. */
export function mappedIds(pod: Pick<ResolvedPod, "ids">): Slot {
  return pod.ids.count > 0 ? podSlot.userNamespace : noSlot;
}
