// Runs a Job as the job controller does: makes its pods, hears how they end, ends them when it is
// over. What comes next is decided in job.ts.

import type { JobSpec } from "../../spec/job-spec.ts";
import type { PodSpec } from "../../spec/pod-spec.ts";
import type { Clock } from "../life/clock.ts";
import type { JobOutcome, JobPod } from "./job.ts";
import { nextStep } from "./job.ts";

/** A pod of the Job that has been started. */
export interface StartedPod {
  /** Resolves when no container will run again. */
  readonly finished: Promise<FinishedPod>;
  /** Of its containers so far; asked where they may be restarted. */
  restarts(): Promise<number>;
  /** Resolves when nothing runs any more. */
  end(): Promise<void>;
}

export interface FinishedPod extends Pick<JobPod, "exits" | "conditions"> {
  readonly phase: "succeeded" | "failed";
}

export interface JobHost {
  readonly clock: Clock;
  start(spec: PodSpec, signal: AbortSignal): Promise<StartedPod>;
  /** Heard when pods are waited for before they are made again. */
  onWait?(waitMs: number): void;
}

/** With restarts in place nobody tells of them: they are looked for. */
const restartsPeriodMs = 1000;

interface Entry {
  pod: JobPod;
  readonly started: StartedPod;
}

/** Rejects when a pod could not be started, or with the signal's reason; then all are ended. */
export async function runJob(
  job: JobSpec,
  host: JobHost,
  signal: AbortSignal,
): Promise<JobOutcome> {
  const run = new JobRun(job, host, signal);
  try {
    return await run.untilOver();
  } finally {
    await run.endAll();
  }
}

class JobRun {
  readonly #job: JobSpec;
  readonly #host: JobHost;
  readonly #signal: AbortSignal;
  readonly #startedMs: number;
  readonly #entries: Entry[] = [];
  #wake = Promise.withResolvers<void>();

  constructor(job: JobSpec, host: JobHost, signal: AbortSignal) {
    this.#job = job;
    this.#host = host;
    this.#signal = signal;
    this.#startedMs = host.clock.nowMs();
  }

  async untilOver(): Promise<JobOutcome> {
    const onAbort = () => this.#wake.resolve();
    this.#signal.addEventListener("abort", onAbort);
    try {
      while (true) {
        this.#signal.throwIfAborted();
        // Before the look, or what happens during it would be missed.
        this.#wake = Promise.withResolvers();
        if (this.#job.restartsInPlace) await this.#countRestarts();
        const pods = this.#entries.map(({ pod }) => pod);
        const state = { startedMs: this.#startedMs, nowMs: this.#nowMs(), pods };
        const { outcome, start, wakeMs } = nextStep(this.#job, state);
        if (outcome) return outcome;
        for (const index of start) await this.#start(index);
        if (start.length === 0) await this.#wait(wakeMs);
      }
    } finally {
      this.#signal.removeEventListener("abort", onAbort);
    }
  }

  async endAll(): Promise<void> {
    const active = this.#entries.filter(({ pod }) => pod.phase === "active");
    await Promise.all(active.map(({ started }) => started.end()));
  }

  /** By the rules: the Job's own time goes as fast as its clock says. */
  #nowMs(): number {
    const { clock } = this.#host;
    return this.#startedMs + clock.unscaled(clock.nowMs() - this.#startedMs);
  }

  async #start(index: number | undefined): Promise<void> {
    const before = this.#entries.filter(({ pod }) => index === undefined || pod.index === index);
    const spec = this.#job.podFor(before.length, index);
    const started = await this.#host.start(spec, this.#signal);
    const { name } = spec;
    const entry: Entry = {
      pod: { name, index, phase: "active", finishedMs: 0, exits: [], conditions: [], restarts: 0 },
      started,
    };
    this.#entries.push(entry);
    const over = (finished: FinishedPod) => {
      entry.pod = { ...entry.pod, ...finished, finishedMs: this.#nowMs() };
      this.#wake.resolve();
    };
    // A pod that went away before anyone knew how it ended has not succeeded.
    started.finished.then(over, () => over({ phase: "failed", exits: [], conditions: [] }));
  }

  async #countRestarts(): Promise<void> {
    for (const entry of this.#entries) {
      if (entry.pod.phase !== "active") continue;
      const restarts = await entry.started.restarts().catch(() => entry.pod.restarts);
      entry.pod = { ...entry.pod, restarts };
    }
  }

  async #wait(wakeMs: number | undefined): Promise<void> {
    const { clock } = this.#host;
    const waits = wakeMs === undefined ? [] : [Math.max(wakeMs - this.#nowMs(), 0)];
    const isIdle = this.#entries.every(({ pod }) => pod.phase !== "active");
    if (isIdle && waits[0] !== undefined) this.#host.onWait?.(waits[0]);
    if (this.#job.restartsInPlace) waits.push(restartsPeriodMs);
    const timer =
      waits.length > 0
        ? setTimeout(
            () => this.#wake.resolve(),
            Math.min(clock.scaled(Math.min(...waits)), 2 ** 31 - 1),
          )
        : undefined;
    await this.#wake.promise;
    clearTimeout(timer);
  }
}
