// How many pods may run at once, and how many starts may wait for a place.

import { PodError } from "../errors/pod-error.ts";
import { aborted } from "./start.ts";

interface Waiter {
  resolve(): void;
  reject(error: unknown): void;
}

export class PodQueue {
  readonly #podsMax: number;
  readonly #queueMax: number;
  readonly #waiters: Waiter[] = [];
  #running = 0;

  constructor(podsMax: number, queueMax: number) {
    this.#podsMax = podsMax;
    this.#queueMax = queueMax;
  }

  /** Resolves with what gives the place back. First come, first served. */
  async take(signal: AbortSignal | undefined): Promise<() => void> {
    if (this.#running >= this.#podsMax) await this.#wait(signal);
    else this.#running++;
    let isHeld = true;
    return () => {
      if (isHeld) this.#release();
      isHeld = false;
    };
  }

  close(): void {
    const error = new PodError({ code: "pod.closed", message: "this Peapod was closed" });
    for (const waiter of this.#waiters.splice(0)) waiter.reject(error);
  }

  /** A place that is given back goes to the first waiter without being free in between. */
  #release(): void {
    const next = this.#waiters.shift();
    if (next) next.resolve();
    else this.#running--;
  }

  async #wait(signal: AbortSignal | undefined): Promise<void> {
    if (this.#waiters.length >= this.#queueMax) {
      throw new PodError({
        code: "pod.queue-full",
        message: `${this.#podsMax} pods run and ${this.#waiters.length} wait`,
      });
    }
    const place = Promise.withResolvers<void>();
    this.#waiters.push(place);
    const onAbort = () => {
      const index = this.#waiters.indexOf(place);
      if (index < 0) return;
      this.#waiters.splice(index, 1);
      place.reject(signal && aborted(signal));
    };
    signal?.addEventListener("abort", onAbort);
    try {
      await place.promise;
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }
}
