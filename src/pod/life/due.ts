// Whether a container may run at this moment, and what it waits for where it may not.

import type { PodState } from "../read-state.ts";
import { backOffEnd } from "./back-off.ts";
import type { Clock } from "./clock.ts";
import type { EventText } from "./events.ts";
import { backOffText, podText } from "./texts.ts";
import type { Unit } from "./unit.ts";

export function isDue(
  unit: Unit,
  clock: Clock,
  state: PodState,
  tell: (event: EventText) => void,
): boolean {
  if (unit.state !== "exited" || unit.isOrdered) return true;
  const { life, name: container } = unit;
  const untilMs = backOffEnd(life.backOff, unit.finishedMs, clock);
  const sinceMs = clock.nowMs();
  if (untilMs === undefined || untilMs <= sinceMs) return true;
  if (life.waiting?.untilMs === untilMs) return false;
  if (unit.isUnmade && life.waiting) {
    const isPull = ["ErrImagePull", "RegistryUnavailable"].includes(life.waiting.reason);
    life.waiting = { ...life.waiting, ...(isPull && { reason: "ImagePullBackOff" }), untilMs };
    return false;
  }
  const message = backOffText(life.backOff?.delayMs ?? 0, container, state);
  life.waiting = { reason: "CrashLoopBackOff", message, sinceMs, untilMs };
  const text = `Back-off restarting failed container ${container} in pod ${podText(state)}`;
  tell({ type: "Warning", reason: "BackOff", message: text, container });
  return false;
}
