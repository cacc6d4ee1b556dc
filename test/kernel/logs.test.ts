// What containers write, on the disk and read back: the CRI's format, rotation, full disks. How log
// files are parsed is tested without containers, in test/pod.

import { afterAll, beforeAll, describe, expect } from "bun:test";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { Pod } from "../../src/index.ts";
import { readPodManifest } from "../../src/index.ts";
import { floodOf, readLogFiles } from "../support/flood.ts";
import type { TestHost } from "../support/host.ts";
import { hostMissing, logOf, openTestHost } from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";
import { podOf, probe, textOf, up } from "../support/pods.ts";
import type { FullDiskReport } from "../support/full-disk.ts";

const test = testOrSkip(hostMissing === undefined, hostMissing ?? "");
/** An emulated machine is some twenty times slower. */
const slowdown = process.env.PEAPOD_TEST_IN_VM === "1" ? 20 : 1;

let host: TestHost;

beforeAll(async () => {
  if (hostMissing === undefined) host = await openTestHost();
});

afterAll(() => host?.[Symbol.asyncDispose]());

const start = (words: readonly string[]): Promise<Pod> => up(host, [probe(host, words)]);

async function logPathOf(pod: Pod): Promise<string> {
  return (await pod.container("main").state()).logPath;
}

/** Lines of the log file once the container has ended, without their times. */
async function linesOf(pod: Pod): Promise<string[]> {
  await pod.container("main").exited;
  const lines = readFileSync(await logPathOf(pod), "utf8").split("\n");
  expect(lines.pop()).toBe("");
  return lines.map((line) => {
    expect(line).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z (stdout|stderr) [FP] /);
    return line.slice(31);
  });
}

describe("on the disk", () => {
  test("every line has its time, its stream and the tag of a full one", async () => {
    const before = Date.now();
    await using pod = await start(["say", "out", "say", "", "say-error", "err"]);
    const lines = await linesOf(pod);
    expect(lines.filter((line) => line.startsWith("stdout"))).toEqual([
      "stdout F out",
      "stdout F ",
    ]);
    expect(lines.filter((line) => line.startsWith("stderr"))).toEqual(["stderr F err"]);
    const [first = ""] = readFileSync(await logPathOf(pod), "utf8").split(" ");
    expect(Date.parse(first)).toBeWithin(before, Date.now() + 1);
  });

  test("streams keep the order in which the container wrote to them", async () => {
    const words = ["say", "1", "sleep", "20", "say-error", "2", "sleep", "20", "say", "3"];
    await using pod = await start(words);
    expect(await linesOf(pod)).toEqual(["stdout F 1", "stderr F 2", "stdout F 3"]);
  });

  test("a line longer than 16 KiB is parts of at most that, and one line again when read", async () => {
    await using pod = await start(["print", "1", "40000", "say", "end"]);
    const lines = await linesOf(pod);
    expect(lines.every((line) => line.length <= 16_384 + "stdout P ".length)).toBe(true);
    const parts = lines.slice(0, -1).map((line) => line.slice(0, 9));
    expect(parts.toSpliced(-1, 1).every((tag) => tag === "stdout P ")).toBe(true);
    expect(parts.at(-1)).toBe("stdout F ");
    expect((await logOf(pod, "main")).split("\n").map((line) => line.length)).toEqual([
      40_000, 3, 0,
    ]);
  });

  test("output without a newline at the end is a part", async () => {
    await using pod = await start(["print-partial", "login: "]);
    expect(await linesOf(pod)).toEqual(["stdout P login: "]);
  });

  test("the file belongs to root and is closed to others", async () => {
    await using pod = await start(["say", "secret"]);
    await linesOf(pod);
    const path = await logPathOf(pod);
    const { mode, uid } = statSync(path);
    expect([mode & 0o137, uid]).toEqual([0, 0]);
    expect(statSync(dirname(path)).mode & 0o007).toBe(0);
  });

  test("bytes that are no text stay what they are", async () => {
    const spec = probe(host, ["echo-stdin"], { stdin: true, stdinOnce: true });
    await using pod = await up(host, [spec]);
    await using client = await pod.container("main").attach({ stdin: true });
    const bytes = new Uint8Array(256).map((_, index) => index);
    const writer = client.stdin?.getWriter();
    await writer?.write(bytes);
    await writer?.close();
    await pod.container("main").exited;
    const records = await Array.fromAsync(pod.logs());
    const joined = records.flatMap(({ line, isPartial }) => [...line, ...(isPartial ? [] : [10])]);
    expect(joined).toEqual([...bytes]);
  });
});

describe("read back", () => {
  test("the last lines, and the lines since a time", async () => {
    await using pod = await start(["tick", "5", "0", "signal", "say", "late"]);
    for await (const { line } of pod.logs({ follow: true })) {
      if (textOf(line).includes("waiting")) break;
    }
    const sinceMs = Date.now() + 1;
    await Bun.sleep(5);
    await pod.container("main").signal("SIGUSR1");
    await pod.container("main").exited;
    expect((await logOf(pod, "main", { tailLines: 1 })).split("\n")).toEqual(["late", ""]);
    expect((await logOf(pod, "main", { sinceMs })).split("\n").slice(1)).toEqual(["late", ""]);
  });

  test("a follower gets lines as they come, and ends with the container", async () => {
    await using pod = await start(["tick", "5", "20"]);
    const seen: number[] = [];
    for await (const _ of pod.logs({ follow: true })) seen.push(performance.now());
    expect(seen.length).toBe(5);
    expect((seen.at(-1) ?? 0) - (seen[0] ?? 0)).toBeGreaterThan(40);
  });

  test("an abort ends a follower", async () => {
    await using pod = await start(["tick", "0", "10"]);
    const controller = new AbortController();
    let count = 0;
    const follow = async () => {
      for await (const _ of pod.logs({ follow: true, signal: controller.signal })) {
        if (++count === 3) controller.abort(new Error("enough"));
      }
    };
    expect(await follow().catch(({ message }: Error) => message)).toBe("enough");
    expect(count).toBe(3);
  });

  test("several containers at once, each line with its container's name", async () => {
    const two = [
      probe(host, ["say", "a"], { name: "one" }),
      probe(host, ["say", "b"], { name: "two" }),
    ];
    await using pod = await up(host, two);
    const records = await Array.fromAsync(pod.logs({ follow: true }));
    expect(records.map(({ container, line }) => `${container} ${textOf(line)}`).sort()).toEqual([
      "one a",
      "two b",
    ]);
  });
});

describe("rotation", () => {
  test(
    "10 MiB a file and five files, and a follower that loses nothing",
    async () => {
      const lines = 300_000;
      await using pod = await start(["signal", "print", String(lines), "99"]);
      let expected = 0;
      for await (const { line } of pod.logs({ follow: true })) {
        if (line[0] === 0x7b) {
          if (textOf(line).includes("waiting")) await pod.container("main").signal("SIGUSR1");
          continue;
        }
        const number = Number(textOf(line.subarray(0, 8)));
        if (number !== expected) throw new Error(`line ${number} where ${expected} was due`);
        expected++;
      }
      expect(expected).toBe(lines);
      const path = await logPathOf(pod);
      const files = readdirSync(dirname(path)).sort();
      expect(files).toEqual(["0.log", "0.log.1", "0.log.2", "0.log.3", "0.log.4"]);
      const sizes = files.map((name) => statSync(`${dirname(path)}/${name}`).size);
      expect(Math.max(...sizes)).toBeLessThanOrEqual(10 << 20);
      expect(Math.min(...sizes.slice(1))).toBeGreaterThan(9 << 20);
    },
    20_000 * slowdown,
  );

  test(
    "every byte of millions of lines that two streams write at once, over many files",
    async () => {
      const containerLogs = { filesMax: 100 };
      await using peapod = host.another({ containerLogs });
      const lines = Math.round(1_000_000 / slowdown);
      const pod = await peapod.up(
        readPodManifest(podOf([probe(host, ["flood", String(lines)])])),
        {},
      );
      expect((await pod.container("main").exited).exitCode).toBe(0);
      const { sizes, ...streams } = readLogFiles(dirname(await logPathOf(pod)));
      const expected = floodOf(lines);
      expect(streams.stdout.equals(expected.stdout)).toBe(true);
      expect(streams.stderr.equals(expected.stderr)).toBe(true);
      const written = sizes.reduce((sum, size) => sum + size, 0);
      expect(sizes.length).toBe(Math.ceil(written / (10 << 20)));
      expect(Math.max(...sizes)).toBeLessThanOrEqual(10 << 20);
    },
    20_000 * slowdown,
  );

  test("no more files than asked for, and whole lines in each", async () => {
    const containerLogs = { bytesMax: 20_000, filesMax: 3 };
    await using peapod = host.another({ containerLogs });
    const manifest = podOf([probe(host, ["print", "3000", "99"])]);
    const pod = await peapod.up(readPodManifest(manifest), {});
    await pod.container("main").exited;
    const folder = dirname(await logPathOf(pod));
    const files = readdirSync(folder).sort();
    expect(files).toEqual(["0.log", "0.log.1", "0.log.2"]);
    const sizes = files.map((name) => statSync(`${folder}/${name}`).size);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(20_000);
    const left = files
      .toReversed()
      .flatMap((file) => readFileSync(`${folder}/${file}`, "utf8").trimEnd().split("\n"))
      .map((line) => Number(line.slice(40, 48)));
    expect(left.at(-1)).toBe(2999);
    expect(left).toEqual(left.map((_, index) => 3000 - left.length + index));
  });
});

describe("a full disk", () => {
  test("stops the container, and nobody else, until there is room; nothing is lost", async () => {
    const { statuses, lines, dropped, phase, execExitCode } = await fillDisk("block");
    expect({ phase, execExitCode }).toEqual({ phase: "running", execExitCode: 4 });
    expect(statuses).toEqual({ out: 20_000, garbage: 0, marks: 0 });
    expect([lines, dropped]).toEqual(["whole", 0]);
  });

  test("with whenFull: drop costs lines, which are counted and told in the log", async () => {
    const { statuses, lines, dropped, phase } = await fillDisk("drop");
    expect(phase).toBe("running");
    expect(dropped).toBeGreaterThan(0);
    // One line of the probe's own was lost too, and the first of all lost ones may be there in
    // part.
    expect(statuses.out + dropped).toBe(20_001);
    expect([statuses.garbage <= 1, statuses.marks]).toEqual([true, 1]);
    expect(lines).toBe("in order");
  });

  test("does not hold up the pod's end", async () => {
    const { downMs } = await fillDisk("down");
    expect(downMs).toBeLessThan(2000 * slowdown);
  });
});

/** In a mount namespace of its own, where the logs are on a tmpfs of 256 KiB. */
async function fillDisk(scenario: "block" | "drop" | "down"): Promise<FullDiskReport> {
  const script = resolve(import.meta.dir, "../support/full-disk.ts");
  const command = ["unshare", "--mount", "--propagation", "private", process.execPath, script];
  const child = Bun.spawn([...command, scenario], { stdio: ["ignore", "pipe", "pipe"] });
  const [output, complaint] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  if ((await child.exited) !== 0) throw new Error(complaint);
  return JSON.parse(output) as FullDiskReport; // The script's only output.
}

test("fifty megabytes of output take no longer than a disk does", async () => {
  const lines = Math.round(500_000 / slowdown);
  const before = performance.now();
  await using pod = await start(["print", String(lines), "99"]);
  expect((await pod.container("main").exited).exitCode).toBe(0);
  expect(performance.now() - before).toBeLessThan(4000);
});
