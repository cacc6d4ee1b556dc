// Numbers for descriptors. Those of the pod are fixed or dealt out once; those of a plan start over
// with each.

import { podSlots, slotTargetCgroup, slotTargetProcess } from "./abi.gen.ts";
import type { Slot } from "./plan.ts";

/** The keeper itself uses the first two (zig/plan/schema.zig). */
export const podSlot = {
  stateDirectory: 0 as Slot,
  podCgroup: 1 as Slot,
  /**
   * A detached mount of the pod's data directory, in which upper and work directories lie together.
   */
  data: 2 as Slot,
  logs: 3 as Slot,
  userNamespace: 4 as Slot,
  shm: 5 as Slot,
  /** The tmpfs with hosts, hostname and resolv.conf. */
  files: 6 as Slot,
  pause: 7 as Slot,
} as const;

const firstVolume = 16;

/** A volume that lives in the keeper: an emptyDir in memory. */
export function volumeSlot(index: number): Slot {
  return (firstVolume + index) as Slot;
}

export const targetProcess = slotTargetProcess as Slot;
export const targetCgroup = slotTargetCgroup as Slot;

/** Deals out the slots of one plan. */
export class PlanSlots {
  #next = podSlots + 2;

  take(): Slot {
    return this.#next++ as Slot;
  }
}
