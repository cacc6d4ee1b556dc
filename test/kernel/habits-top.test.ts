// top and stats: what they say of containers that are busy, and of those that are not.

import { afterAll, beforeAll, describe, expect } from "bun:test";
import type { Usage } from "../../src/cli/usage.ts";
import type { CliHost } from "../support/cli-host.ts";
import { openCliHost } from "../support/cli-host.ts";
import { hostMissing } from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";
import { hasControllers, noControllers } from "../support/pods.ts";

const test = testOrSkip(hostMissing === undefined, hostMissing ?? "");
const limited = testOrSkip(hostMissing === undefined && hasControllers, noControllers);

let cli: CliHost;
beforeAll(async () => {
  if (hostMissing === undefined) cli = await openCliHost();
});
afterAll(() => cli?.[Symbol.asyncDispose](), 60_000);

const peapod = (...words: string[]) => cli.run(words);

describe("top", () => {
  beforeAll(async () => {
    if (hostMissing !== undefined) return;
    const file = cli.manifest("load", {
      busy: "trap 'exit 0' TERM; while :; do :; done",
      idle: "trap 'exit 0' TERM; sleep 600 & wait",
    });
    const { err, status } = await peapod("up", "-d", file);
    if (status !== 0) throw new Error(err);
  });
  afterAll(async () => {
    if (hostMissing === undefined) await peapod("down", "load", "-t", "0");
  });

  test("sees who is busy, and puts that one first", async () => {
    const { out, err, status } = await peapod("top", "--once", "-o", "json", "load");
    expect({ err, status }).toEqual({ err: "", status: 0 });
    const usage = JSON.parse(out) as Usage[];
    expect(usage.map(({ pod, container }) => `${pod}/${container}`)).toEqual([
      ...["load/busy", "load/idle"],
    ]);
    expect(usage[0]?.cpuPercent).toBeGreaterThan(10);
    expect(usage[1]?.cpuPercent).toBeLessThan(5);
    // Pressure is told with and without controllers.
    expect(usage[0]?.pressure.cpu?.some).toBeNumber();
  });

  test("prints a table, sorted as it is told", async () => {
    const { out } = await peapod("top", "--sort", "name", "--interval", "100ms");
    const rows = out
      .trimEnd()
      .split("\n")
      .map((line) => line.split(/ {2,}/));
    expect(rows[0]?.slice(0, 3)).toEqual(["POD", "CONTAINER", "CPU%"]);
    expect(rows.slice(1).map((row) => row.slice(0, 2))).toEqual([
      ["load", "busy"],
      ["load", "idle"],
    ]);
    expect((await peapod("top", "pod", "load", "--containers")).status).toBe(0);
  });

  limited("knows memory and processes where the host counts them", async () => {
    const { out } = await peapod("top", "--once", "-o", "json", "load");
    const [usage] = JSON.parse(out) as Usage[];
    expect(usage?.memoryBytes).toBeGreaterThan(0);
    expect(usage?.pids).toBe(1);
  });

  test("is live in a terminal, where a key sorts and q gives the screen back", async () => {
    await using terminal = cli.startInTerminal(["top", "--interval", "100ms"]);
    await terminal.until("idle");
    terminal.write("n");
    await Bun.sleep(250);
    terminal.write("q");
    await terminal.until("\x1b[?1049l");
    expect(await terminal.ended).toEqual({ status: 0, isRestored: true });
  });

  test("stats prints one table after the other until Ctrl-C, and one with --no-stream", async () => {
    const child = cli.start(["stats", "--interval", "50ms", "load"]);
    await child.untilOut("idle");
    await Bun.sleep(300);
    child.kill("SIGINT");
    const { out, status } = await child.ended;
    expect(status).toBe(130);
    expect(out.match(/^POD/gm)?.length).toBeGreaterThan(1);
    expect((await peapod("stats", "--no-stream", "load")).out.match(/^POD/gm)?.length).toBe(1);
  });

  test("a wrong name is an error, no running container a note", async () => {
    expect((await peapod("top", "nope")).status).toBe(125);
    expect((await peapod("stats", "--no-stream", "-n", "empty")).err).toBe("no container runs\n");
  });
});
