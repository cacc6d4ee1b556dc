// Volumes that live with the pod: made with the sandbox, before anything that mounts them.

import type { HostFacts } from "../spec/host-facts.ts";
import type { ResolvedPod, ResolvedVolume, VolumeFile } from "../spec/resolved.ts";
import { noGroup, volumeDirectory } from "../spec/resolved.ts";
import type { Op, Slot, Step } from "./plan.ts";
import type { Owner } from "./content.ts";
import { makeDirectories, makeMemory, ownerOf, split } from "./content.ts";
import { planProjected } from "./projected.ts";
import type { PlanSlots } from "./slots.ts";
import { podSlot, volumeSlot } from "./slots.ts";
import { steps } from "./steps.ts";

const setGroupId = 0o2000;

/** The others are opened by each container that mounts them. */
export function planVolume(
  pod: ResolvedPod,
  facts: HostFacts,
  volume: ResolvedVolume,
  index: number,
  slots: PlanSlots,
): Step[] {
  switch (volume.kind) {
    case "host":
    case "claim":
    case "image":
      return [];
    case "memory": {
      const slot = volumeSlot(index);
      const make = makeMemory(pod, facts, slot, volume.bytesMax, {
        mode: groupMode(0o1777, volume.group),
        group: volume.group,
      });
      const content = planFiles(volume.files, slot, ownerOf(pod, volume.group), slots);
      return steps("prepare", volume.field, [make, ...content]);
    }
    case "hugepages":
      return steps("prepare", volume.field, [
        {
          op: "make_hugetlbfs",
          slot: volumeSlot(index),
          page_bytes: BigInt(volume.pageBytes),
          bytes_max: BigInt(volume.bytesMax),
          mode: groupMode(0o777, volume.group),
          ...ownerOf(pod, volume.group),
          attributes: ["nosuid", "nodev"],
          attached: Number(!facts.clonesDetached),
        },
      ]);
    case "projected":
      return planProjected(pod, facts, volume, volumeSlot(index), slots);
    case "directory": {
      const slot = slots.take();
      const owner = ownerOf(pod, volume.group);
      const make: Op = {
        op: "make_directory",
        parent: podSlot.data,
        name: volumeDirectory(volume.name),
        slot,
        mode: groupMode(0o777, volume.group),
        ...owner,
      };
      return steps("prepare", volume.field, [make, ...planFiles(volume.files, slot, owner, slots)]);
    }
    default:
      return volume satisfies never;
  }
}

/** New files of a directory are its group's too. */
function groupMode(mode: number, group: number): number {
  return group === noGroup ? mode : mode | setGroupId;
}

function planFiles(files: readonly VolumeFile[], root: Slot, owner: Owner, slots: PlanSlots): Op[] {
  const ops: Op[] = [];
  const directoryOf = makeDirectories(root, owner, 0o755, slots, ops);
  for (const { path, bytes } of files) {
    const [parent, name] = split(path);
    const directory = directoryOf(parent);
    ops.push({
      op: "write_file",
      directory,
      name,
      content: bytes,
      mode: 0o644,
      ...owner,
      replace: 0,
    });
  }
  return ops;
}
