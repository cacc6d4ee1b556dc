// What containers use, from two looks at their counters: rates, and the rows that show them.

import type { ContainerStats } from "../pod/stats.ts";
import type { Pod } from "../pod/types.ts";
import { printTable } from "./table.ts";
import { formatBytes } from "./text.ts";

export interface Sample {
  readonly atMs: number;
  readonly containers: readonly Counted[];
}

interface Counted {
  readonly pod: Pod;
  readonly stats: ContainerStats;
}

/** One container over the time between two looks. */
export interface Usage {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  /** Percent of one CPU. */
  readonly cpuPercent: number;
  readonly memoryBytes: number | undefined;
  readonly memoryMaxBytes: number | undefined;
  readonly pids: number | undefined;
  readonly readBytesPerSecond: number | undefined;
  readonly writtenBytesPerSecond: number | undefined;
  /** Of the whole pod. */
  readonly receivedBytesPerSecond: number | undefined;
  readonly sentBytesPerSecond: number | undefined;
  readonly pressure: ContainerStats["pressure"];
}

export const sortKeys = ["cpu", "memory", "pids", "io", "pressure", "name"] as const;
export type SortKey = (typeof sortKeys)[number];

/** Of containers that run; a pod that ends meanwhile is left out. */
export async function sample(pods: readonly Pod[]): Promise<Sample> {
  const lists = await Promise.all(pods.map(countPod));
  return { atMs: performance.now(), containers: lists.flat() };
}

async function countPod(pod: Pod): Promise<Counted[]> {
  try {
    const states = await Promise.all(pod.containers.map((container) => container.state()));
    const running = new Set(
      states.filter(({ phase }) => phase === "running").map(({ name }) => name),
    );
    const stats = await pod.stats();
    return stats.filter(({ name }) => running.has(name)).map((one) => ({ pod, stats: one }));
  } catch {
    return [];
  }
}

/** A container that was not there at the first look has no rate yet. */
export function usageBetween(before: Sample, after: Sample): Usage[] {
  const seconds = Math.max(after.atMs - before.atMs, 1) / 1000;
  return after.containers.map(({ pod, stats }) => {
    const old = before.containers.find(
      (one) => one.pod.uid === pod.uid && one.stats.name === stats.name,
    )?.stats;
    const rate = (now: number | undefined, then: number | undefined) =>
      now === undefined ? undefined : Math.max(0, now - (then ?? now)) / seconds;
    return {
      namespace: pod.namespace,
      pod: pod.name,
      container: stats.name,
      cpuPercent: round((rate(stats.cpuMs, old?.cpuMs) ?? 0) / 10),
      memoryBytes: stats.memoryBytes,
      memoryMaxBytes: stats.memoryMaxBytes,
      pids: stats.pids,
      readBytesPerSecond: rate(stats.readBytes, old?.readBytes),
      writtenBytesPerSecond: rate(stats.writtenBytes, old?.writtenBytes),
      receivedBytesPerSecond: rate(stats.receivedBytes, old?.receivedBytes),
      sentBytesPerSecond: rate(stats.sentBytes, old?.sentBytes),
      pressure: stats.pressure,
    };
  });
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

/** The largest first; equal ones by name, so that rows stand still. */
export function sortUsage(usage: readonly Usage[], key: SortKey): Usage[] {
  const weigh = weights[key];
  return usage.toSorted((a, b) => weigh(b) - weigh(a) || nameOf(a).localeCompare(nameOf(b)));
}

const weights: Readonly<Record<SortKey, (usage: Usage) => number>> = {
  cpu: ({ cpuPercent }) => cpuPercent,
  memory: ({ memoryBytes = 0 }) => memoryBytes,
  pids: ({ pids = 0 }) => pids,
  io: ({ readBytesPerSecond = 0, writtenBytesPerSecond = 0 }) =>
    readBytesPerSecond + writtenBytesPerSecond,
  pressure: ({ pressure }) =>
    Math.max(pressure.cpu?.some ?? 0, pressure.memory?.some ?? 0, pressure.io?.some ?? 0),
  name: () => 0,
};

function nameOf({ namespace, pod, container }: Usage): string {
  return `${namespace}/${pod}/${container}`;
}

const header = [
  ...["POD", "CONTAINER", "CPU%", "MEMORY", "LIMIT", "PIDS", "READ/s", "WRITE/s"],
  ...["NET-IN/s", "NET-OUT/s", "CPU-PSI", "MEM-PSI", "IO-PSI"],
];

export function printUsage(usage: readonly Usage[]): string {
  const bytes = (value: number | undefined) => (value === undefined ? "-" : formatBytes(value));
  const wait = (kind: keyof Usage["pressure"], { pressure }: Usage) =>
    pressure[kind]?.some.toFixed(1) ?? "-";
  const rows = usage.map((one) => [
    one.namespace === "default" ? one.pod : `${one.namespace}/${one.pod}`,
    ...[one.container, one.cpuPercent.toFixed(1)],
    ...[bytes(one.memoryBytes), bytes(one.memoryMaxBytes), `${one.pids ?? "-"}`],
    ...[bytes(one.readBytesPerSecond), bytes(one.writtenBytesPerSecond)],
    ...[bytes(one.receivedBytesPerSecond), bytes(one.sentBytesPerSecond)],
    ...[wait("cpu", one), wait("memory", one), wait("io", one)],
  ]);
  return printTable(header, rows);
}
