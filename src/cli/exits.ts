// How containers ended, run after run: each end is told once, in order.

import type { Peapod } from "../open.ts";
import type { Container, ExitStatus, Pod } from "../pod/types.ts";

interface Queue {
  readonly told: ExitStatus[];
  wake: PromiseWithResolvers<void>;
}

/** Made before the first pod is started, so that none is missed. */
export class Exits implements Disposable {
  readonly #stop = new AbortController();
  readonly #queues = new Map<string, Queue>();

  constructor(peapod: Peapod) {
    void this.#listen(peapod);
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
  }

  /** Of the oldest run that was not asked for; rejects when the pod is gone and nobody knows. */
  async next(pod: Pod, container: Container): Promise<ExitStatus> {
    const queue = this.#queueOf(pod.name, container.name);
    let isOver = false;
    const over = pod.ended.then(
      () => (isOver = true),
      () => (isOver = true),
    );
    for (;;) {
      const exit = queue.told.shift();
      if (exit) return exit;
      if (isOver) return container.exited;
      await Promise.race([queue.wake.promise, over]);
    }
  }

  async #listen(peapod: Peapod): Promise<void> {
    for await (const event of peapod.events({ signal: this.#stop.signal })) {
      if (event.type !== "exited") continue;
      const queue = this.#queueOf(event.pod, event.container);
      queue.told.push(event.exit);
      queue.wake.resolve();
      queue.wake = Promise.withResolvers();
    }
  }

  #queueOf(pod: string, container: string): Queue {
    const key = `${pod}/${container}`;
    let queue = this.#queues.get(key);
    if (!queue) {
      queue = { told: [], wake: Promise.withResolvers() };
      this.#queues.set(key, queue);
    }
    return queue;
  }
}
