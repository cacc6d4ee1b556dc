// Waiting for a directory to change.

import { type FSWatcher, watch } from "node:fs";

/** Without a watch (no directory yet, no more inotify watches) a follower looks this often. */
const pollMs = 100;
/** With one it still looks now and then. */
const watchedPollMs = 1000;
/**
 * Bun drops events that come within two milliseconds of another, so a change is looked at once
 * more, this much later.
 */
const droppedEventsMs = 5;

export interface Wakeup extends Disposable {
  /**
   * Resolves after a change since the last call, or when it is time to look again. True if there
   * may be a change.
   */
  wait(options: { readonly timeoutMs?: number }): Promise<boolean>;
  /** Ends the wait, as a change does. */
  wake(): void;
}

export function createWakeup(directory: string): Wakeup {
  let isWoken = false;
  let mayHaveMissed = false;
  let resume: (() => void) | undefined;

  function wake(): void {
    isWoken = true;
    resume?.();
  }

  let watcher = openWatch(directory, wake);
  watcher?.on("error", () => {
    watcher?.close();
    watcher = undefined;
    wake();
  });

  return {
    async wait({ timeoutMs = Infinity }) {
      const looksAgain = mayHaveMissed;
      if (!isWoken) {
        const { promise, resolve } = Promise.withResolvers<void>();
        resume = resolve;
        const lookMs = watcher === undefined ? pollMs : watchedPollMs;
        const waitMs = looksAgain ? droppedEventsMs : Math.min(lookMs, timeoutMs);
        const timer = setTimeout(resolve, waitMs);
        await promise;
        clearTimeout(timer);
        resume = undefined;
      }
      mayHaveMissed = isWoken;
      isWoken = false;
      return mayHaveMissed || looksAgain;
    },
    wake,
    [Symbol.dispose]() {
      watcher?.close();
    },
  };
}

function openWatch(directory: string, onChange: () => void): FSWatcher | undefined {
  try {
    return watch(directory, onChange);
  } catch {
    return undefined;
  }
}
