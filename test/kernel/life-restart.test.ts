// Restarts: whether, when, and with what a container runs again.

import { expect } from "bun:test";
import { existsSync } from "node:fs";
import { eventually, hostMissing, logOf, openTestHost } from "../support/host.ts";
import { journalOf, note, script, sleeper, tracedPod, traceOf } from "../support/life.ts";
import { testOrSkip } from "../support/must-run.ts";

const kernelTest = testOrSkip(hostMissing === undefined, hostMissing ?? "");

kernelTest("a container that exits runs again, first at once and then after back-off", async () => {
  await using host = await openTestHost({ timeScale: 0.02 });
  await using pod = await host.up(
    tracedPod("crashing", { containers: [script("main", `${note("$(date +%s%3N)")}; exit 7`)] }),
  );
  const times = await eventually(
    () => traceOf(host, pod),
    (lines) => lines.length === 4,
  );
  const waits = times.map(Number).map((time, index, all) => time - (all[index - 1] ?? time));
  // 0, 10 and 20 seconds by the rules.
  expect(waits[1]).toBeLessThan(150);
  expect(waits[2]).toBeGreaterThanOrEqual(190);
  expect(waits[2]).toBeLessThan(390);
  expect(waits[3]).toBeGreaterThanOrEqual(390);
  const life = await eventually(
    () => journalOf(host, pod).containers["main"],
    (main) => main?.waiting !== undefined && main.attempt === 3,
  );
  expect(life).toMatchObject({
    attempt: 3,
    backOff: { delayMs: 40_000 },
    waiting: {
      reason: "CrashLoopBackOff",
      message: `back-off 40s restarting failed container=main pod=crashing_default(${pod.uid})`,
    },
    termination: { attempt: 3, exitCode: 7, reason: "Error" },
  });
});

kernelTest("each run has its own log, writable layer and id, and the one before goes", async () => {
  await using host = await openTestHost({ timeScale: 0.01 });
  const text = "test -e /left && echo dirty; echo > /left; echo run $(cat /trace/n); sleep 60";
  await using pod = await host.up(
    tracedPod("again", {
      containers: [
        script("main", `echo x >> /trace/n; test $(wc -l < /trace/n) = 2 || exit 1; ${text}`),
      ],
    }),
  );
  const data = `${host.places.root}/pods/${pod.uid}`;
  await eventually(
    () => existsSync(`${data}/main.1.upper`) && !existsSync(`${data}/main.upper`),
    Boolean,
  );
  const log = await eventually(
    () => logOf(pod, "main"),
    (said) => said !== "",
  );
  expect(log).toBe("run x x\n");
  expect(existsSync(`${data}/main.upper`)).toBe(false);
  const { logPath, id, phase } = await pod.container("main").state();
  expect(logPath.endsWith("/main/1.log")).toBe(true);
  expect([id.length, phase]).toEqual([64, "running"]);
});

kernelTest("OnFailure lets a success be, and Never a failure", async () => {
  await using host = await openTestHost({ timeScale: 0.01 });
  await using pod = await host.up(
    tracedPod("policies", {
      restartPolicy: "OnFailure",
      containers: [
        script("good", note("good")),
        script("flaky", `${note("flaky")}; test $(grep -c flaky /trace/all) = 2`),
        script("own", `${note("own")}; exit 1`, { restartPolicy: "Never" }),
      ],
    }),
  );
  expect(await pod.finished).toMatchObject({ phase: "Failed" });
  expect((await traceOf(host, pod)).toSorted()).toEqual(["flaky", "flaky", "good", "own"]);
});

kernelTest("a pod whose containers have all succeeded has succeeded, and stays", async () => {
  await using host = await openTestHost();
  await using pod = await host.up(
    tracedPod("job", { restartPolicy: "Never", containers: [script("main", "echo done")] }),
  );
  expect(await pod.finished).toMatchObject({ phase: "Succeeded", reason: "" });
  expect(await logOf(pod, "main")).toBe("done\n");
  expect((await host.pods.list()).map(({ name }) => name)).toEqual(["job"]);
});

kernelTest(
  "a sidecar restarts whatever the policy, and ends when the others are through",
  async () => {
    await using host = await openTestHost({ timeScale: 0.01 });
    const sidecar = `${note("side")}; test $(grep -c side /trace/all) = 2 || exit 0; exec sleep 60`;
    await using pod = await host.up(
      tracedPod("helped", {
        restartPolicy: "Never",
        initContainers: [script("sidecar", sidecar, { restartPolicy: "Always" })],
        containers: [
          script("main", "while test $(grep -c side /trace/all) != 2; do sleep 0.01; done"),
        ],
      }),
    );
    expect(await pod.finished).toMatchObject({ phase: "Succeeded" });
    const state = await pod.container("sidecar").state();
    expect(state.exit).toMatchObject({ exitCode: 137 });
    expect(journalOf(host, pod).containers["sidecar"]?.attempt).toBe(1);
  },
);

kernelTest("a rule may restart what its policy would not, or all containers", async () => {
  await using host = await openTestHost({ timeScale: 0.01 });
  const rule = (action: "Restart" | "RestartAllContainers", code: number) => ({
    ...{ action, exitCodes: { operator: "In" as const, values: [code] } },
  });
  await using pod = await host.up(
    tracedPod("ruled", {
      restartPolicy: "Never",
      initContainers: [script("init", note("init"))],
      containers: [
        script("other", `${note("other")}; exec sleep 60`),
        script("main", `${note("main")}; exit $(($(grep -c main /trace/all) + 40))`, {
          restartPolicy: "Never",
          restartPolicyRules: [rule("Restart", 41), rule("RestartAllContainers", 42)],
        }),
      ],
    }),
  );
  const said = await eventually(
    () => traceOf(host, pod),
    (lines) => lines.filter((line) => line === "main").length === 3,
  );
  expect(said.filter((line) => line === "main")).toHaveLength(3);
  expect(said.filter((line) => line === "init")).toHaveLength(2);
  expect(said.lastIndexOf("init")).toBeLessThan(said.lastIndexOf("other"));
  const { containers, restartingAll } = await eventually(
    () => journalOf(host, pod),
    (journal) => journal.containers["main"]?.termination?.exitCode === 43,
  );
  expect(restartingAll).toBeUndefined();
  expect(containers["other"]?.lastTermination).toMatchObject({
    ...{ exitCode: 137, reason: "RestartingAllContainers" },
  });
});

kernelTest("what a liveness probe has killed runs again", async () => {
  await using host = await openTestHost({ timeScale: 0.02 });
  const livenessProbe = {
    ...{ exec: { command: ["test", "-e", "/alive"] }, periodSeconds: 1 },
    ...{ failureThreshold: 2, timeoutSeconds: 100, terminationGracePeriodSeconds: 5 },
  };
  await using pod = await host.up(
    tracedPod("lively", {
      containers: [
        script("main", `echo > /alive; ${note("main")}; sleep 0.3; rm /alive; exec sleep 60`, {
          livenessProbe,
        }),
      ],
    }),
  );
  const said = await eventually(
    () => traceOf(host, pod),
    (lines) => lines.length >= 2,
  );
  expect(said.slice(0, 2)).toEqual(["main", "main"]);
  const { containers, events } = journalOf(host, pod);
  expect(containers["main"]?.lastTermination).toMatchObject({ exitCode: 137, reason: "Error" });
  const texts = events.map(({ reason, message }) => `${reason}: ${message}`);
  expect(texts).toContain("Killing: Container main failed liveness probe, will be restarted");
});

kernelTest("a container that stays away for long enough starts its back-off anew", async () => {
  await using host = await openTestHost({ timeScale: 0.0005 });
  const text = `${note("main")}; test $(grep -c main /trace/all) -lt 3 || sleep 0.5; exit 1`;
  await using pod = await host.up(tracedPod("recovering", { containers: [script("main", text)] }));
  const life = await eventually(
    () => journalOf(host, pod).containers["main"],
    (main) => main?.attempt === 3,
  );
  // The third ran for sixteen minutes by the rules.
  expect(life?.backOff?.delayMs).toBe(10_000);
});

kernelTest("a pod past its deadline fails, and nothing of it runs any more", async () => {
  await using host = await openTestHost({ timeScale: 0.1 });
  await using pod = await host.up(
    tracedPod("late", { activeDeadlineSeconds: 3, containers: [sleeper("main")] }),
  );
  expect(await pod.finished).toMatchObject({
    phase: "Failed",
    reason: "DeadlineExceeded",
    message: "Pod was active on the node longer than the specified deadline",
  });
  expect((await pod.container("main").state()).phase).toBe("terminated");
});
