// The end of a pod: when `down` resolves, nothing of it is left, whatever its containers made.

import { afterAll, beforeAll, expect } from "bun:test";
import { existsSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Pod } from "../../src/index.ts";
import { startKeeper } from "../../src/launch/launch.ts";
import { reapWhenEnded } from "../../src/native/process-end.ts";
import type { TestHost } from "../support/host.ts";
import { hostMissing, openTestHost } from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";
import { openDescriptors, probe, until, up } from "../support/pods.ts";

const test = testOrSkip(hostMissing === undefined, hostMissing ?? "");

let host: TestHost;

beforeAll(async () => {
  if (hostMissing === undefined) host = await openTestHost();
});

afterAll(() => host?.[Symbol.asyncDispose]());

const upperOf = (pod: Pod) => join(host.places.root, "pods", pod.uid, "main.upper");

/** One path cannot name it: the directories that are there already move into a new one. */
function makeDeep(parent: string, levels: number): void {
  const [top, next] = [join(parent, "d"), join(parent, "next")];
  mkdirSync(top);
  for (let level = 0; level < levels; level++) {
    mkdirSync(next);
    writeFileSync(join(next, "file"), "");
    renameSync(top, join(next, "d"));
    renameSync(next, top);
  }
}

test("what a container made is gone, however much and however deep it is", async () => {
  const pod = await up(host, [probe(host, ["pause"])]);
  const upper = upperOf(pod);
  makeDeep(upper, 3000);
  // Names that the removal might want for itself.
  for (const name of ["1", "2", "3"]) mkdirSync(join(upper, name, "x"), { recursive: true });
  mkdirSync(join(upper, "many"));
  for (let index = 0; index < 3000; index++) writeFileSync(join(upper, "many", `${index}`), "");
  symlinkSync(host.rootfs, join(upper, "many", "link"));
  await pod.down({ graceMs: 0 });
  expect(host.leaks()).toEqual([]);
  expect(existsSync(join(host.rootfs, "probe"))).toBe(true);
});

test("so is what it makes while it is killed", async () => {
  const script = "while :; do for n in 1 2 3 4; do mkdir -p /x$n/y; echo > /x$n/y/z; done; done";
  for (let round = 0; round < 10; round++) {
    const writers = ["a", "b", "c"].map((name) => ({
      name,
      image: "host",
      command: ["/bin/sh", "-c", `(${script}) & (${script}) & ${script}`],
    }));
    const pod = await up(host, writers);
    await until(() => existsSync(join(host.places.root, "pods", pod.uid, "a.upper/x1")));
    await pod.down({ graceMs: 0 });
    expect({ round, leaks: host.leaks() }).toEqual({ round, leaks: [] });
  }
});

test("every container's end is told before the pod's", async () => {
  const names = Array.from({ length: 70 }, (_, index) => `c${index}`);
  const pod = await up(
    host,
    names.map((name) => probe(host, ["pause"], { name })),
  );
  const told: string[] = [];
  for (const container of pod.containers) {
    void container.exited.then(({ signal }) => told.push(`${container.name} ${signal}`));
  }
  await pod.down({ graceMs: 0 });
  expect(told.toSorted()).toEqual(names.map((name) => `${name} SIGKILL`).toSorted());
});

test("a second `down` shortens the grace of the first", async () => {
  const pod = await up(host, [probe(host, ["pause"])]);
  const patient = pod.down({ graceMs: 60_000 });
  await pod.down({ graceMs: 0 });
  await patient;
  expect(host.leaks()).toEqual([]);
});

test("the end of a keeper is heard without asking for it", async () => {
  const before = openDescriptors();
  const waitsMs: number[] = [];
  for (let round = 0; round < 9; round++) {
    const events = { exited() {}, ended() {}, closed() {} };
    const { client, pidfd } = startKeeper({
      ...{ cgroup: -1, seed: -1, namespaces: [], links: false, events },
    });
    const reaped = reapWhenEnded(pidfd);
    const startMs = performance.now();
    client[Symbol.dispose]();
    await reaped;
    waitsMs.push(performance.now() - startMs);
  }
  // The timer that stands in for it looks every 20 ms.
  expect(Math.min(...waitsMs)).toBeLessThan(10);
  await until(() => openDescriptors() <= before);
});
