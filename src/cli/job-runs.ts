// The foreground of `up` for Jobs: their pods are made one after another, and each goes when its
// output has been shown.

import { makeClock, timeScale } from "../pod/life/clock.ts";
import type { Pod } from "../pod/types.ts";
import type { JobOutcome, JobPod } from "../pod/workload/job.ts";
import type { FinishedPod, StartedPod } from "../pod/workload/job-run.ts";
import { runJob } from "../pod/workload/job-run.ts";
import type { JobSpec } from "../spec/job-spec.ts";
import type { PodSpec } from "../spec/pod-spec.ts";
import { Interrupted } from "./failure.ts";
import type { FollowStyle } from "./follow.ts";
import { followOutput } from "./follow.ts";
import { catchInterrupts, interruptStatus } from "./interrupts.ts";
import type { LogPrinter } from "./log-printer.ts";
import { createLogPrinter } from "./log-printer.ts";
import { note } from "./open.ts";
import { podLabel } from "./text.ts";
import { formatElapsed } from "./time.ts";

interface JobRuns {
  readonly style: FollowStyle;
  readonly start: (spec: PodSpec, signal: AbortSignal) => Promise<Pod>;
}

/** 0 when all Jobs are complete, else 1. */
export async function runJobs(jobs: readonly JobSpec[], runs: JobRuns): Promise<number> {
  const { io } = runs.style;
  const interrupt = new AbortController();
  const running = new Set<Pod>();
  using _ = catchInterrupts((signal, count) => {
    interrupt.abort(new Interrupted(interruptStatus(signal)));
    if (count > 1) for (const pod of running) pod.down({ graceMs: 0 }).catch(() => undefined);
  });
  const printer = createLogPrinter(runs.style);
  const start = async (spec: PodSpec, signal: AbortSignal): Promise<StartedPod> => {
    const pod = await runs.start(spec, signal);
    running.add(pod);
    void pod.ended.finally(() => running.delete(pod)).catch(() => undefined);
    note(io, `${podLabel(pod)} started`);
    return startedPod(pod, printer, runs.style);
  };
  const clock = makeClock(timeScale());
  const results = await Promise.allSettled(
    jobs.map(async (job) => {
      if (job.isSuspended) {
        note(io, `Job ${podLabel(job)} is suspended: no pods are made`);
        return true;
      }
      const onWait = (waitMs: number) =>
        note(io, `Job ${podLabel(job)} makes its next pod in ${formatElapsed(waitMs)}`);
      return report(job, await runJob(job, { clock, start, onWait }, interrupt.signal), runs);
    }),
  );
  for (const result of results) if (result.status === "rejected") throw result.reason;
  return results.every((result) => result.status === "fulfilled" && result.value) ? 0 : 1;
}

function report(job: JobSpec, { type, reason, message }: JobOutcome, { style }: JobRuns): boolean {
  const isComplete = type === "Complete";
  const what = isComplete ? "is complete" : `failed: ${reason}`;
  note(style.io, `Job ${podLabel(job)} ${what}: ${message}`);
  return isComplete;
}

function startedPod(pod: Pod, printer: LogPrinter, style: FollowStyle): StartedPod {
  const finished = finish(pod, printer, style);
  // Heard by the Job; one that is being ended may not listen any more.
  finished.catch(() => undefined);
  return {
    finished,
    restarts: async () => statusOf(await pod.object()).restarts,
    end: async () => {
      await pod.down();
      await finished.catch(() => undefined);
    },
  };
}

/** The pod of a Job is done when its output has been shown; a thousand of them must not stay. */
async function finish(pod: Pod, printer: LogPrinter, style: FollowStyle): Promise<FinishedPod> {
  const [phase] = await Promise.all([phaseOf(pod), followOutput(pod, printer, style)]);
  const { exits, conditions } = statusOf(await pod.object());
  await pod.down();
  return { phase: phase === "Succeeded" ? "succeeded" : "failed", exits, conditions };
}

/** A pod that is ended before it is done will not say how it would have ended. */
function phaseOf(pod: Pod): Promise<string> {
  const finished = pod.finished.then(({ phase }) => phase);
  return Promise.race([finished, pod.ended.then(() => "Failed")]);
}

type Status = Pick<JobPod, "exits" | "conditions" | "restarts">;

interface PodObject {
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly initContainerStatuses?: readonly ContainerStatus[];
    readonly containerStatuses?: readonly ContainerStatus[];
  };
}

interface ContainerStatus {
  readonly name: string;
  readonly restartCount?: number;
  readonly state?: { readonly terminated?: { readonly exitCode: number } };
}

function statusOf(object: Readonly<Record<string, unknown>>): Status {
  // Our own object, as pod/status.ts prints it.
  const { status = {} } = object as PodObject;
  const containers = [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])];
  return {
    exits: containers.flatMap(({ name, state }) =>
      state?.terminated ? [{ container: name, exitCode: state.terminated.exitCode }] : [],
    ),
    conditions: (status.conditions ?? []).map(({ type, status: value }) => ({
      type,
      status: value,
    })),
    restarts: containers.reduce((sum, { restartCount }) => sum + (restartCount ?? 0), 0),
  };
}
