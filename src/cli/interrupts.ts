// Signals that ask a command to end. The first asks, the second insists.

import { constants } from "node:os";

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
export type InterruptSignal = (typeof signals)[number];

/** What the shell sees of a process that ended because of it: 130 for Ctrl-C. */
export function interruptStatus(signal: InterruptSignal): number {
  return 128 + constants.signals[signal];
}

/** Calls back for each one, counting from 1, until disposed; then they end the process again. */
export function catchInterrupts(
  onInterrupt: (signal: InterruptSignal, count: number) => void,
): Disposable {
  let count = 0;
  const handlers = signals.map((signal) => {
    const handler = (): void => onInterrupt(signal, ++count);
    process.on(signal, handler);
    return () => process.off(signal, handler);
  });
  return { [Symbol.dispose]: () => handlers.forEach((remove) => remove()) };
}
