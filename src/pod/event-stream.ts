// Events of pods as something to iterate over, for as many listeners as there are.

import type { PodEvent } from "./types.ts";

/** Told nothing, a listener has heard the last. */
export type EventListener = (event?: PodEvent) => void;

export async function* streamEvents(
  listeners: Set<EventListener>,
  isClosed: boolean,
  signal: AbortSignal | undefined,
): AsyncGenerator<PodEvent> {
  const queue: PodEvent[] = [];
  let wake = Promise.withResolvers<void>();
  let isOver = isClosed;
  const listener: EventListener = (event) => {
    if (event) queue.push(event);
    else isOver = true;
    wake.resolve();
  };
  const onAbort = () => wake.resolve();
  listeners.add(listener);
  signal?.addEventListener("abort", onAbort);
  try {
    while (!signal?.aborted) {
      const event = queue.shift();
      if (event) yield event;
      else if (isOver) return;
      else {
        await wake.promise;
        wake = Promise.withResolvers<void>();
      }
    }
  } finally {
    listeners.delete(listener);
    signal?.removeEventListener("abort", onAbort);
  }
}
