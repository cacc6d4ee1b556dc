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

const usage = `bun run bench logs [--lengths N,…] [--writes BYTES,…] [--megabytes M] [--rounds R]
                      [--pumps NAME,…] [--seed S] [--directory DIR] [--anyway] [--json FILE]

  --lengths    bytes of a line, newline included (default 16,80,256,1024,4096,16384,65536)
  --writes     bytes of whole lines that go into one write(2): 4096 is what C's stdio does, with 1
               every line is a write of its own (default 4096,1)
  --megabytes  written by one writer in one round (default 64)
  --rounds     measured rounds (default 5), after one that is not
  --pumps      of peapod, conmon, floor (copy), floor (longer), floor (splice); default: all
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

/** One sample a round. */
type Cell = { readonly pump: Pump; readonly load: Load; readonly samples: Sample[] };

export async function logs(words: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...words],
    options: {
      lengths: { type: "string", default: "16,80,256,1024,4096,16384,65536" },
      writes: { type: "string", default: "4096,1" },
      megabytes: { type: "string", default: "64" },
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
  const numbers = (text: string) => text.split(",").map(Number);
  const loads = loadsOf(numbers(values.lengths), numbers(values.writes), Number(values.megabytes));
  const directory = join(values.directory, `peapod-logs-${process.pid}`);
  await mkdir(directory, { recursive: true });
  const writer = await buildWriter(directory);
  const wanted = values.pumps === "" ? undefined : values.pumps.split(",");
  const pumps = [
    peapodPump(writer),
    conmonPump(writer),
    floorPump(writer, "copy"),
    floorPump(writer, "longer"),
    floorPump(writer, "splice"),
  ].filter(({ name }) => wanted === undefined || wanted.includes(name));
  const cells = await runAll(pumps, loads, { directory, rounds: Number(values.rounds), seed });
  await unlink(writer);
  await rmdir(directory);
  printCells(cells, loads, seed);
  if (values.json !== undefined) {
    const named = cells.map(({ pump, load, samples }) => ({ pump: pump.name, ...load, samples }));
    await Bun.write(values.json, JSON.stringify({ seed, cells: named }));
  }
  return 0;
}

/** Where one line fills a write there is only one way to write it. */
function loadsOf(
  lengths: readonly number[],
  writes: readonly number[],
  megabytes: number,
): readonly Load[] {
  return lengths.flatMap((lineBytes) => {
    const linesPerWrite = new Set(
      writes.map((bytes) => Math.max(1, Math.floor(bytes / lineBytes))),
    );
    const lines = Math.ceil((megabytes * 1e6) / lineBytes);
    return [...linesPerWrite].map((count) => ({ lineBytes, lines, writeBytes: count * lineBytes }));
  });
}

type Plan = { readonly directory: string; readonly rounds: number; readonly seed: number };

async function runAll(
  pumps: readonly Pump[],
  loads: readonly Load[],
  { directory, rounds, seed }: Plan,
): Promise<readonly Cell[]> {
  const random = seededRandom(seed);
  const cells: Cell[] = [];
  try {
    for (const pump of pumps) {
      const outcome = await pump.prepare(directory);
      if (outcome !== undefined) {
        console.log(`${pump.name}: absent (${outcome.absent})`);
        continue;
      }
      cells.push(...loads.map((load) => ({ pump, load, samples: [] })));
    }
    for (let round = -1; round < rounds; round += 1) {
      for (const { pump, load, samples } of shuffled(cells, random)) {
        const sample = await measure(pump, load);
        if (round >= 0) samples.push(sample);
      }
    }
  } finally {
    for (const pump of pumps) await pump.cleanup();
  }
  return cells;
}

/** While the writer waits before its first line, clocks are read, and again when all is written. */
async function measure(pump: Pump, load: Load): Promise<Sample> {
  const flow = await pump.start(load);
  try {
    await Bun.sleep(50);
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
    await Bun.sleep(25);
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
  ["lines/write", 11],
  ["lines/s", 10],
  ["MB/s", 5],
  ["CPU ns/line", 11],
  ["stall µs", 8],
  ["peapod: × as fast (95 %)", 23],
  ["× less CPU (95 %)", 19],
] as const;

function printCells(cells: readonly Cell[], loads: readonly Load[], seed: number): void {
  const heading = columns.map(([name, width]) => name.padStart(width)).join("  ");
  console.log(`${"".padEnd(14)}  ${heading}`);
  for (const load of loads) {
    const alike = cells.filter((cell) => cell.load === load);
    const peapod = alike.find(({ pump }) => pump.name === "peapod");
    for (const cell of alike) {
      const words = describe(cell, cell === peapod ? undefined : peapod, seed);
      const text = words.map((word, index) => word.padStart(columns[index]?.[1] ?? 0)).join("  ");
      console.log(`${cell.pump.name.padEnd(14)}  ${text}`);
    }
  }
  console.log(`medians; seed ${seed}`);
}

function describe({ load, samples }: Cell, peapod: Cell | undefined, seed: number): string[] {
  const of = (field: keyof Sample) => median(samples.map((sample) => sample[field]));
  /** How much better peapod is, within each round. */
  const ratio = (better: (ours: Sample, theirs: Sample) => { of: number; to: number }): string => {
    const pairs = samples.flatMap((theirs, round) => {
      const ours = peapod?.samples[round];
      return ours ? [better(ours, theirs)] : [];
    });
    if (pairs.length === 0) return "";
    const { low, middle, high } = ratioInterval(pairs, seededRandom(seed));
    return `${middle.toFixed(2)} (${low.toFixed(2)}–${high.toFixed(2)})`;
  };
  return [
    String(load.lineBytes),
    String(load.writeBytes / load.lineBytes),
    of("linesPerSecond").toFixed(0),
    of("megabytesPerSecond").toFixed(0),
    of("cpuNsPerLine").toFixed(1),
    of("stallUs").toFixed(0),
    ratio((ours, theirs) => ({ of: ours.linesPerSecond, to: theirs.linesPerSecond })),
    ratio((ours, theirs) => ({ of: theirs.cpuNsPerLine, to: ours.cpuNsPerLine })),
  ];
}
