// The probes of a container over time: real servers, a real pod, seconds made hundredths.

import { afterAll, beforeAll, describe, expect } from "bun:test";
import type { Pod } from "../../src/index.ts";
import type { KeeperClient } from "../../src/launch/keeper-client.ts";
import { makeClock } from "../../src/pod/life/clock.ts";
import type { ProbeSpecs, Resumed } from "../../src/pod/life/probes/container-probes.ts";
import { ContainerProbes } from "../../src/pod/life/probes/container-probes.ts";
import type { ProbeTarget } from "../../src/pod/life/probes/target.ts";
import type { HandlerSpec, ProbeSpec } from "../../src/spec/life.ts";
import type { TestHost } from "../support/host.ts";
import { hostMissing, logOf, openTestHost } from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";
import { openDescriptors, probe, until, up } from "../support/pods.ts";
import { connectToKeeper, targetOf } from "../support/probe-target.ts";

const test = testOrSkip(hostMissing === undefined, hostMissing ?? "");

let host: TestHost;
let pod: Pod;
let client: KeeperClient;

beforeAll(async () => {
  if (hostMissing !== undefined) return;
  host = await openTestHost();
  pod = await up(host, [probe(host, ["sleep", "600000"])], { hostNetwork: true });
  client = await connectToKeeper(host, pod);
});

afterAll(async () => {
  client?.[Symbol.dispose]();
  await pod?.[Symbol.asyncDispose]();
  await host?.[Symbol.asyncDispose]();
});

/** A server whose answer can be changed, and that knows when it was asked. */
function patient(status = 200) {
  const asked: number[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: () => {
      asked.push(performance.now());
      return new Response("", { status: said.status });
    },
  });
  const said = { status, asked, [Symbol.dispose]: () => void server.stop(true) };
  const handler: HandlerSpec = {
    ...{ field: "", kind: "httpGet", scheme: "HTTP", host: "", path: "/", headers: [] },
    port: server.port ?? 0,
  };
  return Object.assign(said, { handler });
}

const every = (handler: HandlerSpec, more: Partial<ProbeSpec> = {}): ProbeSpec => ({
  ...{ field: "", handler, initialDelayMs: 0, periodMs: 2000, timeoutMs: 200_000 },
  ...{ successThreshold: 1, failureThreshold: 3 },
  ...more,
});

interface Watched extends Disposable {
  readonly probes: ContainerProbes;
  /** What was told, in order. */
  readonly told: string[];
}

function watch(specs: ProbeSpecs, target: Partial<ProbeTarget> = {}, resumed?: Resumed): Watched {
  const told: string[] = [];
  const events = {
    onStarted: () => void told.push("started"),
    onReady: (isReady: boolean) => void told.push(isReady ? "ready" : "not ready"),
    onUnhealthy: (_: string, message: string) => void told.push(message),
    onWarning: (_: string, message: string) => void told.push(message),
    onFailed: (kind: string, _: string, graceMs?: number) =>
      void told.push(`${kind} failed${graceMs === undefined ? "" : ` with a grace of ${graceMs}`}`),
  };
  const probes = new ContainerProbes(specs, events, makeClock(0.01));
  probes.start({ ...targetOf(pod, client), ...target }, resumed);
  return { probes, told, [Symbol.dispose]: () => probes[Symbol.dispose]() };
}

test("without probes a container is started and ready at once", () => {
  using watched = watch({});
  expect(watched.told).toEqual(["started", "ready"]);
});

test("readiness comes and goes with the answers", async () => {
  using server = patient(503);
  using watched = watch({ readinessProbe: every(server.handler) });
  const failed = "Readiness probe failed: HTTP probe failed with statuscode: 503";
  await until(() => watched.told.length >= 2);
  server.status = 200;
  await until(() => watched.told.includes("ready"));
  server.status = 503;
  await until(() => watched.told.includes("not ready"));
  const from = watched.told.indexOf("ready");
  // The third failure in a row takes it away.
  expect(watched.told.slice(from, from + 5)).toEqual([
    "ready",
    failed,
    failed,
    failed,
    "not ready",
  ]);
});

test("liveness that fails is told once, with its own grace, and then nothing is asked", async () => {
  using server = patient(500);
  using watched = watch({ livenessProbe: every(server.handler, { terminationGraceMs: 7000 }) });
  const failed = "Liveness probe failed: HTTP probe failed with statuscode: 500";
  const all = ["started", "ready", failed, failed, failed, "liveness failed with a grace of 7000"];
  await until(() => watched.told.length === all.length);
  await Bun.sleep(100);
  expect(watched.told).toEqual(all);
  expect(server.asked.length).toBe(3);
});

describe("a startup probe", () => {
  test("holds the others up, and is not asked again once it has passed", async () => {
    using startup = patient(503);
    using liveness = patient(500);
    using readiness = patient(200);
    using watched = watch({
      startupProbe: every(startup.handler, { failureThreshold: 1000 }),
      livenessProbe: every(liveness.handler, { failureThreshold: 1000 }),
      readinessProbe: every(readiness.handler),
    });
    await until(() => startup.asked.length >= 3);
    expect([liveness.asked.length, readiness.asked.length]).toEqual([0, 0]);
    startup.status = 200;
    await until(() => liveness.asked.length >= 2 && readiness.asked.length >= 2);
    const asked = startup.asked.length;
    expect(watched.told.indexOf("ready")).toBeGreaterThan(watched.told.indexOf("started"));
    await Bun.sleep(60);
    expect(startup.asked.length).toBe(asked);
  });

  test("that fails too often has the container killed", async () => {
    using server = patient(503);
    using watched = watch({ startupProbe: every(server.handler, { failureThreshold: 2 }) });
    await until(() => watched.told.includes("startup failed"));
    expect(watched.told.includes("started")).toBe(false);
  });
});

test("the first probe waits for its delay, counted from the start of the container", async () => {
  using server = patient();
  const startedMs = Date.now() - 50;
  const beganMs = performance.now();
  using _ = watch(
    { readinessProbe: every(server.handler, { initialDelayMs: 15_000 }) },
    { startedMs },
  );
  await until(() => server.asked.length > 0);
  expect((server.asked[0] ?? 0) - beganMs).toBeWithin(95, 400);
});

test("probes keep their period, however long the answers take", async () => {
  using server = patient();
  using _ = watch({ readinessProbe: every(server.handler, { periodMs: 5000 }) });
  await until(() => server.asked.length >= 9);
  const [second = 0] = server.asked.slice(1);
  // Steady from the second on; the first comes at once.
  expect((server.asked[8] ?? 0) - second).toBeWithin(330, 500);
});

test("a prober that cannot ask has no answer: it tries three times, and nothing counts", async () => {
  let attempts = 0;
  const exec = () => {
    attempts += 1;
    return Promise.reject(new Error("the runtime does not answer"));
  };
  const handler: HandlerSpec = { field: "", kind: "exec", command: ["/probe"] };
  using watched = watch({ livenessProbe: every(handler, { failureThreshold: 1 }) }, { exec });
  await until(() => watched.told.length >= 4);
  expect(watched.told.slice(2, 4)).toEqual([
    "Liveness probe errored and resulted in unknown state: the runtime does not answer",
    "Liveness probe errored and resulted in unknown state: the runtime does not answer",
  ]);
  expect(attempts).toBeGreaterThanOrEqual(6);
});

test("while a pod ends only readiness is asked", async () => {
  using liveness = patient();
  using readiness = patient();
  using watched = watch({
    livenessProbe: every(liveness.handler),
    readinessProbe: every(readiness.handler),
  });
  await until(() => liveness.asked.length >= 2 && readiness.asked.length >= 2);
  watched.probes.stop(["liveness", "startup"]);
  await Bun.sleep(5);
  const before = [liveness.asked.length, readiness.asked.length] as const;
  await until(() => readiness.asked.length >= before[1] + 3);
  expect(liveness.asked.length).toBe(before[0]);
});

test("the next owner goes on where the last one was", async () => {
  using server = patient(500);
  const specs = { livenessProbe: every(server.handler) };
  using first = watch(specs);
  await until(() => server.asked.length === 2 && first.told.length === 4);
  const { memories } = first.probes;
  first.probes[Symbol.dispose]();
  expect(memories).toEqual({ liveness: { result: "failure", run: 2 } });
  using next = watch(specs, {}, { isStarted: true, isReady: true, memories });
  await until(() => next.told.length === 2);
  expect(next.told).toEqual([
    "Liveness probe failed: HTTP probe failed with statuscode: 500",
    "liveness failed",
  ]);
});

test("an owner that takes over a pod that nobody has asked yet asks it at once", async () => {
  using server = patient();
  const readinessProbe = every(server.handler, { periodMs: 6_000_000 });
  const nobody = { isStarted: true, isReady: false, memories: {} };
  using watched = watch({ readinessProbe }, {}, nobody);
  await until(() => watched.told.includes("ready"));
});

test("twenty containers, asked over HTTP and TCP once a second, cost their owner little", async () => {
  const count = 20;
  const ports = Array.from({ length: count }, (_, index) => 9000 + index);
  const servers = ports.map((port) =>
    probe(host, ["http-serve", `${port}`, "200"], { name: port === 9000 ? "main" : `c${port}` }),
  );
  await using crowd = await up(host, servers);
  using keeper = await connectToKeeper(host, crowd);
  await until(async () => {
    const logs = await Promise.all(crowd.containers.map(({ name }) => logOf(crowd, name)));
    return logs.every((log) => log.includes("listening"));
  });
  const descriptors = openDescriptors();
  const told: string[] = [];
  const tell = (message: string) => void told.push(message);
  const crowdProbes = ports.map((port) => {
    const common = { host: "", port, field: "" } as const;
    const http = { kind: "httpGet", scheme: "HTTP", path: "/", headers: [], ...common } as const;
    const second = { periodMs: 1000, timeoutMs: 1000 };
    const probes = new ContainerProbes(
      {
        livenessProbe: every({ kind: "tcpSocket", ...common }, second),
        readinessProbe: every(http, second),
      },
      {
        ...{ onStarted() {}, onFailed: tell },
        ...{ onReady: (isReady) => tell(isReady ? "ready" : "not ready") },
        ...{ onUnhealthy: (_, message) => tell(message), onWarning: (_, message) => tell(message) },
      },
      makeClock(1),
    );
    probes.start(targetOf(crowd, keeper));
    return probes;
  });
  await Bun.sleep(1000);
  const [before, startMs] = [process.cpuUsage(), performance.now()];
  await Bun.sleep(2500);
  const { user, system } = process.cpuUsage(before);
  const share = (user + system) / 1000 / (performance.now() - startMs);
  for (const probes of crowdProbes) probes[Symbol.dispose]();
  expect(told).toEqual(Array<string>(count).fill("ready"));
  // 0.018 in a process that does nothing else; this one has just begun, and has company.
  expect(share).toBeLessThan(0.08);
  await until(() => openDescriptors() <= descriptors);
});
