// What happened to a pod, as Kubernetes' events: equal ones are counted, old ones make room.

import type { Journal, LifeEvent } from "./journal.ts";

const eventsMax = 200;

export type EventText = Pick<LifeEvent, "type" | "reason" | "message"> & {
  /** Left out for the pod's own. */
  readonly container?: string;
};

export function addEvent(journal: Journal, event: EventText, nowMs: number): void {
  const { type, reason, message, container = "" } = event;
  const known = journal.events.findLastIndex(
    (each) => each.reason === reason && each.message === message && each.container === container,
  );
  const [before] = known < 0 ? [] : journal.events.splice(known, 1);
  journal.events.push({
    ...{ type, reason, message, container },
    count: (before?.count ?? 0) + 1,
    firstMs: before?.firstMs ?? nowMs,
    lastMs: nowMs,
  });
  if (journal.events.length > eventsMax) journal.events.shift();
}
