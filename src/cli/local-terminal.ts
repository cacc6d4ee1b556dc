// The terminal that the user sits at: raw mode while a remote one is connected, its size, and its
// state given back on every way out.

import type { ReadStream } from "node:tty";

export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

/** Where there is no terminal to ask. */
const defaultSize: TerminalSize = { rows: 24, columns: 80 };

export function terminalSize(): TerminalSize {
  for (const stream of [process.stdout, process.stderr]) {
    if (!stream.isTTY) continue;
    const [columns, rows] = stream.getWindowSize();
    if (rows > 0 && columns > 0) return { rows, columns };
  }
  return defaultSize;
}

/** Calls back on every change of size until disposed. */
export function onResize(listener: (size: TerminalSize) => void): Disposable {
  const handler = (): void => listener(terminalSize());
  process.on("SIGWINCH", handler);
  return { [Symbol.dispose]: () => process.off("SIGWINCH", handler) };
}

/**
 * Every key goes to the container, Ctrl-C included, until disposed. A process that ends otherwise
 * (an uncaught error, `process.exit` in a signal's handler) restores the terminal as well.
 */
export function enterRawMode(): Disposable {
  const stdin: ReadStream = process.stdin;
  if (!stdin.isTTY) return { [Symbol.dispose]: () => undefined };
  const restore = (): void => {
    stdin.setRawMode(false);
  };
  stdin.setRawMode(true);
  process.on("exit", restore);
  return {
    [Symbol.dispose]: () => {
      process.off("exit", restore);
      restore();
    },
  };
}
