// How fast what a container writes gets into its log, by the length of its lines, beside conmon and
// the least that a loop could do.
import { closeSync, fstatSync, openSync, readdirSync, readFileSync, readSync } from "node:fs";
import { mkdir, rmdir, unlink } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Flow, Load, Pump } from "./log-pumps.ts";
import { buildWriter, conmonPump, floorPump, peapodPump } from "./log-pumps.ts";
import { describeBusy, readLoad } from "./rounds.ts";
import { median, ratioInterval, seededRandom, shuffled } from "./statistics.ts";

const usage = `bun run bench logs [--lengths N,…] [--megabytes M] [--write BYTES] [--rounds R]
                      [--pumps NAME,…] [--seed S] [--directory DIR] [--anyway] [--json FILE]

  --lengths    bytes of a line, newline included (default 16,80,256,1024,4096,16384,65536)
  --megabytes  written by one writer in one round (default 128)
  --write      bytes of whole lines that go into one write(2) (default 4096, as C's stdio does;
               1: every line is a write)
  --rounds     measured rounds (default 5), after one that is not
  --pumps      of peapod, conmon, floor (copy), floor (splice); default: all
  --directory  where logs lie (default /var/tmp): the same for every pump
  --anyway     measures on a busy machine, too
  --json       writes all samples`;

/** What one round of one pump with one length gave. */
type Sample = {
  readonly linesPerSecond: number;
  readonly megabytesPerSecond: number;
  /** Of the pump. */
  readonly cpuNsPerLine: number;
  /** The longest write(2) of the writer. */
  readonly stallUs: number;
};

/** By pump, then by the length of lines; one sample a round. */
type Results = Map<string, Map<number, Sample[]>>;

export async function logs(words: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...words],
    options: {
      lengths: { type: "string", default: "16,80,256,1024,4096,16384,65536" },
      megabytes: { type: "string", default: "128" },
      write: { type: "string", default: "4096" },
      rounds: { type: "string", default: "5" },
      pumps: { type: "string", default: "" },
      seed: { type: "string", default: String(Date.now() % 100_000) },
      directory: { type: "string", default: "/var/tmp" },
      anyway: { type: "boolean", default: false },
      json: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return 0;
  }
  const busy = describeBusy(readLoad());
  if (busy !== undefined && !values.anyway) {
    console.error(`${busy} (--anyway measures all the same)`);
    return 1;
  }
  const seed = Number(values.seed);
  const loads = values.lengths.split(",").map((length): Load => {
    const lineBytes = Number(length);
    const lines = Math.ceil((Number(values.megabytes) * 1e6) / lineBytes);
    return { lineBytes, lines, writeBytes: Number(values.write) };
  });
  const directory = join(values.directory, `peapod-logs-${process.pid}`);
  await mkdir(directory, { recursive: true });
  const writer = await buildWriter(directory);
  const wanted = values.pumps === "" ? undefined : values.pumps.split(",");
  const pumps = [
    peapodPump(writer),
    conmonPump(writer),
    floorPump(writer, "copy"),
    floorPump(writer, "splice"),
  ].filter(({ name }) => wanted === undefined || wanted.includes(name));
  const results = await runAll(pumps, loads, { directory, rounds: Number(values.rounds), seed });
  await unlink(writer);
  await rmdir(directory);
  printResults(results, seed);
  if (values.json !== undefined) {
    const samples = [...results].map(([pump, byLength]) => ({
      pump,
      lengths: Object.fromEntries(byLength),
    }));
    await Bun.write(values.json, JSON.stringify({ seed, loads, samples }));
  }
  return 0;
}

type Plan = { readonly directory: string; readonly rounds: number; readonly seed: number };

async function runAll(
  pumps: readonly Pump[],
  loads: readonly Load[],
  { directory, rounds, seed }: Plan,
): Promise<Results> {
  const random = seededRandom(seed);
  const results: Results = new Map();
  const cells: { pump: Pump; load: Load }[] = [];
  try {
    for (const pump of pumps) {
      const outcome = await pump.prepare(directory);
      if (outcome !== undefined) {
        console.log(`${pump.name}: absent (${outcome.absent})`);
        continue;
      }
      results.set(pump.name, new Map(loads.map(({ lineBytes }) => [lineBytes, []])));
      cells.push(...loads.map((load) => ({ pump, load })));
    }
    for (let round = -1; round < rounds; round += 1) {
      for (const { pump, load } of shuffled(cells, random)) {
        const sample = await measure(pump, load);
        if (round >= 0) results.get(pump.name)?.get(load.lineBytes)?.push(sample);
      }
    }
  } finally {
    for (const pump of pumps) await pump.cleanup();
  }
  return results;
}

/** While the writer waits before its first line, clocks are read, and again when all is written. */
async function measure(pump: Pump, load: Load): Promise<Sample> {
  const flow = await pump.start(load);
  try {
    await Bun.sleep(100);
    const before = cpuNs(flow.pid);
    const { elapsedNs, stallNs } = await reportOf(flow);
    const used = cpuNs(flow.pid) - before;
    const seconds = elapsedNs / 1e9;
    return {
      linesPerSecond: load.lines / seconds,
      megabytesPerSecond: (load.lines * load.lineBytes) / 1e6 / seconds,
      cpuNsPerLine: used / load.lines,
      stallUs: stallNs / 1000,
    };
  } finally {
    await flow.end();
  }
}

/** Time on a CPU, to the nanosecond: Documentation/scheduler/sched-stats.rst. */
function cpuNs(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[0]);
}

/** The writer's last line, once it is in the log: then everything is. */
async function reportOf(flow: Flow): Promise<{ elapsedNs: number; stallNs: number }> {
  const end = performance.now() + 60_000;
  while (performance.now() < end) {
    await Bun.sleep(50);
    for (const name of readdirSync(flow.folder)) {
      const report = /\{"elapsedNs":(\d+),"stallNs":(\d+)\}/.exec(tailOf(join(flow.folder, name)));
      if (report !== null) return { elapsedNs: Number(report[1]), stallNs: Number(report[2]) };
    }
  }
  throw new Error(`the writer's report did not come into ${flow.folder}`);
}

/** Nothing of a file that has just been renamed. */
function tailOf(path: string): string {
  let fd = -1;
  try {
    fd = openSync(path, "r");
    const bytes = new Uint8Array(256);
    const { size } = fstatSync(fd);
    const length = readSync(fd, bytes, 0, bytes.length, Math.max(0, size - bytes.length));
    return new TextDecoder().decode(bytes.subarray(0, length));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return "";
    throw error;
  } finally {
    if (fd >= 0) closeSync(fd);
  }
}

const columns = [
  ["bytes/line", 10],
  ["lines/s", 12],
  ["MB/s", 7],
  ["CPU ns/line", 11],
  ["M lines/CPU s", 13],
  ["stall µs", 9],
  ["× peapod's rate (95 %)", 24],
] as const;

function printResults(results: Results, seed: number): void {
  const heading = columns.map(([name, width]) => name.padStart(width)).join("  ");
  console.log(`${"".padEnd(14)}  ${heading}`);
  const lengths = [...([...results.values()][0]?.keys() ?? [])];
  for (const length of lengths) {
    const reference = results.get("peapod")?.get(length) ?? [];
    for (const [pump, byLength] of results) {
      const samples = byLength.get(length) ?? [];
      const cells = describe(length, samples, pump === "peapod" ? [] : reference, seed);
      const text = cells.map((cell, index) => cell.padStart(columns[index]?.[1] ?? 0)).join("  ");
      console.log(`${pump.padEnd(14)}  ${text}`);
    }
  }
  console.log(`seed ${seed}`);
}

function describe(
  length: number,
  samples: readonly Sample[],
  reference: readonly Sample[],
  seed: number,
): string[] {
  const of = (field: keyof Sample) => median(samples.map((sample) => sample[field]));
  const pairs = samples.flatMap((sample, round) => {
    const peapod = reference[round];
    return peapod ? [{ of: sample.linesPerSecond, to: peapod.linesPerSecond }] : [];
  });
  const { low, middle, high } = ratioInterval(pairs, seededRandom(seed));
  const ratio = `${middle.toFixed(2)} (${low.toFixed(2)}–${high.toFixed(2)})`;
  return [
    String(length),
    of("linesPerSecond").toFixed(0),
    of("megabytesPerSecond").toFixed(0),
    of("cpuNsPerLine").toFixed(1),
    (1000 / of("cpuNsPerLine")).toFixed(2),
    of("stallUs").toFixed(0),
    pairs.length > 0 ? ratio : "",
  ];
}
