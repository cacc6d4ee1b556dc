// A moment that may come closer: the end of a grace that a second request can only shorten.

import type { Clock } from "./clock.ts";

export class Deadline {
  readonly #clock: Clock;
  #atMs: number;
  #lowered = Promise.withResolvers<void>();

  /** Epoch milliseconds on this host. */
  constructor(atMs: number, clock: Clock) {
    this.#atMs = atMs;
    this.#clock = clock;
  }

  get leftMs(): number {
    return Math.max(0, this.#atMs - this.#clock.nowMs());
  }

  lower(atMs: number): void {
    if (atMs >= this.#atMs) return;
    this.#atMs = atMs;
    this.#lowered.resolve();
    this.#lowered = Promise.withResolvers();
  }

  /** Whether it came about in time; there are always `leastMs` for it. */
  async holds(event: Promise<unknown>, leastMs = 0): Promise<boolean> {
    let hasCome = false;
    const coming = event.then(
      () => void (hasCome = true),
      () => void (hasCome = true),
    );
    const leastAtMs = this.#clock.nowMs() + leastMs;
    for (;;) {
      const waitMs = Math.max(this.#atMs, leastAtMs) - this.#clock.nowMs();
      if (hasCome || waitMs <= 0) return hasCome;
      const time = Promise.withResolvers<void>();
      const timer = setTimeout(time.resolve, waitMs);
      await Promise.race([coming, this.#lowered.promise, time.promise]);
      clearTimeout(timer);
    }
  }
}
