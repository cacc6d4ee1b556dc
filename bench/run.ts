// One bench from its plan to its results: cells are made, interleaved and named here.
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Bench, PlannedCell, Subjects } from "./benches.ts";
import type { Cell, Sample, Subject, Work } from "./cell.ts";
import type { BenchResult, Report } from "./report/schema.ts";
import { type Entry, runRounds } from "./rounds.ts";
import { shapeName } from "./shape.ts";
import { besideProcesses } from "./sleepers.ts";
import { medianSlope } from "./statistics.ts";

export type RunOptions = {
  readonly seed: number;
  readonly directory: string;
  readonly rounds: number | undefined;
  readonly budgetMs: number | undefined;
  /** Only these subjects, by name; all when empty. */
  readonly only: readonly string[];
  readonly parameter: (name: string) => readonly number[];
  readonly onProgress: (text: string) => void;
};

export async function runBench(
  bench: Bench,
  subjects: Subjects,
  options: RunOptions,
): Promise<BenchResult> {
  const directory = join(options.directory, `peapod-bench-${process.pid}-${bench.name}`);
  const wanted = ({ subject }: PlannedCell) =>
    options.only.length === 0 || options.only.includes(subject.name);
  const planned = bench.cells(subjects, options.parameter).filter(wanted);
  const named = planned.map((cell, index) => ({ ...describe(cell), name: String(index), cell }));
  const entries: Entry[] = named.map(({ name, cell }) => ({
    name,
    cell: makeCell(cell, directory),
  }));
  await mkdir(directory, { recursive: true });
  try {
    const results = await runRounds(entries, {
      rounds: options.rounds ?? bench.rounds,
      warmUps: bench.warmUps,
      seed: options.seed,
      regime: bench.regime,
      ...(options.budgetMs === undefined ? {} : { budgetMs: options.budgetMs }),
      onProgress: options.onProgress,
    });
    return {
      name: bench.name,
      question: bench.question,
      regime: bench.regime,
      seed: options.seed,
      warmUps: bench.warmUps,
      rounds: [...results.rounds],
      load: results.load,
      cells: named.map(({ name, subject, shape, work }) => {
        const { absent, samples = [], failures = [] } = results.cells.get(name) ?? {};
        return {
          subject,
          shape,
          work,
          ...(absent === undefined ? {} : { absent }),
          samples: samples.map((sample) => toRecord(sample)),
          failures: [...failures],
        };
      }),
    };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function makeCell({ subject, work, shape, processes }: PlannedCell, directory: string): Cell {
  const cell = subject.cell({ work, shape, directory });
  return processes === undefined ? cell : besideProcesses(cell, processes);
}

function describe({ subject, work, shape, processes }: PlannedCell) {
  const beside = processes === undefined ? "" : `, ${processes} processes`;
  return { subject: subject.name, shape: `${shapeName(shape)}${beside}`, work: workName(work) };
}

/** How a work is called in tables and files. */
export function workName(work: Work): string {
  switch (work.kind) {
    case "join":
    case "exec":
      return `${work.kind} × ${work.count}`;
    case "throughput":
      return `${work.concurrency} at a time for ${work.durationMs / 1000} s`;
    case "mass-down":
    case "memory":
      return `${work.kind} of ${work.pods} pods`;
    default:
      return work.kind;
  }
}

/** Metrics that were not measured have no entry. */
function toRecord(sample: Sample | undefined): Record<string, number[]> | null {
  if (sample === undefined) return null;
  const entries = Object.entries<readonly number[]>({ ...sample, ...slopesOf(sample) });
  return Object.fromEntries(entries.map(([metric, values]) => [metric, [...values]]));
}

/** What one pod more weighs: totals hold whatever else the machine did since the first reading. */
export function slopesOf(sample: Sample): Sample {
  const slope = (totals: readonly number[] | undefined) => {
    if (sample.pods === undefined || totals === undefined || totals.length < 2) return undefined;
    return [medianSlope(sample.pods.map((x, index) => ({ x, y: totals[index] ?? 0 })))];
  };
  const kernel = slope(sample["kernel-memory"]);
  const taken = slope(sample["taken-memory"]);
  return {
    ...(kernel && { "kernel-memory-each": kernel }),
    ...(taken && { "taken-memory-each": taken }),
  };
}

export async function describeSubject(subject: Subject): Promise<Report["subjects"][number]> {
  const { name, surface, cpuCounts } = subject;
  const version = await subject.version();
  return typeof version === "string"
    ? { name, surface, cpuCounts, version }
    : { name, surface, cpuCounts, absent: version.absent };
}
