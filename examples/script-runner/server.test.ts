// Scripts that misbehave, and what is left of them: nothing.

import { afterAll, beforeAll, describe, expect } from "bun:test";
import type { TestHost } from "../../test/support/host.ts";
import {
  eventually,
  hasUserNamespaces,
  hostMissing,
  noUserNamespaces,
  openTestHost,
} from "../../test/support/host.ts";
import { testOrSkip } from "../../test/support/must-run.ts";
import { hasControllers } from "../../test/support/pods.ts";
import type { ScriptRunner } from "./server.ts";
import { openScriptRunner } from "./server.ts";

const test = testOrSkip(
  hostMissing === undefined && hasUserNamespaces,
  hostMissing ?? noUserNamespaces,
);

let host: TestHost;
let runner: ScriptRunner;
const deadlineMs = 1500;

beforeAll(async () => {
  if (hostMissing !== undefined || !hasUserNamespaces) return;
  host = await openTestHost();
  runner = await openScriptRunner({
    ...host.places,
    port: 0,
    deadlineMs,
    podsMax: 2,
    queueMax: 1,
    // Where limits cannot be set, the deadline alone ends a script.
    missingControllers: "warn",
  });
  await submit("console.log('warm')");
  host.before = host.snapshot();
});

afterAll(async () => {
  await runner?.[Symbol.asyncDispose]();
  await host?.[Symbol.asyncDispose]();
});

const post = (script: string, signal?: AbortSignal): Promise<Response> =>
  fetch(`${runner.url}run`, { method: "POST", body: script, ...(signal && { signal }) });

interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
  readonly end: unknown;
}

async function submit(script: string): Promise<Outcome> {
  const text = await (await post(script)).text();
  const events = text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  const joined = (stream: string) => events.map((event) => event[stream] ?? "").join("");
  return { stdout: joined("stdout"), stderr: joined("stderr"), end: events.at(-1) };
}

/**
 * Processes, groups, files, namespaces and mounts are as before; connections of HTTP come and go.
 */
async function expectNothingLeft(): Promise<void> {
  const look = () => host.leaks().filter((leak) => !leak.startsWith("descriptors: "));
  expect(await eventually(look, (left) => left.length === 0)).toEqual([]);
}

const succeeded = { exitCode: 0, timedOut: false, outOfMemory: false, truncated: false };

test("a script's output comes back, and its status", async () => {
  expect(await submit("console.log(1 + 1); console.error('note'); process.exit(3)")).toEqual({
    stdout: "2\n",
    stderr: "note\n",
    end: { ...succeeded, exitCode: 3 },
  });
  await expectNothingLeft();
});

test("output comes while the script runs", async () => {
  const response = await post("console.log('first'); await Bun.sleep(600); console.log('second')");
  const before = performance.now();
  const times: number[] = [];
  for await (const _ of response.body ?? []) times.push(performance.now() - before);
  expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBeGreaterThan(400);
});

test("a script sees no network but its own, and root's rights over nothing", async () => {
  const { stdout } = await submit(`
    import { readFileSync } from "node:fs";
    const links = readFileSync("/proc/net/dev", "utf8").match(/[a-z0-9]+(?=:)/g);
    const map = readFileSync("/proc/self/uid_map", "utf8").trim().split(/\\s+/);
    console.log(links.join(), map[0], map[1] !== "0");
  `);
  expect(stdout).toBe("lo 0 true\n");
});

describe("scripts that misbehave", () => {
  test("a fork bomb", async () => {
    const { stdout, end } = await submit(`
      let made = 0;
      for (; made < 500; made++) {
        try { Bun.spawn(["sleep", "60"], { stdio: ["ignore", "ignore", "ignore"] }); } catch { break; }
      }
      console.log(made);
      await Bun.sleep(60_000);
    `);
    expect(end).toEqual({ ...succeeded, exitCode: 137, timedOut: true });
    if (hasControllers) expect(Number(stdout)).toBeLessThan(128);
    await expectNothingLeft();
  });

  test("an endless printer", async () => {
    const { stdout, end } = await submit("for (;;) console.log('x'.repeat(999));");
    expect(stdout.length).toBe(1 << 20);
    expect(end).toEqual({ ...succeeded, exitCode: 137, truncated: true });
    await expectNothingLeft();
  });

  test("a sleeper", async () => {
    const before = performance.now();
    const { end } = await submit("await Bun.sleep(60_000)");
    expect(end).toEqual({ ...succeeded, exitCode: 137, timedOut: true });
    expect(performance.now() - before).toBeWithin(deadlineMs - 10, deadlineMs + 2000);
    await expectNothingLeft();
  });

  test("a client that disconnects", async () => {
    const controller = new AbortController();
    const response = await post("console.log('up'); await Bun.sleep(60_000)", controller.signal);
    const reader = response.body?.getReader();
    await reader?.read();
    const before = performance.now();
    controller.abort();
    await expectNothingLeft();
    expect(performance.now() - before).toBeLessThan(deadlineMs - 300);
  });

  test("a client that does not read holds up its own script alone", async () => {
    const controller = new AbortController();
    const slow = await post("for (;;) console.log('x'.repeat(999));", controller.signal);
    expect(slow.status).toBe(200);
    expect((await submit("console.log('quick')")).stdout).toBe("quick\n");
    controller.abort();
    await expectNothingLeft();
  });
});

test("more scripts than run and wait are told to come back", async () => {
  const sleepers = Array.from({ length: 3 }, () => post("await Bun.sleep(300)"));
  await Bun.sleep(100);
  const refused = await post("console.log('late')");
  expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "5"]);
  for (const response of await Promise.all(sleepers)) {
    expect((await response.text()).trim().split("\n").at(-1)).toContain('"exitCode":0');
  }
  await expectNothingLeft();
});

test("a script larger than allowed is refused", async () => {
  expect((await post("/".repeat(300_000))).status).toBe(413);
});
