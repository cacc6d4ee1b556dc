// Signals by their names, as the kernel numbers them.

import { constants } from "node:os";

const [realTimeMin, realTimeMax] = [34, 64];

/** `SIGUSR1`, `SIGRTMIN+3`; undefined for what names none. */
export function signalByName(name: string): number | undefined {
  const [, base, offset = "0"] = /^SIGRT(MIN|MAX)(?:[+-](\d{1,2}))?$/.exec(name) ?? [];
  if (base === "MIN") return realTimeMin + Number(offset);
  if (base === "MAX") return realTimeMax - Number(offset);
  const known: Readonly<Record<string, number>> = constants.signals;
  return known[name];
}
