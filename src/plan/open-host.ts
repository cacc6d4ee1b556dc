// Opening a directory or a file of the host, as every container does for what it is shown.

import type { ResolvedPod } from "../spec/resolved.ts";
import type { AttributeName, Op, Slot } from "./plan.ts";
import { noSlot } from "./plan.ts";
import { podSlot } from "./slots.ts";

/** A tree of the host, idmapped where the pod has ids of its own. */
export function openHost(
  pod: Pick<ResolvedPod, "ids">,
  path: string,
  slot: Slot,
  attributes: readonly AttributeName[],
  expect: "any" | "directory",
  recursive: number,
): Op {
  return {
    op: "open_volume",
    path,
    sub_path: "",
    base: noSlot,
    slot,
    attributes,
    user_namespace: pod.ids.count > 0 ? podSlot.userNamespace : noSlot,
    expect,
    create_mode: 0,
    recursive,
  };
}
