// Limits that bite, where the host has the cgroup v2 controllers; and what is said where it lacks
// them.

import { afterAll, beforeAll, describe, expect } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import type { Pod } from "../../src/index.ts";
import { printError } from "../../src/index.ts";
import type { TestHost } from "../support/host.ts";
import { hostMissing, logOf, openTestHost } from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";
import type { ContainerInput } from "../support/pods.ts";
import {
  errorOf,
  hasControllers,
  noControllers,
  podOf,
  probe,
  textOf,
  until,
  up,
} from "../support/pods.ts";
import { probeAnswers } from "../support/probe.ts";

const test = testOrSkip(hostMissing === undefined, hostMissing ?? "");
const limitTest = testOrSkip(
  hostMissing === undefined && hasControllers,
  hostMissing ?? noControllers,
);
const withoutTest = testOrSkip(
  hostMissing === undefined && !hasControllers,
  hostMissing ?? "needs a host without the cgroup v2 controllers",
);

let host: TestHost;

beforeAll(async () => {
  if (hostMissing === undefined) host = await openTestHost();
});

afterAll(() => host?.[Symbol.asyncDispose]());

type Resources = NonNullable<ContainerInput["resources"]>;

const limited = (words: readonly string[], resources: Resources) =>
  probe(host, words, { resources });

async function groupOf(pod: Pod, name = "main"): Promise<string> {
  return (await pod.container(name).state()).cgroup;
}

const read = (path: string): string => readFileSync(path, "utf8").trim();

const valuesOf = (group: string, files: readonly string[]) =>
  Object.fromEntries(files.map((file) => [file, read(`${group}/${file}`)]));

describe("memory", () => {
  const greedy = ["signal", "eat-memory", String(256 << 20)];

  limitTest("a container over its limit is killed whole, and its status says why", async () => {
    const words = ["spawn", "60000", "eat-memory", String(256 << 20), "pause"];
    await using pod = await up(host, [limited(words, { limits: { memory: "32Mi" } })]);
    const exit = await pod.container("main").exited;
    expect(exit).toMatchObject({ exitCode: 137, signal: "SIGKILL", oomKilled: true });
    expect(exit.memoryPeakBytes).toBeWithin(30 << 20, (32 << 20) + 1);
    const { status } = (await pod.object()) as { status: { containerStatuses: unknown[] } };
    expect(status.containerStatuses[0]).toMatchObject({
      state: { terminated: { exitCode: 137, reason: "OOMKilled" } },
    });
  });

  limitTest("so is a command in it, and the container goes too", async () => {
    await using pod = await up(host, [limited(["pause"], { limits: { memory: "32Mi" } })]);
    const result = await pod.exec(["/probe", ...greedy.slice(1)]).result;
    expect(result).toMatchObject({ exitCode: 137, signal: "SIGKILL" });
    expect((await pod.container("main").exited).oomKilled).toBe(true);
  });

  limitTest("its neighbour lives on", async () => {
    const neighbour = probe(host, ["pause"], { name: "neighbour" });
    const main = limited(greedy.slice(1), { limits: { memory: "32Mi" } });
    await using pod = await up(host, [main, neighbour]);
    await pod.container("main").exited;
    expect((await pod.container("neighbour").state()).phase).toBe("running");
  });
});

describe("cpu and processes", () => {
  limitTest("a container over its share of a CPU is throttled", async () => {
    const words = ["burn-cpu", "100", "pause"];
    await using pod = await up(host, [limited(words, { limits: { cpu: "200m" } })]);
    await until(async () => (await logOf(pod, "main")).includes("wallUs"), 20_000);
    const answer = probeAnswers(await logOf(pod, "main"))["burn-cpu 100"] as { wallUs: number };
    expect(answer.wallUs).toBeGreaterThan(300_000);
    const stat = read(`${await groupOf(pod)}/cpu.stat`);
    expect(Number(/^nr_throttled (\d+)$/m.exec(stat)?.[1])).toBeGreaterThan(0);
  });

  limitTest("a fork bomb ends at the pod's bound", async () => {
    await using peapod = host.another({ podPidsMax: 40 });
    const { readPodManifest } = await import("../../src/index.ts");
    const manifest = podOf([probe(host, ["fork-bomb", "500", "pause"])]);
    await using pod = await peapod.up(readPodManifest(manifest), {});
    await until(async () => (await logOf(pod, "main")).includes("forked"));
    const answer = probeAnswers(await logOf(pod, "main"))["fork-bomb 500"];
    expect(answer).toEqual({ forked: 39, error: "EAGAIN" });
    const [stats] = await pod.stats();
    expect(stats?.pids).toBe(40);
  });
});

describe("values", () => {
  const files = ["cpu.max", "cpu.weight", "memory.max", "memory.oom.group", "pids.max"] as const;

  limitTest("of a Burstable pod, by the formulas", async () => {
    const one = limited(["pause"], {
      requests: { cpu: "250m", memory: "16Mi" },
      limits: { cpu: "500m", memory: "64Mi" },
    });
    const two = { ...limited(["pause"], { requests: { cpu: "1" } }), name: "two" };
    await using pod = await up(host, [one, two]);
    const group = await groupOf(pod);
    expect(valuesOf(group, files)).toEqual({
      "cpu.max": "50000 100000",
      "cpu.weight": "35",
      "memory.max": String(64 << 20),
      "memory.oom.group": "1",
      "pids.max": "max",
    });
    expect(valuesOf(await groupOf(pod, "two"), files)).toMatchObject({
      "cpu.max": "max 100000",
      "cpu.weight": "100",
      "memory.max": "max",
    });
    // One container without limits is one too many for the pod to have any.
    expect(group).toContain("/burstable/pod");
    expect(valuesOf(`${group}/..`, files)).toEqual({
      "cpu.max": "max 100000",
      "cpu.weight": "120",
      "memory.max": "max",
      "memory.oom.group": "0",
      "pids.max": "4096",
    });
  });

  limitTest("of a Guaranteed pod, which stands beside the QoS groups", async () => {
    const limits = { cpu: "500m", memory: "64Mi" };
    const containers = ["one", "two"].map((name) => ({ ...limited(["pause"], { limits }), name }));
    await using pod = await up(host, containers);
    const group = await groupOf(pod, "one");
    expect(group.slice(host.cgroupRoot.length)).toBe(`/pod${pod.uid}/one`);
    expect(valuesOf(`${group}/..`, files)).toMatchObject({
      "cpu.max": "100000 100000",
      "memory.max": String(128 << 20),
    });
  });

  limitTest("are what stats measure against", async () => {
    const words = ["eat-memory", String(8 << 20), "pause"];
    await using pod = await up(host, [limited(words, { limits: { memory: "64Mi" } })]);
    await until(async () => (await logOf(pod, "main")).includes("answer"));
    const [stats] = await pod.stats();
    expect(stats?.memoryBytes).toBeWithin(8 << 20, 64 << 20);
    expect(stats?.memoryPeakBytes).toBeGreaterThanOrEqual(stats?.memoryBytes ?? Infinity);
    expect(stats?.pids).toBe(1);
  });
});

test("a pod that somebody froze can be thawed, and ended while frozen", async () => {
  await using pod = await up(host, [probe(host, ["tick", "0", "10"])]);
  const group = `${await groupOf(pod)}/..`;
  const freeze = async (state: "0" | "1") => {
    writeFileSync(`${group}/cgroup.freeze`, state);
    await until(() => read(`${group}/cgroup.events`).includes(`frozen ${state}`));
  };
  await freeze("1");
  await Bun.sleep(60); // What it had written before is on its way to the log.
  const before = (await logOf(pod, "main")).length;
  await Bun.sleep(60);
  expect((await logOf(pod, "main")).length).toBe(before);
  await freeze("0");
  await until(async () => (await logOf(pod, "main")).length > before);
  await freeze("1");
  await pod.down({ graceMs: 50 });
});

describe("without the controllers", () => {
  const wish = { limits: { cpu: "500m", memory: "64Mi" } };

  withoutTest("a limit is refused by the controller's name, and by the field", async () => {
    const error = await errorOf(up(host, [limited(["pause"], wish)]));
    expect(printError(error)).toBe(`\
error[cgroup.controller-missing] this host has no cpu controller for the limit of container main
  from   spec.containers[0].resources.limits.cpu
  hint   enable the controller, remove the limit, or go without: --missing-controllers=warn
error[cgroup.controller-missing] this host has no memory controller for the limit of container main
  from   spec.containers[0].resources.limits.memory
  hint   enable the controller, remove the limit, or go without: --missing-controllers=warn`);
  });

  withoutTest(
    "with missingControllers: warn the pod runs, and what is missing is said",
    async () => {
      const warnings: string[] = [];
      await using peapod = host.another({
        missingControllers: "warn",
        onWarning: (message) => void warnings.push(message),
      });
      const { readPodManifest } = await import("../../src/index.ts");
      const spec = readPodManifest(podOf([limited(["pause"], wish)]));
      await using pod = await peapod.up(spec, {});
      const { stdout } = await pod.exec(["/probe", "say", "hello"]).result;
      expect(textOf(stdout)).toBe("hello\n");
      expect(warnings.slice(0, 2)).toEqual([
        "this host has no cpu controller for the limit of container main; it is not applied",
        "this host has no memory controller for the limit of container main; it is not applied",
      ]);
    },
  );
});
