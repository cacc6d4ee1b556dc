// SIGKILL at any instant, to whoever starts a pod and to its keeper: what is left is found and
// removed by a plain down.

import { expect } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { PodError } from "../../src/errors/pod-error.ts";
import type { UpOptions } from "../../src/pod/types.ts";
import type { PodManifest } from "../../src/read/pod-manifest/read.ts";
import type { TestHost } from "../support/host.ts";
import { eventually, hostMissing, logOf, openTestHost, podOf } from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";

const kernelTest = testOrSkip(hostMissing === undefined, hostMissing ?? "");
const isEmulated = process.env.PEAPOD_TEST_IN_VM === "1";
const timeoutMs = 60_000;
const starter = resolve(import.meta.dir, "../support/starter.ts");

/** Waits without letting go of the thread: timers are too coarse for instants. */
function spin(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

async function start(host: TestHost, manifest: PodManifest, options: UpOptions, until: string) {
  const wish = JSON.stringify({ open: host.places, manifest, options });
  const child = Bun.spawn([process.execPath, starter, wish], { stdout: "pipe", stderr: "ignore" });
  const reader = child.stdout.getReader();
  let said = "";
  while (!said.includes(until)) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`the starter ended after saying ${JSON.stringify(said)}`);
    said += new TextDecoder().decode(value);
  }
  return child;
}

/** By somebody who was not there, and again to see that it stays so. */
async function downAll(host: TestHost): Promise<string[]> {
  await using another = host.another();
  const uids = (await another.list()).map(({ uid }) => uid);
  for (const uid of uids) await another.down(uid, { graceMs: 0 });
  for (const uid of uids) expect(await another.down(uid, {})).toBe(false);
  // Whoever started a keeper reaps it a moment after it has gone.
  return await eventually(
    () => host.leaks(),
    (leaks) => leaks.length === 0,
    2000,
  );
}

function twoOf(host: TestHost): PodManifest {
  return podOf(host, "killed", { first: ["pause"], second: ["pause"] });
}

for (const lifetime of ["owner", "detached"] as const) {
  kernelTest(
    `the process that starts a pod (${lifetime}) may be killed at any instant`,
    async () => {
      await using host = await openTestHost();
      const [steps, stepMs] = isEmulated ? [5, 100] : [16, 1.5];
      const found = new Set<number>();
      for (let step = 0; step < steps; step++) {
        const isLast = step === steps - 1;
        const child = await start(host, twoOf(host), { lifetime }, isLast ? "up" : "ready");
        if (!isLast) spin(step * stepMs);
        child.kill("SIGKILL");
        await child.exited;
        found.add(host.leaks().length);
        expect({ step, leaks: await downAll(host) }).toEqual({ step, leaks: [] });
      }
      // Not always the same was left: the instants were different ones.
      expect(found.size).toBeGreaterThan(1);
    },
    timeoutMs,
  );
}

/** Found by their control groups: a look at every process of the machine takes too long. */
function killKeepers(host: TestHost): void {
  for (const pid of keepersOf(host)) process.kill(pid, "SIGKILL");
}

function keepersOf(host: TestHost): number[] {
  const keepers = `${host.cgroupRoot}/keepers`;
  return readdirSync(keepers, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => readFileSync(`${keepers}/${name}/cgroup.procs`, "utf8").split("\n"))
    .filter((pid) => pid !== "")
    .map(Number);
}

kernelTest(
  "a keeper may be killed at any instant of a start",
  async () => {
    await using host = await openTestHost();
    const outcomes = new Set<string>();
    const [steps, stepMs] = isEmulated ? [10, 20] : [40, 0.25];
    for (let step = 0; step < steps; step++) {
      const starting = host.up(twoOf(host)).then(
        () => "up",
        (error: unknown) => (error instanceof PodError ? error.code : String(error)),
      );
      // The thread is let go of only until there is a keeper.
      while (keepersOf(host).length === 0) await Promise.resolve();
      spin(step * stepMs);
      killKeepers(host);
      outcomes.add(await starting);
      expect({ step, leaks: await downAll(host) }).toEqual({ step, leaks: [] });
    }
    expect([...outcomes].filter((code) => code !== "up")).toEqual(["pod.keeper-lost"]);
  },
  timeoutMs,
);

kernelTest(
  "a keeper may be killed at any instant of an end",
  async () => {
    await using host = await openTestHost();
    const [steps, stepMs] = isEmulated ? [10, 10] : [40, 0.15];
    for (let step = 0; step < steps; step++) {
      const pod = await host.up(twoOf(host));
      const ending = pod.down({ graceMs: 0 }).catch(() => {});
      spin(step * stepMs);
      killKeepers(host);
      await ending;
      expect({ step, leaks: await downAll(host) }).toEqual({ step, leaks: [] });
      // The name is free again.
      await (await host.up(twoOf(host))).down({ graceMs: 0 });
    }
  },
  timeoutMs,
);

kernelTest(
  "the containers of a keeper that was killed end with it, and it is said so",
  async () => {
    await using host = await openTestHost();
    const pod = await host.up(twoOf(host));
    killKeepers(host);
    await pod.ended.catch(() => {});
    expect(
      await eventually(
        () => host.processes(),
        (left) => left.length === 0,
      ),
    ).toEqual([]);
    const [first] = pod.containers;
    expect(await first?.state()).toMatchObject({ phase: "terminated", exit: { exitCode: 137 } });
    const executed = await pod.exec(["/probe", "ids"]).result.catch((error: unknown) => error);
    expect(executed).toMatchObject({ code: "pod.keeper-lost" });
    expect(await pod.object()).toMatchObject({ status: { phase: "Failed" } });
    expect(await downAll(host)).toEqual([]);
  },
);

kernelTest("the pod of a service that was killed ends within its grace", async () => {
  await using host = await openTestHost();
  const manifest = podOf(host, "owned", { polite: ["pause"], stubborn: ["ignore-term", "signal"] });
  const child = await start(host, manifest, {}, "up");
  const before = performance.now();
  child.kill("SIGKILL");
  await child.exited;
  const left = await eventually(
    () => host.leaks(),
    (leaks) => leaks.length === 0,
    4000,
  );
  expect(left).toEqual([]);
  // One of them had to be killed: the grace of one second was given.
  expect(performance.now() - before).toBeGreaterThan(900);
});

async function cli(host: TestHost, ...words: string[]) {
  const [command = "", ...rest] = words;
  const child = Bun.spawn(
    [process.execPath, resolve(import.meta.dir, "../../pod.ts"), command, ...host.flags, ...rest],
    { stdout: "pipe", stderr: "pipe", env: { ...process.env, NO_COLOR: "1" } },
  );
  const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { out, err, status: await child.exited };
}

kernelTest(
  "a detached pod outlives every Bun: it runs, logs, records, and answers new processes",
  async () => {
    await using host = await openTestHost();
    const containers = { ticking: ["tick", "0", "10"], short: ["sleep", "300", "exit", "7"] };
    const manifest = podOf(host, "left", containers);
    const child = await start(host, manifest, { lifetime: "detached" }, "up");
    child.kill("SIGKILL");
    await child.exited;

    await using another = host.another();
    const pod = await another.get("left");
    const lines = async () => (await logOf(pod, "ticking")).split("\n").length;
    const before = await lines();
    expect(await eventually(lines, (now) => now > before + 5)).toBeGreaterThan(before + 5);
    const exit = await pod.container("short").exited;
    expect(exit).toMatchObject({ exitCode: 7, signal: undefined });

    const ps = await cli(host, "ps", "-o", "json");
    const { items } = JSON.parse(ps.out) as { items: { metadata: { name: string } }[] };
    expect(items.map(({ metadata }) => metadata.name)).toEqual(["left"]);
    const logs = await cli(host, "logs", "-c", "ticking", "--tail", "2", "left");
    expect(logs.out).toMatch(/^\d{8}\n\d{8}\n$/);
    const exec = await cli(host, "exec", "left", "-c", "ticking", "--", "/probe", "exit", "5");
    expect(exec).toEqual({ out: "", err: "", status: 5 });
    expect(await cli(host, "down", "left")).toMatchObject({ status: 0 });
    const none = (leaks: readonly string[]) => leaks.length === 0;
    expect(await eventually(() => host.leaks(), none, 2000)).toEqual([]);
    expect(await cli(host, "down", "left")).toMatchObject({ status: 0 });
  },
  timeoutMs,
);

kernelTest("exits that nobody saw are in the record of the pod", async () => {
  await using host = await openTestHost();
  const manifest = podOf(host, "record", { only: ["sleep", "200", "exit", "3"], other: ["pause"] });
  const child = await start(host, manifest, { lifetime: "detached" }, "up");
  child.kill("SIGKILL");
  await child.exited;
  await Bun.sleep(400);
  await using another = host.another();
  const pod = await another.get("record");
  expect(await pod.container("only").state()).toMatchObject({
    ...{ phase: "terminated", pid: 0, exit: { exitCode: 3 } },
  });
  expect(readFileSync(join(host.places.state, "names/default_record/pod.json"), "utf8")).toContain(
    pod.uid,
  );
  await another.down("record", { graceMs: 0 });
});
