// Results as a table on the terminal.
import { availableParallelism } from "node:os";
import type { Sample } from "./cell.ts";
import { metricNames, metricOf, type MetricName } from "./metric.ts";
import type { Results } from "./rounds.ts";
import { median, quantile, ratioInterval, seededRandom } from "./statistics.ts";

export function printTable(
  results: Results,
  options: { readonly reference: string; readonly seed: number },
): void {
  const metrics = new Set(
    [...results.samples.values()].flatMap((samples) =>
      samples.flatMap((sample) => Object.keys(sample)),
    ),
  );
  for (const metric of metricNames.filter((name) => metrics.has(name))) {
    const rows = [...results.samples].flatMap(([name, samples]) =>
      describe(name, samples, metric, results, options),
    );
    const heading = [
      metric,
      `p50 ${metricOf(metric).unit}`,
      "p90",
      "p99",
      "n",
      `× ${options.reference}`,
      "95 % interval",
    ];
    console.log(`${align([heading, ...rows])}\n`);
  }
  for (const [name, reason] of results.absent) console.log(`${name}: absent (${reason})`);
  const { before, after } = results.load;
  const stolen = after.stolenTicks - before.stolenTicks;
  console.log(
    `seed ${options.seed}, ${availableParallelism()} CPUs, ` +
      `load ${before.runnable} before and ${after.runnable} after, ${stolen} ticks stolen`,
  );
}

function describe(
  name: string,
  samples: readonly Sample[],
  metric: MetricName,
  results: Results,
  options: { readonly reference: string; readonly seed: number },
): string[][] {
  const values = samples.flatMap((sample) => sample[metric] ?? []);
  if (values.length === 0) return [];
  const reference = results.samples.get(options.reference) ?? [];
  // Several values of one round (joins) are one observation of it: their median.
  const pairs = samples.flatMap((sample, round) => {
    const of = sample[metric];
    const to = reference[round]?.[metric];
    return of === undefined || to === undefined ? [] : [{ of: median(of), to: median(to) }];
  });
  const ratio = ratioInterval(pairs, seededRandom(options.seed));
  const known = pairs.length > 0 && name !== options.reference;
  return [
    [
      name,
      ...[0.5, 0.9, 0.99].map((part) => quantile(values, part).toFixed(0)),
      String(values.length),
      known ? ratio.middle.toFixed(2) : "",
      known ? `${ratio.low.toFixed(2)}–${ratio.high.toFixed(2)}` : "",
    ],
  ];
}

/** First column to the left, numbers to the right. */
function align(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join("  "),
    )
    .join("\n");
}
