// A volume of files that peapod writes: a set of them in a directory of its own, a link `..data` to
// it, and a link to each through that one. A new set takes the place of the old by one rename.

import type { HostFacts } from "../spec/host-facts.ts";
import type { ProjectedFile, ResolvedPod, ResolvedVolume } from "../spec/resolved.ts";
import { noGroup } from "../spec/resolved.ts";
import { makeDirectories, makeMemory, ownerOf, split } from "./content.ts";
import type { Op, Plan, Slot, Step } from "./plan.ts";
import { PlanSlots, volumeSlot } from "./slots.ts";
import { steps } from "./steps.ts";
import { planUpdate, updateSteps } from "./update.ts";

type Projected = Extract<ResolvedVolume, { readonly kind: "projected" }>;

/** The link to the set that counts; zig/executor/files.ts swaps it. */
export const dataLink = "..data";

/** What fsGroup adds to a file that is only to be read, and to a directory. */
const [groupReads, groupEnters] = [0o440, 0o2110];
/** Beyond what the files need now: they may change, and the old set stands beside the new. */
const spareBytes = 16 << 20;
const pageBytes = 4096;

export function planProjected(
  pod: ResolvedPod,
  facts: HostFacts,
  volume: Projected,
  slot: Slot,
  slots: PlanSlots,
): Step[] {
  const { files, group, set } = volume;
  const owner = ownerOf(pod, group);
  const pages = files.map(({ bytes }) => Math.ceil(bytes.length / pageBytes) + 1);
  const needed = pages.reduce((total, count) => total + count, 0) * pageBytes;
  const make = makeMemory(pod, facts, slot, 4 * needed + spareBytes, {
    mode: group === noGroup ? 0o777 : 0o2777,
    group,
  });
  const link = (name: string, target: string): Op => {
    return { op: "make_link", directory: slot, name, target, ...owner };
  };
  return steps("prepare", volume.field, [
    make,
    ...planSet(pod, volume, slot, slots),
    link(dataLink, set),
    ...topNames(files).map((name) => link(name, `${dataLink}/${name}`)),
  ]);
}

/** The directory of one set, with all its files. */
function planSet(
  pod: Pick<ResolvedPod, "ids">,
  { files, group, set }: Projected,
  slot: Slot,
  slots: PlanSlots,
): Op[] {
  const owner = ownerOf(pod, group);
  const hasGroup = group !== noGroup;
  const ops: Op[] = [];
  const directoryMode = hasGroup ? 0o755 | groupReads | groupEnters : 0o755;
  const directoryOf = makeDirectories(slot, owner, directoryMode, slots, ops);
  directoryOf(set);
  for (const { path, bytes, mode } of files) {
    const [parent, name] = split(`${set}/${path}`);
    const directory = directoryOf(parent);
    ops.push({
      op: "write_file",
      directory,
      name,
      content: bytes,
      mode: hasGroup ? mode | groupReads : mode,
      ...owner,
      replace: 0,
    });
  }
  return ops;
}

/** From the files that a volume has to those that it is to have; empty when nothing changes. */
export interface ProjectedChange {
  /** Its place among the pod's volumes. */
  readonly index: number;
  readonly before: Projected;
  readonly after: Projected;
}

/** For a pod that runs. Its steps are in an order that a failure can be undone from. */
export function planProjectedUpdate(
  pod: Pick<ResolvedPod, "ids">,
  changes: readonly ProjectedChange[],
): Plan {
  const slots = new PlanSlots();
  const planned = changes.map(({ index, before, after }) => {
    const slot = volumeSlot(index);
    const owner = ownerOf(pod, after.group);
    const [old, wanted] = [topNames(before.files), topNames(after.files)];
    const added = wanted.filter((name) => !old.includes(name));
    const make: Op[] = [
      ...planSet(pod, after, slot, slots),
      ...added.map((name): Op => {
        const target = `${dataLink}/${name}`;
        return { op: "make_link", directory: slot, name, target, ...owner };
      }),
    ];
    const swap: Op = {
      op: "swap_files",
      directory: slot,
      target: after.set,
      stale: old.filter((name) => !wanted.includes(name)),
      ...owner,
    };
    return { field: after.field, make, swap };
  });
  return planUpdate(pod.ids.firstId, [
    ...planned.flatMap(({ field, make }) => updateSteps(field, make)),
    // After everything that can fail.
    ...planned.flatMap(({ field, swap }) => updateSteps(field, [swap])),
  ]);
}

export function isSameContent(
  before: readonly ProjectedFile[],
  after: readonly ProjectedFile[],
): boolean {
  const old = new Map(before.map((file) => [file.path, file]));
  return (
    before.length === after.length &&
    after.every(({ path, bytes, mode }) => {
      const found = old.get(path);
      return found?.mode === mode && Buffer.compare(found.bytes, bytes) === 0;
    })
  );
}

/** What is seen in the volume itself: the first component of each path. */
function topNames(files: readonly ProjectedFile[]): string[] {
  return [...new Set(files.map(({ path }) => path.split("/")[0] ?? ""))];
}
