// Jobs, Deployments and the objects beside them, from the command line: pods come, are made again,
// and go.

import { afterAll, beforeAll, expect } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { CliHost } from "../support/cli-host.ts";
import { openCliHost } from "../support/cli-host.ts";
import { hostMissing } from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";

const test = testOrSkip(hostMissing === undefined, hostMissing ?? "");

let cli: CliHost;
beforeAll(async () => {
  if (hostMissing === undefined) cli = await openCliHost();
});
afterAll(() => cli?.[Symbol.asyncDispose](), 60_000);

const peapod = (...words: string[]) => cli.run(words);

function file(name: string, text: string): string {
  const path = join(cli.folder, `${name}.yaml`);
  writeFileSync(path, text);
  return path;
}

function job(name: string, spec: string, script: string): string {
  const container = { name: "a", image: "host", command: ["sh", "-c", script] };
  return file(
    name,
    `apiVersion: batch/v1
kind: Job
metadata: {name: ${name}}
spec:
  ${spec}
  template:
    spec: {restartPolicy: Never, terminationGracePeriodSeconds: 1, containers: [${JSON.stringify(container)}]}
`,
  );
}

/** In a fiftieth of the time that the rules take. */
const scaled = (...words: string[]) => cli.run(words, "", { PEAPOD_TIME_SCALE: "0.02" });

test("an Indexed Job runs each index once, and nothing is left", async () => {
  const path = job(
    "work",
    "completions: 3\n  parallelism: 2\n  completionMode: Indexed",
    'echo "$JOB_COMPLETION_INDEX on $(hostname)"',
  );
  const { out, err, status } = await peapod("up", "--no-prefix", path);
  expect(out.split("\n").toSorted()).toEqual(["", "0 on work-0", "1 on work-1", "2 on work-2"]);
  expect(err).toEndWith("Job work is complete: Reached expected number of succeeded pods\n");
  expect(status).toBe(0);
  expect((await peapod("ps", "-a")).err).toBe("there are no pods\n");
}, 30_000);

test("a pod that fails is made again after its back-off, until the limit", async () => {
  const path = job("fails", "backoffLimit: 2", "echo no; exit 3");
  const { out, err, status } = await scaled("up", path);
  expect(out).toBe("fails-0 | no\nfails-1 | no\nfails-2 | no\n");
  const said = err.split("\n").filter((line) => line.startsWith("Job"));
  expect(said.map((line) => line.replace(/\d+\.\d s/, "N s"))).toEqual([
    "Job fails makes its next pod in N s",
    "Job fails makes its next pod in N s",
    "Job fails failed: BackoffLimitExceeded: Job has reached the specified backoff limit",
  ]);
  expect(status).toBe(1);
}, 30_000);

test("a rule of podFailurePolicy ends the Job at once, and with it the other pods", async () => {
  const policy =
    "podFailurePolicy: {rules: [{action: FailJob, onExitCodes: {operator: In, values: [42]}}]}";
  const path = job(
    "policy",
    `parallelism: 2\n  completions: 2\n  completionMode: Indexed\n  ${policy}`,
    "[ $JOB_COMPLETION_INDEX = 1 ] && exit 42; exec sleep 1000",
  );
  const { err, status } = await peapod("up", path);
  expect(err).toContain(
    "Job policy failed: PodFailurePolicy: Container a for pod default/policy-1-0 failed with exit code 42 matching FailJob rule at index 0\n",
  );
  expect(status).toBe(1);
  expect((await peapod("ps", "-a")).err).toBe("there are no pods\n");
}, 30_000);

test("a Job's deadline ends its pods", async () => {
  const path = job("late", "activeDeadlineSeconds: 10", "exec sleep 1000");
  const { err, status } = await scaled("up", path);
  expect(err).toContain(
    "Job late failed: DeadlineExceeded: Job was active longer than specified deadline\n",
  );
  expect(status).toBe(1);
}, 30_000);

test("Ctrl-C ends a Job and its pods", async () => {
  const path = job(
    "stopped",
    "completions: 5",
    "trap 'exit 0' TERM; echo ready; sleep 1000 & wait",
  );
  const child = cli.start(["up", path]);
  await child.untilOut("ready");
  child.kill("SIGINT");
  const { status } = await child.ended;
  expect(status).toBe(130);
  expect((await peapod("ps", "-a")).err).toBe("there are no pods\n");
}, 30_000);

test("nobody would stay to run a Job that is detached", async () => {
  const path = job("alone", "completions: 1", "true");
  expect(await peapod("up", "-d", path)).toEqual({
    out: "",
    err: `error[cli.usage] nobody would stay to make the pods of Job alone
  hint   run up without --detach; it ends when the Job is over
`,
    status: 2,
  });
}, 30_000);

const shop = `
apiVersion: v1
kind: Service
metadata: {name: shop}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop, namespace: team}
spec:
  replicas: 2
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: a
        image: nginx
        colour: red
        command: [sh, -c, "echo $GREETING from $(hostname); exec sleep 1000"]
        envFrom: [{configMapRef: {name: site}}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: site, namespace: team}
data: {GREETING: hello}
`;

test("a Deployment's file from a cluster comes up, is listed, and goes by its name", async () => {
  const path = file("shop", shop);
  const { out, err, status } = await peapod(
    ...["up", "-d", "-f", path, "--image-map", "nginx=host", "--lenient"],
  );
  expect({ out, status }).toEqual({ out: "team/shop-0\nteam/shop-1\n", status: 0 });
  expect(err).toContain("Service shop has no effect: there is no cluster network;");
  expect(err).toContain(
    `warning ${path}:19:9  spec.template.spec.containers[0].colour: unknown field, left out\n`,
  );
  const names = await peapod("ps", "-q", "-l", "app=shop");
  expect(names.out.split("\n").filter((line) => line !== "")).toHaveLength(2);
  // Without its ConfigMap, as one ends what somebody else has started.
  const alone = file("alone", shop.slice(0, shop.lastIndexOf("---")));
  expect((await peapod("down", "-f", alone)).status).toBe(0);
  expect((await peapod("ps", "-a")).err).toBe("there are no pods\n");
}, 30_000);
