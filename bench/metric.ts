// The catalog of what is measured. A metric's name stands for one span with one definition: two
// cells that both report `up` measured the same thing, and what is another span has another name.

export type Unit = "µs" | "KiB" | "pods/s" | "pods" | "lines/s" | "MB/s";

export type Metric = {
  readonly unit: Unit;
  /** Which end of an interval is the one to claim by. `none`: describes another metric. */
  readonly better: "less" | "more" | "none";
  readonly says: string;
};

const spans = {
  up: "from the request to the answer that every container of the pod runs",
  first: "from the request to the last container's first instruction",
  join: "one more container in a running pod, to the answer that it runs; in the order of joining",
  "join-first": "one more container in a running pod, to its first instruction",
  exec: "a command in a running container, from the request until its exit status is known",
  "exec-first": "a command in a running container, from the request to its first instruction",
  down: "from the request until every process is reaped and the pod's groups are gone",
  drain: "after `down`: until the kernel has nothing left to do for the pod",
  lifecycle: "create, start, run a program that ends at once, wait for it, delete",
  cycle: "create and destroy one pod, while as many others as the work says are made beside it",
  "mass-down": "end all pods of a crowd: from the first request until the last is gone",
} as const;

const others = {
  "cycle-end": {
    unit: "µs",
    better: "none",
    says: "when each `cycle` ended, from the start of its round",
  },
  rate: { unit: "pods/s", better: "more", says: "pods created and destroyed in a second" },
  pods: { unit: "pods", better: "none", says: "how many pods ran at each reading of memory" },
  "keeper-memory": {
    unit: "KiB",
    better: "less",
    says: "private memory of what supervises one pod, read from smaps_rollup",
  },
  "kernel-memory": {
    unit: "KiB",
    better: "none",
    says: "slab, kernel stacks, page tables and per-CPU memory taken by all pods",
  },
  "taken-memory": { unit: "KiB", better: "none", says: "what all pods took from MemAvailable" },
  "kernel-memory-each": {
    unit: "KiB",
    better: "less",
    says: "`kernel-memory` of one pod more: the slope over the readings",
  },
  "taken-memory-each": {
    unit: "KiB",
    better: "less",
    says: "`taken-memory` of one pod more: the slope over the readings",
  },
} as const satisfies Record<string, Metric>;

export type SpanName = keyof typeof spans;
/**
 * The CPU time of all that worked for a span, in microseconds. What exactly is counted is the
 * subject's to say (`Subject.cpuCounts`).
 */
export type CpuName = `${SpanName}-cpu`;
export type MetricName = SpanName | CpuName | keyof typeof others;

export function metricOf(name: MetricName): Metric {
  if (name in others) return others[name as keyof typeof others];
  const span = name.endsWith("-cpu") ? name.slice(0, -"-cpu".length) : name;
  const says = spans[span as SpanName];
  return { unit: "µs", better: "less", says: name === span ? says : `CPU time of: ${says}` };
}

export const metricNames: readonly MetricName[] = [
  ...(Object.keys(spans) as SpanName[]).flatMap((name) => [name, `${name}-cpu`] as const),
  ...(Object.keys(others) as (keyof typeof others)[]),
];
