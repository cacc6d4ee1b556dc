// Keepers that are ready before there is a pod for them.

import { afterAll, beforeAll, expect } from "bun:test";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import type { TestHost } from "../support/host.ts";
import { answersOf, eventually, hostMissing, openTestHost, podOf } from "../support/host.ts";
import { readPodManifest } from "../../src/read/pod-manifest/read.ts";
import { testOrSkip } from "../support/must-run.ts";

const kernelTest = testOrSkip(hostMissing === undefined, hostMissing ?? "");
const starter = resolve(import.meta.dir, "../support/starter.ts");

let host: TestHost;
beforeAll(async () => {
  if (hostMissing === undefined) host = await openTestHost();
});
afterAll(() => host?.[Symbol.asyncDispose]());

const sleeper = (name: string, spec = {}) => podOf(host, name, { main: ["pause"] }, spec);

/** Uids of the groups that hold a keeper. */
function keepers(): string[] {
  const parent = join(host.cgroupRoot, "keepers");
  return readdirSync(parent, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && pidOf(entry.name) !== undefined)
    .map(({ name }) => name)
    .sort();
}

function pidOf(uid: string): number | undefined {
  try {
    const procs = readFileSync(join(host.cgroupRoot, "keepers", uid, "cgroup.procs"), "utf8");
    return procs === "" ? undefined : Number.parseInt(procs);
  } catch {
    return undefined; // Gone since it was listed.
  }
}

const untilKeepers = (count: number) => eventually(keepers, ({ length }) => length === count);

/** Filled in the background: what a start finds there was ready before. */
async function openWithPool(size: number) {
  const pods = host.another({ pool: { size } });
  const ready = await untilKeepers(size);
  expect(ready.length).toBe(size);
  await Bun.sleep(50); // The last one has a pid before it has said that it is up.
  return { pods, ready };
}

kernelTest("a pod takes a keeper that is ready, and another takes its place", async () => {
  const { pods, ready } = await openWithPool(2);
  await using _ = pods;
  const pod = await pods.up(readPodManifest(sleeper("first")), {});
  expect(ready).toContain(pod.uid);
  expect((await untilKeepers(3)).length).toBe(3);
  await pod.down({ graceMs: 0 });
  expect((await untilKeepers(2)).length).toBe(2);
});

kernelTest("its namespaces are its own, with loopback up and its own host name", async () => {
  const { pods, ready } = await openWithPool(1);
  await using _ = pods;
  const manifest = podOf(host, "named", { host: ["host"], links: ["links"], net: ["ns"] });
  const pod = await pods.up(readPodManifest(manifest), {});
  expect(ready).toEqual([pod.uid]);
  const answers = await answersOf(pod);
  await pod.down({ graceMs: 0 });
  const ordinary = await host.answers(manifest);
  expect(answers.host).toEqual(ordinary.host);
  expect(JSON.stringify(answers.links)).toContain('"lo"');
  expect(answers.links).toEqual(ordinary.links);
  const { net } = answers.net?.["ns"] as { net: number }; // What the probe said.
  expect(net).toBeGreaterThan(0);
  expect(net).not.toBe(statSync("/proc/self/ns/net").ino);
});

kernelTest("a pod that shares the host's network or has a user namespace takes none", async () => {
  const { pods, ready } = await openWithPool(1);
  await using _ = pods;
  const pod = await pods.up(readPodManifest(sleeper("on-host", { hostNetwork: true })), {});
  expect(ready).not.toContain(pod.uid);
  expect(keepers()).toContain(ready[0] ?? "");
  await pod.down({ graceMs: 0 });
});

kernelTest("a keeper that died while it waited is passed over", async () => {
  const { pods, ready } = await openWithPool(2);
  await using _ = pods;
  process.kill(pidOf(ready[0] ?? "") ?? 0, "SIGKILL");
  process.kill(pidOf(ready[1] ?? "") ?? 0, "SIGKILL");
  await eventually(keepers, ({ length }) => length === 0);
  await Bun.sleep(20); // Until its end has been heard of.
  const pod = await pods.up(readPodManifest(sleeper("survivor")), {});
  expect(ready).not.toContain(pod.uid);
  await pod.down({ graceMs: 0 });
});

kernelTest("nothing of the pool outlives who opened it, however that ends", async () => {
  await (await openWithPool(3)).pods[Symbol.asyncDispose]();
  expect(keepers()).toEqual([]);
  const wish = JSON.stringify({
    open: { ...host.places, pool: { size: 2 } },
    manifest: sleeper("killed"),
    options: {},
  });
  const child = Bun.spawn([process.execPath, starter, wish], { stdout: "pipe" });
  expect((await untilKeepers(3)).length).toBe(3);
  child.kill("SIGKILL");
  await child.exited;
  expect((await untilKeepers(0)).length).toBe(0);
  await using another = host.another();
  for (const { uid } of await another.list()) await another.down(uid, { graceMs: 0 });
  // Groups without a keeper are removed by a later start, once they are old enough.
  for (const uid of readdirSync(join(host.cgroupRoot, "keepers"), { withFileTypes: true })) {
    if (uid.isDirectory()) Bun.spawnSync(["rmdir", join(host.cgroupRoot, "keepers", uid.name)]);
  }
});
