import { expect, test } from "bun:test";
import type { JobPod, JobStep } from "../../src/pod/workload/job.ts";
import { nextStep } from "../../src/pod/workload/job.ts";
import { readManifests } from "../../src/read/pod-manifest/read.ts";
import type { JobSpec } from "../../src/spec/job-spec.ts";

function jobOf(spec: string, pod = "restartPolicy: Never"): JobSpec {
  const text = `
apiVersion: batch/v1
kind: Job
metadata: {name: work}
spec:
  template: {spec: {${pod}, containers: [{name: a, image: host}, {name: b, image: host}]}}
${spec
  .split("\n")
  .map((line) => `  ${line}`)
  .join("\n")}
`;
  return readManifests([{ text, file: "job.yaml" }]).jobs[0]!;
}

let made = 0;

function pod(phase: JobPod["phase"], more: Partial<JobPod> = {}): JobPod {
  const name = `work-${made++}`;
  return {
    name,
    index: undefined,
    phase,
    finishedMs: 0,
    exits: [],
    conditions: [],
    restarts: 0,
    ...more,
  };
}

const failed = (finishedMs: number, more: Partial<JobPod> = {}) =>
  pod("failed", { finishedMs, ...more });
const step = (job: JobSpec, pods: readonly JobPod[], nowMs = 1e6): JobStep =>
  nextStep(job, { startedMs: 0, nowMs, pods });
const reason = (job: JobSpec, pods: readonly JobPod[], nowMs?: number) =>
  step(job, pods, nowMs).outcome?.reason;
const starts = (job: JobSpec, pods: readonly JobPod[], nowMs?: number) =>
  step(job, pods, nowMs).start.length;

test("a Job that says nothing runs one pod to its success", () => {
  const job = jobOf("");
  expect(step(job, [])).toEqual({ outcome: undefined, start: [undefined], wakeMs: undefined });
  expect(step(job, [pod("active")])).toEqual({ outcome: undefined, start: [], wakeMs: undefined });
  expect(step(job, [pod("succeeded")]).outcome).toEqual({
    type: "Complete",
    reason: "CompletionsReached",
    message: "Reached expected number of succeeded pods",
  });
});

test("at most parallelism pods run at a time, and no more than are still missing", () => {
  const job = jobOf("completions: 5\nparallelism: 3");
  expect(starts(job, [])).toBe(3);
  expect(starts(job, [pod("active"), pod("succeeded")])).toBe(2);
  expect(starts(job, [pod("succeeded"), pod("succeeded"), pod("succeeded")])).toBe(2);
  expect(starts(jobOf("completions: 5\nparallelism: 0"), [])).toBe(0);
  expect(reason(jobOf("completions: 0"), [])).toBe("CompletionsReached");
});

test("a work queue is over when one pod has succeeded and none is left", () => {
  const job = jobOf("parallelism: 2");
  expect(starts(job, [])).toBe(2);
  expect(starts(job, [pod("succeeded"), pod("active")])).toBe(0);
  expect(reason(job, [pod("succeeded"), pod("active")])).toBeUndefined();
  expect(reason(job, [pod("succeeded"), failed(0)])).toBe("CompletionsReached");
});

test("pods that fail are made again after 10 s, 20 s, 40 s, at most 10 minutes", () => {
  const job = jobOf("backoffLimit: 20");
  const waits = [1, 2, 3, 6, 7, 12].map((times) => {
    const pods = Array.from({ length: times }, (_, place) => failed(place));
    return (step(job, pods, 0).wakeMs ?? 0) - (times - 1);
  });
  expect(waits).toEqual([10_000, 20_000, 40_000, 320_000, 600_000, 600_000]);
  expect(starts(job, [failed(0)], 9_999)).toBe(0);
  expect(starts(job, [failed(0)], 10_000)).toBe(1);
  const two = jobOf("completions: 2");
  expect(starts(two, [failed(0), pod("succeeded", { finishedMs: 5 })], 5)).toBe(1);
});

test("more failures than backoffLimit end the Job", () => {
  const job = jobOf("backoffLimit: 1");
  expect(reason(job, [failed(0)])).toBeUndefined();
  expect(step(job, [failed(0), failed(1)]).outcome).toEqual({
    type: "Failed",
    reason: "BackoffLimitExceeded",
    message: "Job has reached the specified backoff limit",
  });
  expect(reason(jobOf("backoffLimit: 0"), [failed(0)])).toBe("BackoffLimitExceeded");
  const six = Array.from({ length: 6 }, (_, place) => failed(place));
  expect(reason(jobOf(""), six)).toBeUndefined();
  expect(reason(jobOf(""), [...six, failed(7)])).toBe("BackoffLimitExceeded");
});

test("with OnFailure restarts of active pods count", () => {
  const job = jobOf("backoffLimit: 2", "restartPolicy: OnFailure");
  expect(reason(job, [pod("active", { restarts: 1 })])).toBeUndefined();
  expect(reason(job, [pod("active", { restarts: 2 })])).toBe("BackoffLimitExceeded");
  expect(reason(job, [pod("succeeded", { restarts: 9 })])).toBe("CompletionsReached");
  const none = jobOf("backoffLimit: 0", "restartPolicy: OnFailure");
  expect(reason(none, [pod("active")])).toBeUndefined();
  expect(reason(none, [pod("active", { restarts: 1 })])).toBe("BackoffLimitExceeded");
});

test("a Job is over at its deadline, whatever its pods do", () => {
  const job = jobOf("activeDeadlineSeconds: 5");
  expect(step(job, [pod("active")], 4_999)).toEqual({
    outcome: undefined,
    start: [],
    wakeMs: 5_000,
  });
  expect(step(job, [pod("active")], 5_000).outcome).toEqual({
    type: "Failed",
    reason: "DeadlineExceeded",
    message: "Job was active longer than specified deadline",
  });
});

const policy = (...rules: string[]) =>
  jobOf(`podFailurePolicy: {rules: [${rules.join(", ")}]}\nbackoffLimit: 0`);
const exits = (a: number, b: number) => [
  { container: "a", exitCode: a },
  { container: "b", exitCode: b },
];

test("the first rule of podFailurePolicy that fits decides about a failed pod", () => {
  const job = policy(
    "{action: FailJob, onExitCodes: {containerName: a, operator: In, values: [3, 4]}}",
    "{action: Ignore, onExitCodes: {operator: NotIn, values: [5]}}",
    "{action: Ignore, onPodConditions: [{type: DisruptionTarget}]}",
  );
  made = 0;
  expect(step(job, [failed(0, { exits: exits(3, 1) })]).outcome).toEqual({
    type: "Failed",
    reason: "PodFailurePolicy",
    message:
      "Container a for pod default/work-0 failed with exit code 3 matching FailJob rule at index 0",
  });
  // Of another container, and of one that succeeded.
  expect(reason(job, [failed(0, { exits: exits(0, 3) })])).toBeUndefined();
  expect(reason(job, [failed(0, { exits: exits(5, 0) })])).toBe("BackoffLimitExceeded");
  const conditions = [{ type: "DisruptionTarget", status: "True" }];
  expect(reason(job, [failed(0, { exits: exits(5, 0), conditions })])).toBeUndefined();
});

test("ignored failures do not count, and are still waited for", () => {
  const job = policy("{action: Ignore, onExitCodes: {operator: In, values: [9]}}");
  const pods = [failed(0, { exits: exits(9, 0) }), failed(1, { exits: exits(9, 0) })];
  expect(step(job, pods, 1)).toEqual({ outcome: undefined, start: [], wakeMs: 20_001 });
  expect(reason(policy("{action: Count, onExitCodes: {operator: In, values: [9]}}"), pods)).toBe(
    "BackoffLimitExceeded",
  );
});

const indexed = (more: string) => jobOf(`completionMode: Indexed\ncompletions: 4\n${more}`);
const at = (index: number, phase: JobPod["phase"], more: Partial<JobPod> = {}) =>
  pod(phase, { index, ...more });

test("an Indexed Job runs each index to its success, the lowest first", () => {
  const job = indexed("parallelism: 2");
  expect(step(job, []).start).toEqual([0, 1]);
  expect(step(job, [at(0, "succeeded"), at(1, "active")]).start).toEqual([2]);
  expect(step(job, [at(0, "failed"), at(1, "active")]).start).toEqual([0]);
  const all = [0, 1, 2, 3].map((index) => at(index, "succeeded"));
  expect(reason(job, all)).toBe("CompletionsReached");
  expect(reason(job, [...all.slice(1), at(3, "succeeded")])).toBeUndefined();
});

test("an index has a limit and a wait of its own", () => {
  const job = indexed("backoffLimitPerIndex: 1\nparallelism: 4");
  const pods = [at(0, "failed", { finishedMs: 0 }), at(1, "active"), at(2, "active")];
  expect(step(job, pods, 1)).toEqual({ outcome: undefined, start: [3], wakeMs: 10_000 });
  const lost = [at(0, "failed"), at(0, "failed")];
  expect(step(job, lost).start).toEqual([1, 2, 3]);
  const rest = [1, 2, 3].map((index) => at(index, "succeeded"));
  expect(step(job, [...lost, ...rest]).outcome).toEqual({
    type: "Failed",
    reason: "FailedIndexes",
    message: "Job has failed indexes",
  });
  expect(reason(indexed("backoffLimitPerIndex: 0\nmaxFailedIndexes: 0"), [at(0, "failed")])).toBe(
    "MaxFailedIndexesExceeded",
  );
  const failIndex = indexed(
    "backoffLimitPerIndex: 9\nmaxFailedIndexes: 0\n" +
      "podFailurePolicy: {rules: [{action: FailIndex, onExitCodes: {operator: In, values: [7]}}]}",
  );
  expect(reason(failIndex, [at(0, "failed", { exits: exits(7, 0) })])).toBe(
    "MaxFailedIndexesExceeded",
  );
});

test("a success policy ends an Indexed Job early", () => {
  const rules = (list: string) => indexed(`successPolicy: {rules: [${list}]}`);
  const one = [at(2, "succeeded")];
  expect(reason(rules("{succeededCount: 1}"), one)).toBe("SuccessPolicy");
  expect(reason(rules('{succeededIndexes: "0,2-3"}'), one)).toBeUndefined();
  expect(reason(rules('{succeededIndexes: "0,2-3", succeededCount: 1}'), one)).toBe(
    "SuccessPolicy",
  );
  expect(reason(rules('{succeededIndexes: "0"}, {succeededIndexes: "2"}'), one)).toBe(
    "SuccessPolicy",
  );
});

test("a suspended Job makes no pods", () => {
  expect(step(jobOf("suspend: true"), [])).toEqual({
    outcome: undefined,
    start: [],
    wakeMs: undefined,
  });
});

test("pods of a Job are called after it, and those of an index know which it is", () => {
  const first = jobOf("").podFor(0, undefined);
  expect([first.name, jobOf("").podFor(3, undefined).name]).toEqual(["work-0", "work-3"]);
  expect(first.labels).toEqual({ "batch.kubernetes.io/job-name": "work", "job-name": "work" });
  const second = indexed("").podFor(1, 2);
  expect(second.name).toBe("work-2-1");
  expect(second.hostname).toBe("work-2");
  expect(second.workload).toEqual({ kind: "Job", name: "work", index: 2 });
  expect(second.annotations).toEqual({ "batch.kubernetes.io/job-completion-index": "2" });
  expect(second.containers.map(({ env }) => env.map((entry) => entry))).toEqual([
    [
      {
        field: "spec.containers[0].env[0]",
        name: "JOB_COMPLETION_INDEX",
        kind: "ref",
        ref: {
          kind: "fieldRef",
          path: "metadata.annotations['batch.kubernetes.io/job-completion-index']",
        },
      },
    ],
    [expect.objectContaining({ name: "JOB_COMPLETION_INDEX" })],
  ]);
});
