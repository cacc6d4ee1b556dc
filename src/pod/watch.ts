// Hearing of changes in a state directory: pods that come and go, what their keepers and owners
// write down. By inotify, so that waiting costs nothing.

import { type FSWatcher, mkdirSync, watch } from "node:fs";
import { names } from "./state.ts";

/**
 * Bun drops events that come within two milliseconds of another, so a change is told this much
 * later, and what follows it in that time is told with it.
 */
const settleMs = 5;

export class PodsWatcher implements Disposable {
  readonly #directory: string;
  readonly #onChange: () => void;
  readonly #withContents: boolean;
  readonly #watchers = new Map<string, FSWatcher>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `directory` is STATE/pods; with its contents, also what is written about each pod. */
  constructor(
    directory: string,
    onChange: () => void,
    options: { readonly withContents: boolean },
  ) {
    this.#directory = directory;
    this.#onChange = onChange;
    this.#withContents = options.withContents;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    this.#watch("");
    this.#follow();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  #changed(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#follow();
      this.#onChange();
    }, settleMs);
  }

  /** One watch for each pod there is. */
  #follow(): void {
    if (!this.#withContents) return;
    const there = new Set(names(this.#directory));
    for (const uid of there) if (!this.#watchers.has(uid)) this.#watch(uid);
    for (const [uid, watcher] of this.#watchers) {
      if (uid === "" || there.has(uid)) continue;
      watcher.close();
      this.#watchers.delete(uid);
    }
  }

  #watch(uid: string): void {
    const changed = () => this.#changed();
    try {
      const watcher = watch(`${this.#directory}/${uid}`, changed);
      // Its directory is gone, which the watch on its parent tells as well.
      watcher.on("error", changed);
      this.#watchers.set(uid, watcher);
    } catch {
      // Gone already.
    }
  }
}

/** Yields at once, and after every change until the signal. */
export async function* podChanges(
  directory: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<void> {
  let wake = Promise.withResolvers<void>();
  const onAbort = () => wake.resolve();
  using _ = new PodsWatcher(directory, () => wake.resolve(), { withContents: true });
  signal?.addEventListener("abort", onAbort);
  try {
    while (!signal?.aborted) {
      yield;
      await wake.promise;
      wake = Promise.withResolvers<void>();
    }
  } finally {
    signal?.removeEventListener("abort", onAbort);
  }
}
