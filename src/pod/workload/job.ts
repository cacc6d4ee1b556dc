// What a Job does next, given what has become of its pods: a function of these alone, with the
// rules of Kubernetes' job controller. Starting and ending pods is job-run.ts's.

import type { FailureRule, JobSpec } from "../../spec/job-spec.ts";

/** Times are milliseconds since the epoch. */
export interface JobPod {
  readonly name: string;
  /** Undefined where the Job is not indexed. */
  readonly index: number | undefined;
  readonly phase: "active" | "succeeded" | "failed";
  /** 0 while it is active. */
  readonly finishedMs: number;
  /** Of containers that have ended, init containers first. */
  readonly exits: readonly { readonly container: string; readonly exitCode: number }[];
  readonly conditions: readonly { readonly type: string; readonly status: string }[];
  /** Of its containers, together. */
  readonly restarts: number;
}

export interface JobState {
  readonly startedMs: number;
  readonly nowMs: number;
  /** In the order in which they were made. */
  readonly pods: readonly JobPod[];
}

/** Why a Job is over. Reasons and messages are the job controller's. */
export interface JobOutcome {
  readonly type: "Complete" | "Failed";
  readonly reason: string;
  readonly message: string;
}

export interface JobStep {
  /** Undefined while the Job goes on. Pods that are active then are to be ended. */
  readonly outcome: JobOutcome | undefined;
  /** A pod for each: its index, or undefined where there are none. */
  readonly start: readonly (number | undefined)[];
  /** When to look again though nothing has happened; undefined: never. */
  readonly wakeMs: number | undefined;
}

const backOffFirstMs = 10_000;
const backOffMostMs = 600_000;

export function nextStep(job: JobSpec, state: JobState): JobStep {
  const outcome = outcomeOf(job, state);
  if (outcome || job.isSuspended) return { outcome, start: [], wakeMs: undefined };
  const { nowMs, pods } = state;
  const wanted = job.isIndexed ? indexesWanted(job, pods) : podsWanted(job, pods);
  const due = wanted.map((index) => ({ index, dueMs: backOffEnd(job, pods, index) }));
  const start = due.filter(({ dueMs }) => dueMs <= nowMs).map(({ index }) => index);
  const times = [
    ...due.filter(({ dueMs }) => dueMs > nowMs).map(({ dueMs }) => dueMs),
    ...(job.activeDeadlineMs === undefined ? [] : [state.startedMs + job.activeDeadlineMs]),
  ];
  return { outcome: undefined, start, wakeMs: times.length > 0 ? Math.min(...times) : undefined };
}

/** The first that applies, in the controller's order. */
function outcomeOf(job: JobSpec, { startedMs, nowMs, pods }: JobState): JobOutcome | undefined {
  const failed = (reason: string, message: string): JobOutcome => ({
    type: "Failed",
    reason,
    message,
  });
  const failures = pods.filter(({ phase }) => phase === "failed");
  const verdicts = failures.map((pod) => judge(job, pod));
  const fatal = verdicts.find(({ action }) => action === "FailJob");
  if (fatal) return failed("PodFailurePolicy", fatal.message);
  const counted = verdicts.filter(({ action }) => action !== "Ignore").length;
  if (counted > job.backoffLimit || isPastRestarts(job, pods)) {
    return failed("BackoffLimitExceeded", "Job has reached the specified backoff limit");
  }
  if (job.activeDeadlineMs !== undefined && nowMs - startedMs >= job.activeDeadlineMs) {
    return failed("DeadlineExceeded", "Job was active longer than specified deadline");
  }
  const lost = failedIndexes(job, pods);
  if (job.maxFailedIndexes !== undefined && lost.size > job.maxFailedIndexes) {
    const message = "Job has exceeded the specified maximal number of failed indexes";
    return failed("MaxFailedIndexesExceeded", message);
  }
  const rule = metSuccessRule(job, succeededIndexes(pods));
  if (rule !== undefined) {
    const message = `Matched rules at index ${rule}`;
    return { type: "Complete", reason: "SuccessPolicy", message };
  }
  if (!isDone(job, pods, lost)) return undefined;
  if (lost.size > 0) return failed("FailedIndexes", "Job has failed indexes");
  return {
    type: "Complete",
    reason: "CompletionsReached",
    message: "Reached expected number of succeeded pods",
  };
}

interface Verdict {
  readonly action: FailureRule["action"];
  readonly message: string;
}

/** What the policy says of a pod that failed; without a rule that fits it counts. */
function judge(job: JobSpec, pod: JobPod): Verdict {
  for (const [place, rule] of job.failureRules.entries()) {
    const cause = causeOf(job, rule, pod);
    if (cause === undefined) continue;
    return {
      action: rule.action,
      message: `${cause} matching ${rule.action} rule at index ${place}`,
    };
  }
  return { action: "Count", message: "" };
}

function causeOf(job: JobSpec, rule: FailureRule, pod: JobPod): string | undefined {
  const name = `${job.namespace}/${pod.name}`;
  const { exitCodes } = rule;
  if (!exitCodes) {
    const found = pod.conditions.find((condition) =>
      rule.conditions.some(
        ({ type, status }) => type === condition.type && status === condition.status,
      ),
    );
    return found && `Pod ${name} has condition ${found.type}`;
  }
  // A container that succeeded is no reason for a failure.
  const found = pod.exits.find(
    ({ container, exitCode }) =>
      exitCode !== 0 &&
      (exitCodes.container ?? container) === container &&
      exitCodes.values.includes(exitCode) === (exitCodes.operator === "In"),
  );
  return (
    found && `Container ${found.container} for pod ${name} failed with exit code ${found.exitCode}`
  );
}

/** With `OnFailure` a pod does not fail: its containers are run again, and that is counted. */
function isPastRestarts(job: JobSpec, pods: readonly JobPod[]): boolean {
  if (!job.restartsInPlace) return false;
  const active = pods.filter(({ phase }) => phase === "active");
  const restarts = active.reduce((sum, pod) => sum + pod.restarts, 0);
  return job.backoffLimit === 0 ? restarts > 0 : restarts >= job.backoffLimit;
}

function isDone(job: JobSpec, pods: readonly JobPod[], lost: ReadonlySet<number>): boolean {
  if (job.isIndexed) return succeededIndexes(pods).size + lost.size >= (job.completions ?? 0);
  const succeeded = count(pods, "succeeded");
  // A work queue is empty when one pod says so; the others may finish what they have.
  if (job.completions === undefined) return succeeded > 0 && count(pods, "active") === 0;
  return succeeded >= job.completions;
}

/** The number of the rule; undefined when none is met. */
function metSuccessRule(job: JobSpec, succeeded: ReadonlySet<number>): number | undefined {
  const met = job.successRules.findIndex((rule) => {
    const { indexes, count: least } = rule;
    const among = [...succeeded].filter((index) => indexes?.has(index) ?? true).length;
    return among >= (least ?? indexes?.size ?? job.completions ?? Infinity);
  });
  return met < 0 ? undefined : met;
}

function podsWanted(job: JobSpec, pods: readonly JobPod[]): undefined[] {
  const active = count(pods, "active");
  const succeeded = count(pods, "succeeded");
  const most =
    job.completions === undefined
      ? succeeded > 0
        ? 0
        : job.parallelism
      : Math.min(job.parallelism, job.completions - succeeded);
  return Array.from({ length: Math.max(most - active, 0) }, () => undefined);
}

/** The lowest first. */
function indexesWanted(job: JobSpec, pods: readonly JobPod[]): number[] {
  const taken = new Set([...succeededIndexes(pods), ...failedIndexes(job, pods)]);
  let places = job.parallelism;
  for (const { phase, index } of pods) {
    if (phase !== "active" || index === undefined) continue;
    taken.add(index);
    places--;
  }
  const wanted: number[] = [];
  for (let index = 0; index < (job.completions ?? 0) && wanted.length < places; index++) {
    if (!taken.has(index)) wanted.push(index);
  }
  return wanted;
}

function succeededIndexes(pods: readonly JobPod[]): Set<number> {
  const succeeded = pods.filter(({ phase }) => phase === "succeeded");
  return new Set(succeeded.flatMap(({ index }) => index ?? []));
}

/** Those that will not be tried again. */
function failedIndexes(job: JobSpec, pods: readonly JobPod[]): Set<number> {
  const { backoffLimitPerIndex: most } = job;
  if (most === undefined) return new Set();
  const failures = new Map<number, number>();
  const lost = new Set<number>();
  for (const pod of pods) {
    if (pod.phase !== "failed" || pod.index === undefined) continue;
    const { action } = judge(job, pod);
    if (action === "FailIndex") lost.add(pod.index);
    if (action !== "Count") continue;
    const times = (failures.get(pod.index) ?? 0) + 1;
    failures.set(pod.index, times);
    if (times > most) lost.add(pod.index);
  }
  return lost;
}

/**
 * When the next pod may be made: 10 s after a failure, twice as long after each further one without
 * a success between. Ignored failures count here, or a pod that always fails would be made without
 * end.
 */
function backOffEnd(job: JobSpec, pods: readonly JobPod[], index: number | undefined): number {
  const isOwn = job.backoffLimitPerIndex !== undefined;
  const ended = pods
    .filter((pod) => pod.phase !== "active" && (!isOwn || pod.index === index))
    .toSorted((a, b) => a.finishedMs - b.finishedMs);
  const failures = ended.slice(ended.findLastIndex(({ phase }) => phase === "succeeded") + 1);
  const last = failures.at(-1);
  if (!last) return 0;
  return last.finishedMs + Math.min(backOffFirstMs * 2 ** (failures.length - 1), backOffMostMs);
}

function count(pods: readonly JobPod[], phase: JobPod["phase"]): number {
  return pods.filter((pod) => pod.phase === phase).length;
}
