// What a container uses at this moment, from its control group's files.

import { readFileSync } from "node:fs";
import type { ContainerStats } from "./types.ts";

export function readStats(name: string, cgroup: string): ContainerStats {
  return {
    name,
    cpuMs: (keyed(`${cgroup}/cpu.stat`, "usage_usec") ?? 0) / 1000,
    memoryBytes: number(`${cgroup}/memory.current`),
    memoryPeakBytes: number(`${cgroup}/memory.peak`),
    pids: number(`${cgroup}/pids.current`),
  };
}

function number(path: string): number | undefined {
  const text = read(path).trim();
  return /^[0-9]+$/.test(text) ? Number(text) : undefined;
}

function keyed(path: string, key: string): number | undefined {
  const value = read(path).match(new RegExp(`^${key} ([0-9]+)$`, "m"))?.[1];
  return value === undefined ? undefined : Number(value);
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
