// What the samples of a report say: summaries of cells, and ratios between cells that did the same.
import { type MetricName, metricNames, metricOf } from "../metric.ts";
import {
  binned,
  type Interval,
  intervalOfRounds,
  median,
  medianInterval,
  medianSlope,
  quantileOfSorted,
  ratioInterval,
  seededRandom,
} from "../statistics.ts";
import type { BenchResult, CellResult, Report } from "./schema.ts";

export type Summary = {
  readonly cell: CellResult;
  readonly metric: MetricName;
  readonly count: number;
  readonly p90: number;
  readonly p99: number;
  readonly most: number;
  readonly median: Interval;
};

/** Like with like: the same surface; or one call of ours against the commands of an engine. */
export type Kind = "call" | "command" | "call against command";

export type Comparison = {
  readonly metric: MetricName;
  readonly shape: string;
  readonly work: string;
  readonly of: string;
  readonly to: string;
  readonly kind: Kind;
  /** Above 1: `of` takes more than `to`. */
  readonly ratio: Interval;
  readonly rounds: number;
};

/** Cells that did the same work on the same shape, in the order they were planned in. */
export type Group = {
  readonly shape: string;
  readonly work: string;
  readonly cells: readonly CellResult[];
};

export function groupsOf(bench: BenchResult): Group[] {
  const groups = Map.groupBy(bench.cells, ({ shape, work }) => JSON.stringify([shape, work]));
  return [...groups.values()].map((cells) => ({
    shape: cells[0]?.shape ?? "",
    work: cells[0]?.work ?? "",
    cells,
  }));
}

/** One list of values for each round that counts: measured, not failed, not disturbed. */
export function roundsOf(bench: BenchResult, cell: CellResult, metric: MetricName): number[][] {
  return cell.samples.flatMap((sample, round) => {
    const values = sample?.[metric];
    const counts = bench.rounds[round]?.disturbed === false;
    return values === undefined || values.length === 0 || !counts ? [] : [values];
  });
}

export function metricsOf(cells: readonly CellResult[]): MetricName[] {
  return metricNames.filter((metric) =>
    cells.some((cell) => cell.samples.some((sample) => sample?.[metric] !== undefined)),
  );
}

export function summaryOf(
  bench: BenchResult,
  cell: CellResult,
  metric: MetricName,
): Summary | undefined {
  const rounds = roundsOf(bench, cell, metric);
  if (rounds.length === 0) return undefined;
  const sorted = Float64Array.from(rounds.flat()).sort();
  return {
    cell,
    metric,
    count: sorted.length,
    p90: quantileOfSorted(sorted, 0.9),
    p99: quantileOfSorted(sorted, 0.99),
    most: quantileOfSorted(sorted, 1),
    median: medianInterval(rounds, seededRandom(bench.seed)),
  };
}

/** Several values of one round are one observation of it: their median. */
export function compareCells(
  bench: BenchResult,
  of: CellResult,
  to: CellResult,
  metric: MetricName,
): { readonly ratio: Interval; readonly rounds: number } | undefined {
  const pairs = of.samples.flatMap((sample, round) => {
    const [left, right] = [sample?.[metric], to.samples[round]?.[metric]];
    if (left === undefined || right === undefined || bench.rounds[round]?.disturbed !== false)
      return [];
    return left.length === 0 || right.length === 0 ? [] : [{ of: median(left), to: median(right) }];
  });
  if (pairs.length === 0) return undefined;
  return { ratio: ratioInterval(pairs, seededRandom(bench.seed)), rounds: pairs.length };
}

const floor = "floor";
const module = "peapod";
const commands = ["peapod (compiled)", "peapod (source)"];

/** Calls against the floor, commands against ours, and across only ours against the peers'. */
export function comparisonsOf(report: Report, bench: BenchResult): Comparison[] {
  const surfaceOf = new Map(report.subjects.map(({ name, surface }) => [name, surface]));
  return groupsOf(bench).flatMap(({ shape, work, cells }) => {
    const present = cells.filter(({ samples }) => samples.some((sample) => sample !== null));
    const find = (name: string) => present.find(({ subject }) => subject === name);
    const command = commands.map(find).find((cell) => cell !== undefined);
    return present.flatMap((cell) => {
      const isCommand = surfaceOf.get(cell.subject) === "command";
      const like = isCommand ? command : find(floor);
      const across = isCommand && !commands.includes(cell.subject) ? find(module) : undefined;
      const kinds: readonly (readonly [Kind, CellResult | undefined])[] = [
        [isCommand ? "command" : "call", like],
        ["call against command", across],
      ];
      return kinds.flatMap(([kind, to]) => compareAll(bench, { shape, work, kind }, cell, to));
    });
  });
}

function compareAll(
  bench: BenchResult,
  where: Pick<Comparison, "shape" | "work" | "kind">,
  of: CellResult,
  to: CellResult | undefined,
): Comparison[] {
  if (to === undefined || of === to) return [];
  return metricsOf([of]).flatMap((metric) => {
    // What a command leaves the kernel to do depends on how long its own end took.
    const isUnlike = where.kind === "call against command" && metric === "drain";
    if (metricOf(metric).better === "none" || isUnlike) return [];
    const compared = compareCells(bench, of, to, metric);
    // Differences of memory may be negative, and a ratio of such says nothing.
    if (compared === undefined || !(compared.ratio.low > 0)) return [];
    return [{ ...where, ...compared, metric, of: of.subject, to: to.subject }];
  });
}

/**
 * The end of the interval that is worse for the claim that `of` takes k times what `to` takes; for
 * rates, that `to` makes k times as many.
 */
export function conservative({ metric, ratio }: Comparison): number {
  return metricOf(metric).better === "more" ? 1 / ratio.high : ratio.low;
}

/** Fewer rounds have an interval, but not one to claim anything by. */
const claimRounds = 5;

/** What can be said in a sentence: by the worse end, above 1, and of peers or commands. */
export function isClaim(comparison: Comparison): boolean {
  const { kind, rounds } = comparison;
  return kind !== "call" && rounds >= claimRounds && conservative(comparison) > 1;
}

export type Growth = {
  /** Microseconds a further container adds. */
  readonly slope: Interval;
  /** The last ten joins over the second to the eleventh. */
  readonly ratio: Interval;
};

const binSize = 10;

/** Of joins in their order. Undefined with fewer than 22 of them: the two ends would meet. */
export function growthOf(bench: BenchResult, cell: CellResult): Growth | undefined {
  const rounds = roundsOf(bench, cell, "join");
  const length = Math.min(...rounds.map((values) => values.length));
  if (rounds.length === 0 || length < 22) return undefined;
  const random = seededRandom(bench.seed);
  const slopeOf = (drawn: readonly (readonly number[])[]) =>
    medianSlope(binned(medianByPlace(drawn, length), binSize));
  const pairs = rounds.map((values) => ({
    of: median(values.slice(-binSize)),
    to: median(values.slice(1, 1 + binSize)),
  }));
  return {
    slope: intervalOfRounds(rounds, slopeOf, random, 200),
    ratio: ratioInterval(pairs, random),
  };
}

export function medianByPlace(rounds: readonly (readonly number[])[], length: number): number[] {
  return Array.from({ length }, (_, place) =>
    median(rounds.flatMap((values) => values.slice(place, place + 1))),
  );
}
