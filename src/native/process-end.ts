// The end of a child, told by Bun's own event loop: without a thread, and without asking for it.

import { closeFd, duplicate, tryReap } from "./syscalls.ts";

/** A process that even SIGKILL does not end is left to whoever adopts it. */
const patienceMs = 20_000;
const lookMs = 20;

/**
 * Reaps the child and closes its pidfd. Bun's poller takes any descriptor for a socket, and closes
 * it when it becomes readable, as a pidfd does when its process has ended. Nobody promises that, so
 * a timer looks as well.
 */
export async function reapWhenEnded(pidfd: number): Promise<void> {
  if (!tryReap(pidfd)) {
    const { promise, resolve } = Promise.withResolvers<void>();
    const startedMs = performance.now();
    const look = () => {
      if (tryReap(pidfd) || performance.now() - startedMs > patienceMs) resolve();
    };
    const timer = setInterval(look, lookMs);
    const watching = watch(pidfd, look);
    await promise;
    clearInterval(timer);
    void watching.then((socket) => socket?.end());
  }
  closeFd(pidfd);
}

async function watch(pidfd: number, ended: () => void): Promise<{ end(): void } | undefined> {
  // The overload for `fd`, which Bun closes, is missing from its types.
  const connect = Bun.connect as (options: unknown) => Promise<{ end(): void }>;
  try {
    const fd = duplicate(pidfd);
    return await connect({ fd, socket: { data() {}, error: ended, close: ended } });
  } catch {
    return undefined; // The timer does without.
  }
}
