// What a container uses now, from its control group's files; what its pod sends and takes
// in, from those of its network namespace.

import { readFileSync } from "node:fs";
import { readTraffic } from "./network-info.ts";

export interface ContainerStats {
  readonly name: string;
  readonly cpuMs: number;
  /** Undefined where the host's controllers do not say. */
  readonly memoryBytes: number | undefined;
  readonly memoryPeakBytes: number | undefined;
  /** Undefined without a limit, too. */
  readonly memoryMaxBytes: number | undefined;
  readonly pids: number | undefined;
  /** Of block devices, since the container's start. */
  readonly readBytes: number | undefined;
  readonly writtenBytes: number | undefined;
  /** Of the whole pod, which has one interface. Undefined where it has none of its own. */
  readonly receivedBytes: number | undefined;
  readonly sentBytes: number | undefined;
  /** How much of the last ten seconds was spent waiting, by what was waited for. */
  readonly pressure: Readonly<Record<"cpu" | "memory" | "io", Pressure | undefined>>;
}

/** Percent of the time in which some process, or all of them, stood still for want of it. */
export interface Pressure {
  readonly some: number;
  readonly full: number;
}

interface Measured {
  readonly name: string;
  readonly cgroup: string;
  readonly pid: number;
}

export function readStats({ name, cgroup, pid }: Measured, network?: object): ContainerStats {
  const io = ioOf(read(`${cgroup}/io.stat`));
  const traffic = network && pid !== 0 ? readTraffic(pid) : undefined;
  return {
    name,
    cpuMs: (keyed(`${cgroup}/cpu.stat`, "usage_usec") ?? 0) / 1000,
    memoryBytes: number(`${cgroup}/memory.current`),
    memoryPeakBytes: number(`${cgroup}/memory.peak`),
    memoryMaxBytes: number(`${cgroup}/memory.max`),
    pids: number(`${cgroup}/pids.current`),
    readBytes: io?.readBytes,
    writtenBytes: io?.writtenBytes,
    receivedBytes: traffic?.received.bytes,
    sentBytes: traffic?.sent.bytes,
    pressure: {
      cpu: pressureOf(read(`${cgroup}/cpu.pressure`)),
      memory: pressureOf(read(`${cgroup}/memory.pressure`)),
      io: pressureOf(read(`${cgroup}/io.pressure`)),
    },
  };
}

/** `some avg10=0.12 avg60=0.05 …` and, but for the whole machine's CPU, a line of `full`. */
function pressureOf(text: string): Pressure | undefined {
  const share = (kind: string) =>
    Number(new RegExp(`^${kind} avg10=([0-9.]+)`, "m").exec(text)?.[1] ?? 0);
  return text === "" ? undefined : { some: share("some"), full: share("full") };
}

/** One line a device: `254:0 rbytes=1 wbytes=2 rios=3 …`. Undefined without the controller. */
function ioOf(text: string) {
  if (!text.includes("rbytes=")) return undefined;
  const total = (key: string) =>
    [...text.matchAll(new RegExp(`\\b${key}=([0-9]+)`, "g"))].reduce(
      (sum, [, value]) => sum + Number(value),
      0,
    );
  return { readBytes: total("rbytes"), writtenBytes: total("wbytes") };
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
