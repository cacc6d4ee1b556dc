// Signals as people write them.

import { constants } from "node:os";

/** `HUP`, `sighup`, `SIGHUP`, `1`, `RTMIN+3`: its number; undefined when it is none. */
export function parseSignal(text: string): number | undefined {
  if (/^\d{1,3}$/.test(text)) return inRange(Number(text));
  const name = text.toUpperCase().replace(/^SIG/, "");
  // signal(7): the C library keeps the first two for itself.
  const realTime = /^RT(MIN|MAX)([+-]\d{1,2})?$/.exec(name);
  if (realTime) return inRange((realTime[1] === "MIN" ? 34 : 64) + Number(realTime[2] ?? 0));
  const known: Readonly<Record<string, number>> = constants.signals;
  return known[`SIG${name}`];
}

function inRange(number: number): number | undefined {
  return number >= 1 && number <= 64 ? number : undefined;
}
