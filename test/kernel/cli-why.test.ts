// The command line about why a pod is as it is: describe, events, wait.

import { afterAll, beforeAll, expect } from "bun:test";
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
const forever = "trap 'exit 0' TERM; while :; do sleep 0.05; done";

/** Whatever becomes of the test. */
function downLater(...names: readonly string[]): AsyncDisposable {
  return { [Symbol.asyncDispose]: async () => void (await peapod("down", ...names)) };
}

async function up(name: string, scripts: Readonly<Record<string, string>>) {
  const { err, status } = await peapod("up", "-d", cli.manifest(name, scripts));
  if (status !== 0) throw new Error(err);
  return downLater(name);
}

test("describe shows a running pod, events its start", async () => {
  await using _ = await up("plain", { app: forever });
  const { out, err, status } = await peapod("describe", "plain");
  expect({ err, status }).toEqual({ err: "", status: 0 });
  expect(out).toMatch(/^Name: +plain\nNamespace: +default\n/);
  expect(out).toMatch(/^ {4}State: +Running\n {6}Started: +\w{3}, \d\d \w{3} \d{4} /m);
  expect(out).toMatch(/^ {2}Normal +Started +\d+s +peapod +Started container app$/m);
  const wide = (await peapod("ps", "-o", "wide")).out;
  expect(wide).toMatch(/^NAME .* IP +IMAGES +UID +CGROUP\nplain .* host +[0-9a-f-]{36} +\/\S+\n$/);
  const events = await peapod("events", "plain");
  expect(events.out).toMatch(
    /^LAST SEEN +TYPE +REASON +OBJECT +MESSAGE\n\d+s +Normal +Started +pod\/plain +Started container app\n$/,
  );
  const list = JSON.parse((await peapod("events", "plain", "-o", "json")).out);
  expect(list).toMatchObject({
    ...{ apiVersion: "v1", kind: "List" },
    items: [
      {
        ...{ apiVersion: "v1", kind: "Event", type: "Normal", reason: "Started", count: 1 },
        involvedObject: { kind: "Pod", name: "plain", fieldPath: "spec.containers{app}" },
      },
    ],
  });
  expect((await peapod("events", "--types", "Warning")).out).toBe("");
});

test("wait for a condition that is there, and for one that does not come", async () => {
  await using _ = await up("ready", { app: forever });
  expect(await peapod("wait", "ready", "--for=condition=Ready")).toEqual({
    ...{ out: "pod/ready condition met\n", err: "", status: 0 },
  });
  expect(
    await peapod("wait", "ready", "--for=jsonpath={.status.phase}=Failed", "--timeout", "100ms"),
  ).toEqual({
    out: "",
    err:
      "error[wait.timed-out] ready: .status.phase is not Failed after 100ms\n" +
      "  hint   peapod describe says why a pod is as it is; wait longer with --timeout\n",
    status: 1,
  });
  const usage = await peapod("wait", "ready", "--for=lunch");
  expect(usage.status).toBe(2);
  expect(usage.err).toContain('"lunch" is nothing to wait for');
});

test("up --wait comes back when the pod is ready, has done its work, or has failed", async () => {
  const probed = cli.manifest(
    "probed",
    { app: `sleep 0.3; touch /tmp/ready; ${forever}` },
    { readinessProbe: { exec: { command: ["test", "-e", "/tmp/ready"] }, periodSeconds: 1 } },
  );
  await using _ = downLater("probed", "done", "failing", "slow");
  expect(await peapod("up", "--wait", probed)).toMatchObject({ out: "probed\n", status: 0 });
  const list = JSON.parse((await peapod("ps", "-o", "json")).out);
  expect(list.items[0].status.containerStatuses[0]).toMatchObject({ ready: true, started: true });
  await peapod("down", "probed");
  const done = cli.manifest("done", { app: "exit 0" });
  expect((await peapod("up", "--wait", done)).status).toBe(0);
  await peapod("down", "done");
  const failing = cli.manifest("failing", { app: "exit 3" });
  const failed = await peapod("up", "--wait", failing);
  expect(failed.err).toMatch(
    /^error\[pod\.failed\] pod failing failed: container app exited with 3$/m,
  );
  expect(failed.status).toBe(125);
  await peapod("down", "failing");
  const slow = cli.manifest(
    "slow",
    { app: forever },
    { readinessProbe: { tcpSocket: { port: 9 } } },
  );
  const late = await peapod("up", "--wait", "--wait-timeout", "2s", slow);
  expect(late.err).toMatch(/^error\[wait\.timed-out\] slow: not ready after 2s$/m);
  expect(late.status).toBe(1);
  const { out } = await peapod("describe", "slow");
  expect(out).toMatch(/Warning +Unhealthy +\S.* Readiness probe failed: dial tcp .*:9: connect: /);
});

test("wait for the end of a pod's work has its exit status", async () => {
  await using _ = await up("job", { good: "exit 0", bad: "sleep 0.2; exit 7" });
  expect(await peapod("wait", "job")).toEqual({
    ...{ out: "pod/job finished\n", err: "", status: 7 },
  });
});

test("wait for a pod to be gone, also one that never was", async () => {
  await using _ = await up("leaving", { app: forever });
  const waiting = peapod("wait", "leaving", "--for=delete");
  await Bun.sleep(200);
  await peapod("down", "leaving");
  expect(await waiting).toEqual({ out: "pod/leaving deleted\n", err: "", status: 0 });
  expect(await peapod("wait", "leaving", "--for=delete")).toEqual({ out: "", err: "", status: 0 });
});
