// What volumes are made of: file systems in memory, directories, and whose they are.

import type { HostFacts } from "../spec/host-facts.ts";
import type { ResolvedPod } from "../spec/resolved.ts";
import { noGroup } from "../spec/resolved.ts";
import type { Op, Slot } from "./plan.ts";
import type { PlanSlots } from "./slots.ts";

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** What is in it reaches no disk: not as a file, and where the kernel can, not as swap. */
export function makeMemory(
  pod: ResolvedPod,
  facts: HostFacts,
  slot: Slot,
  bytesMax: number,
  { mode, group }: { readonly mode: number; readonly group: number },
): Op {
  return {
    op: "make_tmpfs",
    slot,
    bytes_max: BigInt(bytesMax),
    inodes_max: 0n,
    mode,
    ...ownerOf(pod, group),
    attributes: ["nosuid", "nodev"],
    attached: Number(!facts.clonesDetached),
    no_swap: Number(facts.tmpfsWithoutSwap),
  };
}

/** fsGroup takes the place of root's group. */
export function ownerOf({ ids }: Pick<ResolvedPod, "ids">, group: number): Owner {
  return { uid: ids.firstId, gid: group === noGroup ? ids.firstId : group };
}

/** The slot of a directory below `root`; it and those on the way to it are made on first need. */
export function makeDirectories(
  root: Slot,
  owner: Owner,
  mode: number,
  slots: PlanSlots,
  ops: Op[],
): (path: string) => Slot {
  const known = new Map<string, Slot>([["", root]]);
  const directoryOf = (path: string): Slot => {
    const found = known.get(path);
    if (found !== undefined) return found;
    const [parent, name] = split(path);
    const slot = slots.take();
    ops.push({ op: "make_directory", parent: directoryOf(parent), name, slot, mode, ...owner });
    known.set(path, slot);
    return slot;
  };
  return directoryOf;
}

export function split(path: string): readonly [parent: string, name: string] {
  const cut = path.lastIndexOf("/");
  return cut < 0 ? ["", path] : [path.slice(0, cut), path.slice(cut + 1)];
}
