// One timer for everything that is due: probes of many containers share their wake-ups.

/** Things due within this time run together, none before its time. */
const slackMs = 10;

interface Entry {
  readonly dueMs: number;
  readonly run: () => void;
}

export class Wheel {
  readonly #entries = new Set<Entry>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerMs = Infinity;

  /** Runs once, at `dueMs` of `performance.now()` or a little later; disposing it takes it back. */
  at(dueMs: number, run: () => void): Disposable {
    const entry = { dueMs, run };
    this.#entries.add(entry);
    if (dueMs < this.#timerMs) this.#arm(dueMs);
    return {
      [Symbol.dispose]: () => {
        this.#entries.delete(entry);
        if (this.#entries.size === 0) this.#disarm();
      },
    };
  }

  #arm(dueMs: number): void {
    clearTimeout(this.#timer);
    this.#timerMs = dueMs;
    const waitMs = Math.max(0, dueMs - performance.now());
    // What is due at once does not wait for company.
    this.#timer = setTimeout(() => this.#turn(), waitMs === 0 ? 0 : Math.ceil(waitMs) + slackMs);
  }

  #disarm(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#timerMs = Infinity;
  }

  #turn(): void {
    const nowMs = performance.now();
    this.#disarm();
    const due = [...this.#entries].filter(({ dueMs }) => dueMs <= nowMs);
    for (const entry of due) this.#entries.delete(entry);
    for (const entry of due) entry.run();
    let nextMs = Infinity;
    for (const { dueMs } of this.#entries) nextMs = Math.min(nextMs, dueMs);
    if (nextMs < this.#timerMs) this.#arm(nextMs);
  }
}

/** Of all pods of this process. */
export const probeWheel = new Wheel();
