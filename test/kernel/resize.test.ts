// Amounts of a pod in its control groups: at its start, and changed while it runs.

import { afterAll, beforeAll, describe, expect } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { findCgroupMount, hugePageSizes } from "../../src/native/host.ts";
import { askOwner } from "../../src/pod/asking.ts";
import type { RunningPod } from "../../src/pod/running-pod.ts";
import { applyResize, prepareResize } from "../../src/pod/resize.ts";
import { readPodState } from "../../src/pod/read-state.ts";
import type { ResizeWish } from "../../src/pod/shapes.ts";
import { readPodManifest } from "../../src/read/pod-manifest/read.ts";
import type { PodManifest } from "../../src/read/pod-manifest/read.ts";
import type { TestHost } from "../support/host.ts";
import { hostMissing, logOf, openTestHost } from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";
import { probeAnswers } from "../support/probe.ts";
import {
  errorOf,
  hasControllers,
  noControllers,
  podOf,
  probe,
  until,
  up,
} from "../support/pods.ts";

const limitTest = testOrSkip(
  hostMissing === undefined && hasControllers,
  hostMissing ?? noControllers,
);
/** In the virtual machine alone: the host's large pages are not a test's to set aside. */
const hasPages = process.env["PEAPOD_TEST_IN_VM"] === "1" && hasController("hugetlb");
const pageTest = testOrSkip(hasPages, "needs a machine of its own with the hugetlb controller");
const plainTest = testOrSkip(hostMissing === undefined, hostMissing ?? "");

function hasController(name: string): boolean {
  return findCgroupMount()?.controllers.includes(name) ?? false;
}

let host: TestHost;

beforeAll(async () => {
  if (hostMissing === undefined) host = await openTestHost();
});

afterAll(() => host?.[Symbol.asyncDispose]());

const Mi = 1024 * 1024;
const read = (path: string): string => readFileSync(path, "utf8").trim();
const files = ["cpu.weight", "cpu.max", "memory.max"] as const;
const amounts = (group: string) => files.map((file) => read(`${group}/${file}`));

async function groupsOf(pod: RunningPod) {
  const { cgroup } = await pod.container("main").state();
  return { own: cgroup, pod: cgroup.slice(0, cgroup.lastIndexOf("/")) };
}

const resources = {
  requests: { cpu: "100m", memory: "32Mi" },
  limits: { cpu: "500m", memory: "256Mi" },
};

/** A running pod, and how it is resized. */
async function start(words: readonly string[]) {
  const manifest: PodManifest = podOf([probe(host, words, { resources })]);
  const pod = (await host.up(manifest)) as RunningPod;
  const resize = async (more: Partial<ResizeWish>) => {
    const state = readPodState(pod.directory);
    const spec = readPodManifest(state.manifest as unknown as PodManifest);
    const wishes = [{ container: "main", requests: {}, limits: {}, ...more }];
    const facts = host.pods.facts();
    const planned = prepareResize(spec, state, wishes, facts);
    await applyResize(await pod.client(), pod.directory, state, planned, facts);
  };
  return { pod, resize };
}

describe("a resize", () => {
  limitTest(
    "changes the groups of the container and of its pod, and what is read of it",
    async () => {
      const { pod, resize } = await start(["pause"]);
      await using _ = pod;
      const groups = await groupsOf(pod);
      const before = ["17", "50000 100000", String(256 * Mi)];
      expect([amounts(groups.own), amounts(groups.pod)]).toEqual([before, before]);
      const { pid } = await pod.container("main").state();
      await resize({
        requests: { cpuMilli: 250 },
        limits: { cpuMilli: 1000, memoryBytes: 128 * Mi },
      });
      const after = ["35", "100000 100000", String(128 * Mi)];
      expect([amounts(groups.own), amounts(groups.pod)]).toEqual([after, after]);
      expect((await pod.container("main").state()).pid).toBe(pid);
      const state = readPodState(pod.directory);
      expect(state.cpuRequestMilli).toBe(250);
      const [container] = (state.manifest["spec"] as { containers: unknown[] }).containers;
      expect((container as { resources: unknown }).resources).toEqual({
        requests: { cpu: "250m", memory: "32Mi" },
        limits: { cpu: "1", memory: "128Mi" },
      });
    },
  );

  limitTest(
    "that would leave less memory than is used is refused, and changes nothing",
    async () => {
      const { pod, resize } = await start(["eat-memory", String(64 * Mi), "say", "eaten", "pause"]);
      await using _ = pod;
      const groups = await groupsOf(pod);
      await until(() => Number(read(`${groups.own}/memory.current`)) > 64 * Mi, 20_000);
      const before = amounts(groups.own);
      const error = await errorOf(resize({ limits: { memoryBytes: 48 * Mi, cpuMilli: 1000 } }));
      expect(error.code).toBe("pod.resize-refused");
      expect(error.message).toMatch(
        /^the pod uses \d+ bytes of memory, more than the 50331648 that/,
      );
      expect(amounts(groups.own)).toEqual(before);
      expect((await pod.container("main").state()).phase).toBe("running");
    },
  );

  plainTest("without controllers changes what is read of the pod alone", async () => {
    if (hasControllers) return;
    const container = probe(host, ["pause"], { resources: { requests: { cpu: "100m" } } });
    await using pod = (await up(host, [container])) as RunningPod;
    const state = readPodState(pod.directory);
    const spec = readPodManifest(state.manifest as unknown as PodManifest);
    const wishes = [{ container: "main", requests: { cpuMilli: 200 }, limits: {} }];
    const facts = host.pods.facts();
    const planned = prepareResize(spec, state, wishes, facts);
    await applyResize(await pod.client(), pod.directory, state, planned, facts);
    expect(readPodState(pod.directory).cpuRequestMilli).toBe(200);
  });
});

plainTest("a container whose resizePolicy wants it runs again, with its new amounts", async () => {
  const cpu = { resource: "requests.cpu", divisor: "1m" };
  const container = probe(host, ["env", "pause"], {
    env: [{ name: "CPU", valueFrom: { resourceFieldRef: cpu } }],
    resources: { requests: { cpu: "100m" } },
    resizePolicy: [{ resourceName: "cpu", restartPolicy: "RestartContainer" }],
  });
  const other = probe(host, ["pause"], { name: "other", resources: { requests: { cpu: "1" } } });
  await using pod = (await up(host, [container, other])) as RunningPod;
  await until(async () => (await logOf(pod, "main")).includes("CPU=100"));
  const before = (await pod.container("other").state()).pid;
  const wishes = ["main", "other"].map((name) => {
    return { container: name, requests: { cpuMilli: 200 }, limits: {} };
  });
  await askOwner(pod, { ask: "resize", wishes });
  await until(async () => (await logOf(pod, "main")).includes("CPU=200"), 10_000);
  expect((await pod.container("main").state()).logPath).toEndWith("/1.log");
  expect((await pod.container("other").state()).pid).toBe(before);
  const state = readPodState(pod.directory);
  expect(state.cpuRequestMilli).toBe(400);
  const { containers } = state.manifest["spec"] as { containers: { resources: unknown }[] };
  expect(containers.map(({ resources: now }) => now)).toEqual([
    { requests: { cpu: "200m" } },
    { requests: { cpu: "200m" } },
  ]);
});

describe("at the start", () => {
  limitTest("the pod's own limits bound containers that have none", async () => {
    const spec = { resources: { limits: { cpu: "1", memory: "128Mi" } } };
    await using pod = (await up(host, [probe(host, ["pause"])], spec)) as RunningPod;
    const groups = await groupsOf(pod);
    const values = ["100", "100000 100000", String(128 * Mi)];
    expect([amounts(groups.pod), amounts(groups.own)]).toEqual([values, values]);
    expect(groups.pod).not.toContain("burstable");
  });

  limitTest(
    "a sidecar's needs add to the pod's, an init container's count while it runs",
    async () => {
      const own = { requests: { cpu: "100m" }, limits: { cpu: "200m", memory: "64Mi" } };
      const large = { requests: { cpu: "300m" }, limits: { cpu: "400m", memory: "96Mi" } };
      const init = probe(host, ["exit", "0"], { name: "init", resources: large });
      const side = { ...probe(host, ["pause"], { name: "side", resources: own }) };
      const initContainers = [{ ...side, restartPolicy: "Always" as const }, init];
      const main = probe(host, ["pause"], { resources: own });
      await using pod = (await up(host, [main], { initContainers })) as RunningPod;
      const groups = await groupsOf(pod);
      // The init container beside the sidecar: 400m; its limit 600m; memory 96 + 64.
      expect(amounts(groups.pod)).toEqual(["49", "60000 100000", String(160 * Mi)]);
      expect(amounts(groups.own)).toEqual(["17", "20000 100000", String(64 * Mi)]);
      expect(read(`${groups.own}/memory.oom.group`)).toBe("1");
    },
  );

  pageTest("large pages bound the container that asks for them, and make volumes", async () => {
    writeFileSync("/proc/sys/vm/nr_hugepages", "4");
    const asked = { "hugepages-2Mi": "4Mi", memory: "64Mi" };
    const container = probe(host, ["statfs", "/pages", "pause"], {
      resources: { limits: asked },
      volumeMounts: [{ name: "pages", mountPath: "/pages" }],
    });
    const volumes = [{ name: "pages", emptyDir: { medium: "HugePages-2Mi" as const } }];
    await using pod = (await up(host, [container], { volumes })) as RunningPod;
    const groups = await groupsOf(pod);
    for (const group of [groups.own, groups.pod]) {
      expect(read(`${group}/hugetlb.2MB.max`)).toBe(String(4 * Mi));
    }
    await until(async () => (await logOf(pod, "main")).includes("statfs /pages"));
    const magic = 0x958458f6;
    expect(probeAnswers(await logOf(pod, "main"))["statfs /pages"]).toMatchObject({ type: magic });
  });

  limitTest("nobody gets large pages that it has not asked for", async () => {
    await using pod = (await up(host, [probe(host, ["pause"])])) as RunningPod;
    const groups = await groupsOf(pod);
    const files = hugePageSizes().map((size) => `${groups.pod}/hugetlb.${size}.max`);
    const there = files.filter((file) => existsSync(file));
    expect(there.map(read)).toEqual(there.map(() => "0"));
  });
});
