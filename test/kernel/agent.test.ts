// The agent: started by who leaves a pod running, one at a time, idle while nothing happens, gone
// when the last pod is, and no loss when it is killed.

import { afterAll, beforeAll, expect } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import type { CliHost } from "../support/cli-host.ts";
import { openCliHost } from "../support/cli-host.ts";
import { eventually, hostMissing } from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";

const test = testOrSkip(hostMissing === undefined, hostMissing ?? "");

let cli: CliHost;
beforeAll(async () => {
  if (hostMissing === undefined) cli = await openCliHost();
});
// The leak check waits for the machine to reap keepers, longer than a hook may take by default.
afterAll(() => cli?.[Symbol.asyncDispose](), 60_000);

const peapod = (...words: string[]) => cli.run(words);
const calm = "trap 'exit 0' TERM; while :; do sleep 0.05; done";

interface Status {
  readonly isRunning: boolean;
  readonly pid: number;
}

async function agentStatus(): Promise<Status> {
  return JSON.parse((await peapod("agent", "status", "-o", "json")).out) as Status;
}

/** Its pid. */
async function agentRuns(): Promise<number> {
  const found = await eventually(agentStatus, ({ isRunning, pid }) => isRunning && pid > 0);
  expect(found.isRunning).toBe(true);
  return found.pid;
}

async function agentGone(): Promise<void> {
  const found = await eventually(agentStatus, ({ isRunning }) => !isRunning);
  expect(found.isRunning).toBe(false);
}

/** A pod that restarts always may need an owner. */
async function restarting(name: string): Promise<string> {
  const file = cli.manifest(name, { app: calm });
  const pod = (await Bun.file(file).json()) as { spec: object };
  await Bun.write(file, JSON.stringify({ ...pod, spec: { ...pod.spec, restartPolicy: "Always" } }));
  return file;
}

test("up -d starts it for a pod that may need it, and it goes with the last one", async () => {
  expect(await peapod("agent", "status")).toEqual({ out: "", err: "no agent runs\n", status: 3 });
  expect((await peapod("up", "-d", cli.manifest("never", { app: calm }))).status).toBe(0);
  expect((await agentStatus()).isRunning).toBe(false);
  expect((await peapod("up", "-d", await restarting("one"))).status).toBe(0);
  const pid = await agentRuns();
  expect((await peapod("agent", "status")).out).toMatch(
    new RegExp(`^agent ${pid} runs since \\d+s, version `),
  );
  expect((await peapod("up", "-d", await restarting("two"))).status).toBe(0);
  expect(await agentRuns()).toBe(pid);
  await peapod("down", "one");
  expect((await agentStatus()).pid).toBe(pid);
  await peapod("down", "two");
  // A pod that runs to its end needs nobody.
  await agentGone();
  await peapod("down", "never");
  const { out } = await peapod("agent", "logs");
  expect(out).toContain(`agent ${pid} runs`);
  expect(out).toContain(`agent ${pid} ends: no pod needs it`);
});

test("many that start at once are one", async () => {
  const files = await Promise.all([1, 2, 3, 4].map((n) => restarting(`crowd-${n}`)));
  await Promise.all(files.map((file) => peapod("up", "-d", file)));
  await Promise.all([1, 2, 3].map(() => peapod("agent", "start")));
  const pid = await agentRuns();
  const others = await Promise.all([1, 2].map(() => peapod("agent", "run")));
  expect(others.map(({ status }) => status)).toEqual([0, 0]);
  expect(await agentRuns()).toBe(pid);
  await peapod("down", "--all", "-t", "0");
  await agentGone();
});

test("pods that come and go leave it no descriptor", async () => {
  await peapod("up", "-d", await restarting("stays"));
  const pid = await agentRuns();
  const held = () => readdirSync(`/proc/${pid}/fd`).length;
  const come = async () => {
    const pods = `${cli.host.places.state}/pods`;
    await peapod("up", "-d", await restarting("goes"));
    await eventually(held, (count) => count > idle);
    await peapod("down", "goes", "-t", "0");
    await eventually(
      () => readdirSync(pods).length,
      (count) => count === 1,
    );
    return await eventually(held, (count) => count <= idle);
  };
  let idle = await eventually(held, (count) => count > 0);
  idle = await come(); // What Bun opens once stays open.
  expect(await come()).toBe(idle);
  await peapod("down", "stays", "-t", "0");
  await agentGone();
}, 20_000);

test("stop leaves the pods, and kill -9 does; the next up -d starts another", async () => {
  await peapod("up", "-d", await restarting("left"));
  const first = await agentRuns();
  expect((await peapod("agent", "stop")).status).toBe(0);
  await agentGone();
  expect((await peapod("ps", "-q")).out).toBe("left\n");
  await peapod("agent", "start");
  const second = await agentRuns();
  expect(second).not.toBe(first);
  process.kill(second, "SIGKILL");
  await agentGone();
  await peapod("up", "-d", await restarting("right"));
  expect(await agentRuns()).not.toBe(second);
  await peapod("down", "left", "right", "-t", "0");
  await agentGone();
});

test("it sleeps while nothing happens, and holds neither directory nor terminal", async () => {
  await peapod("up", "-d", await restarting("quiet"));
  const pid = await agentRuns();
  const wakes = () => {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)?.[1]);
  };
  await Bun.sleep(1500); // Until what its start began is over.
  const before = wakes();
  await Bun.sleep(4000);
  expect(wakes() - before).toBe(0);
  const status = readFileSync(`/proc/${pid}/stat`, "utf8");
  const session = Number(status.slice(status.lastIndexOf(")") + 2).split(" ")[3]);
  expect(session).toBe(pid);
  expect(readFileSync(`/proc/${pid}/cgroup`, "utf8")).toMatch(/^0::.*\/keepers\/agent$/m);
  expect(readdirSync(`/proc/${pid}/cwd/`)).toEqual(readdirSync("/"));
  await peapod("down", "quiet", "-t", "0");
  await agentGone();
}, 20_000);
