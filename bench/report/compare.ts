// Two results of one machine beside each other: what became slower, what faster, and what cannot be
// told apart.
import { parseArgs } from "node:util";
import { type MetricName, metricOf } from "../metric.ts";
import { type Interval, medianInterval, seededRandom } from "../statistics.ts";
import { metricsOf, roundsOf } from "./analysis.ts";
import { type BenchResult, type CellResult, readReport, type Report } from "./schema.ts";
import { align } from "./terminal.ts";
import { number, ratio } from "./units.ts";

const usage = `bun run bench compare A.json B.json: medians of both, and B over A; a change is one
whose interval leaves out 1`;

export type Change = {
  readonly bench: string;
  readonly metric: MetricName;
  readonly subject: string;
  readonly shape: string;
  readonly work: string;
  readonly before: Interval;
  readonly after: Interval;
  /** Of the medians, after over before; low and high from the ends of their intervals. */
  readonly ratio: Interval;
  readonly verdict: "better" | "worse" | "same";
};

export async function compareFiles(words: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: { help: { type: "boolean", short: "h", default: false } },
  });
  const [left, right, ...rest] = positionals;
  if (values.help || left === undefined || right === undefined || rest.length > 0) {
    console.log(usage);
    return values.help ? 0 : 2;
  }
  console.log(printChanges(await readReport(left), await readReport(right)));
  return 0;
}

export function printChanges(before: Report, after: Report): string {
  const changes = compareReports(before, after);
  const rows = changes.map(({ bench, metric, subject, shape, work, ...change }) => [
    change.verdict,
    `${bench} · ${metric} · ${subject} · ${shape} · ${work}`,
    `${number(change.before.middle)} ${metricOf(metric).unit}`,
    number(change.after.middle),
    `${ratio(change.ratio.middle)} (${ratio(change.ratio.low)}–${ratio(change.ratio.high)})`,
  ]);
  const count = (verdict: Change["verdict"]) =>
    changes.filter((change) => change.verdict === verdict).length;
  const summary =
    `${count("better")} better, ${count("worse")} worse, ${count("same")} not told apart; ` +
    "what only one of the two has is not shown";
  const table = align([["", "what", "before", "after", "after / before"], ...rows]);
  return [...printDifferences(before, after), table, summary].join("\n\n");
}

/** Results of two machines say nothing about a change of the program. */
function printDifferences(before: Report, after: Report): string[] {
  const names = Object.keys({ ...before.environment, ...after.environment });
  const different = names.filter((name) => before.environment[name] !== after.environment[name]);
  if (different.length === 0) return [];
  const lines = different.map(
    (name) =>
      `  ${name}: ${before.environment[name] ?? "unknown"} → ${after.environment[name] ?? "unknown"}`,
  );
  return [`the machines were not the same:\n${lines.join("\n")}`];
}

export function compareReports(before: Report, after: Report): Change[] {
  return before.benches.flatMap((bench) => {
    const other = after.benches.find(({ name }) => name === bench.name);
    return other === undefined ? [] : compareBenches(bench, other);
  });
}

function compareBenches(before: BenchResult, after: BenchResult): Change[] {
  return before.cells.flatMap((cell) => {
    const other = after.cells.find(
      ({ subject, shape, work }) =>
        subject === cell.subject && shape === cell.shape && work === cell.work,
    );
    return other === undefined ? [] : compareCells(before, cell, after, other);
  });
}

function compareCells(
  before: BenchResult,
  cell: CellResult,
  after: BenchResult,
  other: CellResult,
): Change[] {
  const { subject, shape, work } = cell;
  return metricsOf([cell]).flatMap((metric) => {
    const [old, young] = [roundsOf(before, cell, metric), roundsOf(after, other, metric)];
    if (metricOf(metric).better === "none" || old.length === 0 || young.length === 0) return [];
    const [left, right] = [old, young].map((rounds) =>
      medianInterval(rounds, seededRandom(before.seed)),
    );
    if (left === undefined || right === undefined) return [];
    // Not paired: the two ran at different times. The ends make it wider than it need be.
    const change: Interval = {
      low: right.low / left.high,
      middle: right.middle / left.middle,
      high: right.high / left.low,
    };
    const verdict = verdictOf(change, metric);
    return [
      {
        bench: before.name,
        metric,
        subject,
        shape,
        work,
        before: left,
        after: right,
        ratio: change,
        verdict,
      },
    ];
  });
}

function verdictOf({ low, high }: Interval, metric: MetricName): Change["verdict"] {
  if (low <= 1 && high >= 1) return "same";
  return low > 1 === (metricOf(metric).better === "more") ? "better" : "worse";
}
