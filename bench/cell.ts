// What a benchmark measures: a subject does a job, once in every round. Adapters to the floor, the
// peers and peapod implement `Subject`; the harness decides order, waiting and statistics.
import type { MetricName } from "./metric.ts";
import type { Shape } from "./shape.ts";

/** Raw values by metric, in the metric's unit. What this cell cannot measure is left out. */
export type Sample = { readonly [Name in MetricName]?: readonly number[] };

/** Why this machine or this subject can't do a job. Reported, never an error. */
export type Absent = { readonly absent: string };

export type Cell = {
  /** What is done once and not measured. */
  prepare(): Promise<Absent | undefined>;
  /**
   * One measurement from nothing to nothing: what it starts it also ends. What it throws is
   * reported as a failure of this round.
   */
  run(): Promise<Sample>;
  cleanup(): Promise<void>;
};

/** What is done in one round, and which metrics come of it (each with its `-cpu` beside it). */
export type Work =
  /** A pod up and down: `up`, `first`, `down`. */
  | { readonly kind: "launch" }
  /** In a pod of the shape, started off the clock: `join`, `join-first`; `count` values each. */
  | { readonly kind: "join"; readonly count: number }
  /** In a pod of the shape, started off the clock: `exec`, `exec-first`; `count` values each. */
  | { readonly kind: "exec"; readonly count: number }
  /** `lifecycle`: the program is `stamp exit`, and the pod has one container. */
  | { readonly kind: "lifecycle" }
  /** Closed loops that make and end pods: `rate` once, `cycle` and `cycle-end` for each pod. */
  | { readonly kind: "throughput"; readonly concurrency: number; readonly durationMs: number }
  /** `mass-down`: so many pods of the shape, started off the clock, ended all at once. */
  | { readonly kind: "mass-down"; readonly pods: number }
  /**
   * So many idle pods, read at ten steps on the way: `pods`, `keeper-memory` (for one pod),
   * `kernel-memory` and `taken-memory` (for all).
   */
  | { readonly kind: "memory"; readonly pods: number };

export type Job = {
  readonly work: Work;
  readonly shape: Shape;
  /** Where writable layers, logs and state lie: the same file system for every subject. */
  readonly directory: string;
};

/**
 * What is asked: a running service by a function call, or a program started for this one request.
 * Ratios are taken within one surface. A ratio across is printed only under a heading that says so.
 */
export type Surface = "call" | "command";

export type Subject = {
  /** As in every table: `peapod`, `floor`, `floor (naive)`, `crun`, `podman kube play`. */
  readonly name: string;
  readonly surface: Surface;
  /** What the `-cpu` metrics of this subject count. Empty when it reports none. */
  readonly cpuCounts: string;
  /** Program, version and build as the report shows them; absent where it is not installed. */
  version(): Promise<string | Absent>;
  /** Makes nothing yet: `prepare` does, and says there if this job can't be done. */
  cell(job: Job): Cell;
};
