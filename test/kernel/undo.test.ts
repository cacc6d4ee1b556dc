// A launch that fails at any operation leaves nothing: every operation of every plan fails once.

import { expect } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PodError } from "../../src/errors/pod-error.ts";
import type { PodManifest } from "../../src/read/pod-manifest/read.ts";
import { readPodManifest } from "../../src/read/pod-manifest/read.ts";
import type { TestHost } from "../support/host.ts";
import { hostMissing, openTestHost, podOf } from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";

const kernelTest = testOrSkip(hostMissing === undefined, hostMissing ?? "");
const timeoutMs = 60_000;

/** Plans count as `failAt` does: the sandbox is 0, containers follow, and pause is -1. */
interface Failure {
  readonly plan: number;
  readonly operation: number;
  readonly operations: number;
}

/** Every operation of every plan of a pod, in order. */
async function everyFailure(host: TestHost, manifest: PodManifest): Promise<Failure[]> {
  const text = await host.pods.plan(readPodManifest(manifest));
  const heads = [...text.matchAll(/^(.+): \w+ plan, (\d+) operations/gm)];
  let next = 0;
  return heads.flatMap(([, subject = "", count = ""]) => {
    const plan = subject.startsWith("the pause") ? -1 : next++;
    const operations = Number(count);
    return Array.from({ length: operations }, (_, operation) => ({ plan, operation, operations }));
  });
}

async function failingUp(host: TestHost, manifest: PodManifest, failAt: Failure) {
  try {
    const pod = await host.up(manifest, { failAt });
    await pod.down({ graceMs: 0 });
    return "the pod came up";
  } catch (error) {
    return error instanceof PodError ? `${error.code} ${error.step}` : String(error);
  }
}

/** One line for each operation that did not fail as it should, or left something. */
async function walk(host: TestHost, manifest: PodManifest): Promise<string[]> {
  const wrong: string[] = [];
  for (const failure of await everyFailure(host, manifest)) {
    const { plan, operation, operations } = failure;
    const said = await failingUp(host, manifest, failure);
    const place = `plan ${plan}, operation ${operation + 1} of ${operations}`;
    const expected = new RegExp(
      `^[a-z.-]+ ${operation + 1} of ${operations}, \\w+: \\w+: injected failed with EIO `,
    );
    if (!expected.test(said)) wrong.push(`${place}: ${said}`);
    wrong.push(...host.leaks().map((leak) => `${place} left ${leak}`));
  }
  return wrong;
}

kernelTest(
  "a plain pod of two containers",
  async () => {
    await using host = await openTestHost();
    const manifest = podOf(host, "plain", { first: ["pause"], second: ["pause"] });
    expect((await everyFailure(host, manifest)).length).toBeGreaterThan(80);
    expect(await walk(host, manifest)).toEqual([]);
  },
  timeoutMs,
);

function withVolumes(host: TestHost, name: string, spec: object): PodManifest {
  const source = join(host.rootfs, "source");
  mkdirSync(join(source, "inner"), { recursive: true });
  writeFileSync(join(source, "file"), "content");
  // A claim outlives pods, and so the starts that fail.
  mkdirSync(join(host.places.root, "volumes", "default_data"), { recursive: true });
  host.before = host.snapshot();
  const podName = { path: "deep/name", fieldRef: { fieldPath: "metadata.name" } };
  return podOf(
    host,
    name,
    { only: ["pause"] },
    {
      securityContext: { fsGroup: 2000 },
      ...spec,
      volumes: [
        { name: "files", downwardAPI: { items: [podName] } },
        { name: "claim", persistentVolumeClaim: { claimName: "data" } },
        { name: "disk", emptyDir: {} },
        { name: "memory", emptyDir: { medium: "Memory", sizeLimit: "1Mi" } },
        { name: "host", hostPath: { path: source, type: "Directory" } },
      ],
    },
    {
      volumeMounts: [
        { name: "disk", mountPath: "/disk", subPath: "a/b" },
        { name: "memory", mountPath: "/memory", subPath: "part" },
        { name: "files", mountPath: "/files" },
        { name: "files", mountPath: "/name", subPath: "deep/name" },
        { name: "claim", mountPath: "/claim" },
        { name: "host", mountPath: "/host", readOnly: true },
        { name: "host", mountPath: "/file", subPath: "file" },
      ],
      tty: true,
    },
  );
}

kernelTest(
  "a pod with every kind of volume, and a terminal",
  async () => {
    await using host = await openTestHost();
    expect(await walk(host, withVolumes(host, "volumes", {}))).toEqual([]);
  },
  timeoutMs,
);

kernelTest(
  "a pod with a shared PID namespace",
  async () => {
    await using host = await openTestHost();
    const spec = { shareProcessNamespace: true };
    const manifest = podOf(host, "shared", { first: ["pause"], second: ["pause"] }, spec);
    expect(await walk(host, manifest)).toEqual([]);
  },
  timeoutMs,
);

kernelTest(
  "a pod in the machine's namespaces",
  async () => {
    await using host = await openTestHost();
    const spec = { hostNetwork: true, hostIPC: true, hostPID: true };
    expect(await walk(host, podOf(host, "host", { only: ["pause"] }, spec))).toEqual([]);
  },
  timeoutMs,
);

kernelTest(
  "a pod with a user namespace, volumes and a shared PID namespace",
  async () => {
    await using host = await openTestHost();
    const spec = { hostUsers: false, shareProcessNamespace: true };
    expect(await walk(host, withVolumes(host, "user", spec))).toEqual([]);
  },
  timeoutMs,
);

kernelTest("the comparison sees what a pod that is up holds", async () => {
  await using host = await openTestHost();
  await using _ = await host.up(podOf(host, "there", { only: ["pause"] }));
  const kinds = new Set(host.leaks().map((leak) => leak.slice(0, leak.indexOf(":"))));
  // Its mounts are attached nowhere on the host: that is the point of them.
  expect([...kinds]).toEqual(["processes", "namespaces", "cgroups", "files", "descriptors"]);
});
