// Probes and hooks of real pods: what follows from their answers, and what is said of it.

import { expect } from "bun:test";
import type { Pod } from "../../src/index.ts";
import type { TestHost } from "../support/host.ts";
import { eventually, hostMissing, openTestHost } from "../support/host.ts";
import { note, script, sleeper, tracedPod, traceOf } from "../support/life.ts";
import { testOrSkip } from "../support/must-run.ts";
import { probe } from "../support/pods.ts";

const kernelTest = testOrSkip(hostMissing === undefined, hostMissing ?? "");

/** A second is ten milliseconds; an answer may take its time all the same. */
const quick = { timeScale: 0.01 };
const every = { periodSeconds: 5, timeoutSeconds: 1000 };
const exists = (path: string) => ({ exec: { command: ["test", "-e", path] }, ...every });

interface Status {
  readonly phase: string;
  readonly conditions: readonly {
    readonly type: string;
    readonly status: string;
    readonly reason?: string;
    readonly message?: string;
  }[];
  readonly containerStatuses: readonly Readonly<Record<string, unknown>>[];
}

async function statusOf(pod: Pod): Promise<Status> {
  return (await pod.object())["status"] as Status; // As src/pod/status.ts writes it.
}

const conditionOf = async (pod: Pod, type: string) =>
  (await statusOf(pod)).conditions.find((one) => one.type === type);

async function events(pod: Pod): Promise<string[]> {
  return (await pod.describe()).events.map(
    ({ type, reason, message }) => `${String(type)} ${String(reason)} ${String(message)}`,
  );
}

/** All of them, in this order, perhaps with others in between. */
async function untilEvents(pod: Pod, wanted: readonly string[]): Promise<void> {
  const seen = await eventually(
    () => events(pod),
    (all) => wanted.every((text) => all.includes(text)),
    20_000,
  );
  expect(seen).toEqual(expect.arrayContaining([...wanted]));
}

const open = (
  host: TestHost,
  name: string,
  containers: Parameters<typeof tracedPod>[1]["containers"],
) => host.up(tracedPod(name, { containers }));

kernelTest("a container that fails its liveness probe is killed and started again", async () => {
  await using host = await openTestHost(quick);
  const text = `${note("run")}; touch /trace/alive; sleep 600`;
  await using pod = await open(host, "sick", [
    script("main", text, {
      startupProbe: { ...exists("/trace/alive"), failureThreshold: 1000 },
      livenessProbe: { ...exists("/trace/alive"), failureThreshold: 2 },
    }),
  ]);
  await pod.ready;
  await Bun.file(`${host.places.root}/pods/${pod.uid}/trace.volume/alive`).delete();
  await eventually(
    () => traceOf(host, pod),
    (lines) => lines.length === 2,
    20_000,
  );
  await untilEvents(pod, [
    "Warning Unhealthy Liveness probe failed: exit status 1",
    "Normal Killing Container main failed liveness probe, will be restarted",
    "Normal Started Started container main",
  ]);
  expect((await statusOf(pod)).containerStatuses[0]).toMatchObject({
    ...{ restartCount: 1, state: { running: {} } },
    lastState: { terminated: { exitCode: 137, reason: "Error" } },
  });
});

kernelTest("readiness decides who is Ready, and nobody is restarted for it", async () => {
  await using host = await openTestHost(quick);
  const readinessProbe = { ...exists("/trace/open"), failureThreshold: 1 };
  await using pod = await open(host, "shop", [
    script("main", `${note("run")}; sleep 600`, { readinessProbe }),
    sleeper("other"),
  ]);
  expect(await conditionOf(pod, "Ready")).toMatchObject({
    ...{ status: "False", reason: "ContainersNotReady" },
    message: "containers with unready status: [main]",
  });
  const door = `${host.places.root}/pods/${pod.uid}/trace.volume/open`;
  await Bun.write(door, "");
  await pod.ready;
  expect((await conditionOf(pod, "Ready"))?.status).toBe("True");
  await Bun.file(door).delete();
  await eventually(
    () => conditionOf(pod, "Ready"),
    (condition) => condition?.status === "False",
    20_000,
  );
  await untilEvents(pod, ["Warning Unhealthy Readiness probe failed: exit status 1"]);
  expect(await traceOf(host, pod)).toEqual(["run"]);
});

kernelTest("a startup probe that fails too often ends the container", async () => {
  await using host = await openTestHost(quick);
  await using pod = await open(host, "stuck", [
    script("main", `${note("run")}; sleep 600`, {
      startupProbe: { ...exists("/trace/never"), failureThreshold: 2 },
      livenessProbe: { ...exists("/trace/never"), failureThreshold: 1 },
    }),
  ]);
  await untilEvents(pod, [
    "Warning Unhealthy Startup probe failed: exit status 1",
    "Normal Killing Container main failed startup probe, will be restarted",
  ]);
  expect((await events(pod)).filter((text) => text.includes("Liveness"))).toEqual([]);
});

kernelTest("HTTP and TCP are asked inside the pod's own network, by the port's name", async () => {
  await using host = await openTestHost(quick);
  const serving = { ports: [{ name: "web", containerPort: 8080 }] };
  await using pod = await host.up(
    tracedPod("served", {
      containers: [
        probe(host, ["http-serve", "8080", "204"], {
          ...serving,
          readinessProbe: { httpGet: { port: "web", path: "/" }, ...every },
          livenessProbe: { tcpSocket: { port: "web" }, ...every },
        }),
      ],
    }),
  );
  await pod.ready;
  expect((await statusOf(pod)).containerStatuses[0]).toMatchObject({ ready: true, started: true });
});

kernelTest("an exec probe sees the variables that are written in the manifest", async () => {
  await using host = await openTestHost(quick);
  await using pod = await open(host, "expanded", [
    sleeper("main", {
      env: [
        { name: "PLACE", value: "/trace" },
        { name: "FIELD", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
      ],
      readinessProbe: {
        ...{ exec: { command: ["sh", "-c", 'test "$(PLACE)$(FIELD)" = /trace'] } },
        ...every,
      },
    }),
  ]);
  await pod.ready;
});

kernelTest(
  "a postStart hook that fails costs the container its life, with the reason",
  async () => {
    await using host = await openTestHost(quick);
    await using pod = await open(host, "hooked", [
      script("main", `${note("run")}; sleep 600`, {
        lifecycle: { postStart: { exec: { command: ["sh", "-c", "echo no; exit 4"] } } },
      }),
    ]);
    await untilEvents(pod, ["Warning FailedPostStartHook PostStartHook failed: no\n"]);
    await eventually(
      () => traceOf(host, pod),
      (lines) => lines.length >= 2,
      20_000,
    );
  },
);

kernelTest("a hook that is told off over HTTP has done its work, and it is said", async () => {
  await using host = await openTestHost(quick);
  await using pod = await host.up(
    tracedPod("scolded", {
      containers: [
        probe(host, ["http-serve", "8081", "500"], {
          readinessProbe: { tcpSocket: { port: 8081 }, ...every },
        }),
        sleeper("other", { lifecycle: { postStart: { httpGet: { port: 8081, path: "/" } } } }),
      ],
    }),
  );
  await untilEvents(pod, [
    "Warning HookWarning postStart: HTTP hook was answered with statuscode: 500",
  ]);
  await pod.ready;
});
