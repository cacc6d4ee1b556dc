// Results on the terminal: a table for each metric of each group, with bars, then what can be said
// of ratios.
import { type MetricName, metricOf } from "../metric.ts";
import {
  type Comparison,
  comparisonsOf,
  type Group,
  groupsOf,
  growthOf,
  metricsOf,
  summaryOf,
} from "./analysis.ts";
import type { BenchResult, Report } from "./schema.ts";
import { interval, number, ratio } from "./units.ts";

const barColumns = 24;

export function printBench(report: Report, bench: BenchResult): string {
  const comparisons = comparisonsOf(report, bench);
  const parts = groupsOf(bench).flatMap((group) => [
    ...metricsOf(group.cells)
      .filter((metric) => isShown(metric))
      .map((metric) => printGroup(bench, group, metric, comparisons)),
    printGrowth(bench, group),
    printLacks(group),
  ]);
  const heading = `${bench.name}: ${bench.question} (${bench.regime})`;
  return [heading, ...parts.filter((part) => part !== ""), printNotes(bench)].join("\n\n");
}

/** CPU time stands beside its wall time; what only describes another metric is in the plots. */
const isShown = (metric: MetricName): boolean =>
  metricOf(metric).better !== "none" && !metric.endsWith("-cpu");

function printGroup(
  bench: BenchResult,
  group: Group,
  metric: MetricName,
  comparisons: readonly Comparison[],
): string {
  const summaries = group.cells.flatMap((cell) => summaryOf(bench, cell, metric) ?? []);
  const most = Math.max(...summaries.map(({ median }) => median.middle));
  const cpuMetric = `${metric}-cpu`;
  const [cpuName] = metricsOf(group.cells).filter((name) => name === cpuMetric);
  const rows = summaries.map(({ cell, median, p90, p99, count }) => {
    const cpu = cpuName && summaryOf(bench, cell, cpuName)?.median.middle;
    const compared = comparisons.filter(
      (each) =>
        each.metric === metric &&
        each.of === cell.subject &&
        each.shape === group.shape &&
        each.work === group.work,
    );
    return [
      cell.subject,
      bar(median.middle / most),
      number(median.middle),
      `${number(median.low)}–${number(median.high)}`,
      number(p90),
      number(p99),
      cpu === undefined ? "" : number(cpu),
      String(count),
      compared.map(describe).join("; "),
    ];
  });
  const { unit } = metricOf(metric);
  const title = `${metric} · ${group.shape} · ${group.work}`;
  const heads = [title, "", `p50 ${unit}`, "95 %", "p90", "p99", "CPU µs", "n", "ratio (95 %)"];
  return align([heads, ...rows]);
}

const describe = ({ ratio: { low, middle, high }, to, kind }: Comparison): string => {
  const against = kind === "call against command" ? `call of ${to}` : to;
  return `${ratio(middle)} × ${against} (${interval({ low, middle, high })})`;
};

function printGrowth(bench: BenchResult, group: Group): string {
  return group.cells
    .flatMap((cell) => {
      const growth = growthOf(bench, cell);
      if (growth === undefined) return [];
      const { slope, ratio: ends } = growth;
      return [
        `${cell.subject}: the last ten of ${group.work} cost ${ratio(ends.middle)} × the second ` +
          `to the eleventh (${interval(ends)}); a further container adds ` +
          `${slope.middle.toFixed(3)} µs (${slope.low.toFixed(3)} to ${slope.high.toFixed(3)})`,
      ];
    })
    .join("\n");
}

/** Absences and failures are results, too. */
function printLacks(group: Group): string {
  return group.cells
    .flatMap((cell) => [
      ...(cell.absent === undefined ? [] : [`${cell.subject}: absent: ${firstLine(cell.absent)}`]),
      ...cell.failures.map(({ round, message }) => {
        const when = round < 0 ? "before the first round" : `in round ${round + 1}`;
        return `${cell.subject}: failed ${when}: ${firstLine(message)}`;
      }),
    ])
    .map((line) => `${line} (${group.shape}, ${group.work})`)
    .join("\n");
}

/** The JSON has the rest. */
const firstLine = (text: string): string => text.trim().split("\n")[0] ?? "";

function printNotes({ rounds, seed, load }: BenchResult): string {
  const disturbed = rounds.filter((round) => round.disturbed).length;
  const stolen = rounds.reduce((sum, { stolenMs }) => sum + stolenMs, 0);
  return (
    `${rounds.length} rounds, ${disturbed} of them disturbed and left out; ` +
    `${stolen} ms stolen by the hypervisor; load ${load.before.runnable} before and ` +
    `${load.after.runnable} after; seed ${seed}`
  );
}

function bar(part: number): string {
  const eighths = Math.max(1, Math.round(part * barColumns * 8));
  const rest = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8] ?? "";
  return `${"█".repeat(Math.floor(eighths / 8))}${rest}`;
}

/** Names, bars and ratios to the left, numbers to the right. */
export function align(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  const last = widths.length - 1;
  return rows
    .map((row) =>
      row
        .map((cell, column) => {
          const isLeft = column <= 1 || column === last;
          return isLeft ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0);
        })
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
