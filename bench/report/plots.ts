// The plots of a report over time, number and share: what the samples show, one question each.
import { area, curveStepAfter, line as pathOfLine } from "d3-shape";
import type { MetricName } from "../metric.ts";
import { binned, median, quantile, quantileOfSorted } from "../statistics.ts";
import { growthOf, groupsOf, roundsOf, summaryOf } from "./analysis.ts";
import {
  band,
  type Chart,
  dot,
  drawChart,
  line,
  type Point,
  segment,
  type Series,
} from "./chart.ts";
import type { BenchResult, CellResult, Report } from "./schema.ts";
import { colours } from "./svg.ts";
import { interval, number, ratio } from "./units.ts";

export type Plot = { readonly name: string; readonly svg: string };

type Drawn = { readonly cell: CellResult; readonly series: Series };

/** ECDF of the start of a pod of two, every subject that ran. */
export function startPlot(report: Report): Plot[] {
  const found = findBench(report, "launch");
  return found === undefined
    ? []
    : groupsOf(found)
        .filter(({ shape }) => shape === "2 containers")
        .flatMap(({ cells, shape }) => {
          const drawn = withSeries(report, found, cells, "up");
          if (drawn.length === 0) return [];
          const chart = ecdf(found, drawn, shape);
          return [{ name: "start", svg: drawChart(chart) }];
        });
}

function ecdf(bench: BenchResult, drawn: readonly Drawn[], shape: string): Chart {
  const curves = drawn.map(({ cell, series }) => ({
    series,
    values: Float64Array.from(roundsOf(bench, cell, "up").flat().map(milli)).sort(),
  }));
  const all = curves.flatMap(({ values }) => [...values]);
  return {
    title: "Start of a pod",
    subtitle: `${shape}, from the request to all running; ${rounds(bench)}`,
    x: { title: "milliseconds (logarithmic)", ...logRange(all), log: true },
    y: { title: "share of starts that took no longer", from: 0, to: 1 },
    series: drawn.map(({ series }) => series),
    draw: ({ x, y }) =>
      curves.map(({ values, series }) => {
        const points = [...values].map((value, rank) => ({
          x: x(value),
          y: y((rank + 1) / values.length),
        }));
        const first = { x: x(values[0] ?? 0), y: y(0) };
        return line(stepped([first, ...points]), series);
      }),
  };
}

/** Join latency against the number of containers, with the band of the rounds. */
export function joinPlot(report: Report): Plot[] {
  const bench = findBench(report, "join");
  if (bench === undefined) return [];
  const longest = groupsOf(bench)
    .map((group) => ({ ...group, drawn: withSeries(report, bench, group.cells, "join") }))
    .filter(({ drawn }) => drawn.length > 0)
    .toSorted((a, b) => lengthOf(bench, b.drawn) - lengthOf(bench, a.drawn))[0];
  if (longest === undefined) return [];
  return [{ name: "join", svg: drawChart(joinChart(bench, longest.drawn)) }];
}

const joinBin = 10;

function joinChart(bench: BenchResult, drawn: readonly Drawn[]): Chart {
  const count = lengthOf(bench, drawn);
  const size = Math.max(1, Math.round(count / 1000) * joinBin);
  const curves = drawn.map(({ cell, series }) => {
    const measured = roundsOf(bench, cell, "join");
    const bins = binned(
      Array.from({ length: count }, (_, place) => place),
      size,
    );
    const points = bins.map(({ x }, index) => {
      const values = measured.flatMap((each) => each.slice(index * size, (index + 1) * size));
      return {
        n: x,
        low: quantile(values, 0.1),
        middle: median(values),
        high: quantile(values, 0.9),
      };
    });
    return { series, points };
  });
  const most = Math.max(...curves.flatMap(({ points }) => points.map(({ high }) => high)));
  const said = drawn.flatMap(({ cell }) => {
    const growth = growthOf(bench, cell);
    if (growth === undefined) return [];
    return [`${cell.subject} ${ratio(growth.ratio.middle)} (${interval(growth.ratio)})`];
  });
  return {
    title: "Joining a pod: the n-th container",
    subtitle: [
      ...(said.length === 0 ? [] : [`last ten ÷ second to eleventh: ${said.join(", ")}`]),
      `${rounds(bench)}, band 10–90 %`,
    ].join("; "),
    x: { title: "containers in the pod", from: 0, to: count },
    y: { title: "microseconds from request to running", from: 0, to: most * 1.1 },
    series: drawn.map(({ series }) => series),
    draw: ({ x, y }) =>
      curves.flatMap(({ series, points }) => [
        band(
          area<(typeof points)[number]>(
            ({ n }) => x(n),
            ({ low }) => y(low),
            ({ high }) => y(high),
          )(points),
          series.colour,
        ),
        line(joined(points.map(({ n, middle }) => ({ x: x(n), y: y(middle) }))), series),
      ]),
  };
}

/** Pods a second against how many are made at a time. */
export function throughputPlot(report: Report): Plot[] {
  const bench = findBench(report, "throughput");
  if (bench === undefined) return [];
  const bySubject = Map.groupBy(bench.cells, ({ subject }) => subject);
  const curves = [...bySubject].flatMap(([subject, cells]) => {
    const points = cells.flatMap((cell) => {
      const rate = summaryOf(bench, cell, "rate")?.median;
      return rate === undefined ? [] : [{ n: Number.parseInt(cell.work, 10), ...rate }];
    });
    return points.length === 0 ? [] : [{ series: seriesOf(report, subject), points }];
  });
  if (curves.length === 0) return [];
  const all = curves.flatMap(({ points }) => points);
  const places = [...new Set(all.map(({ n }) => n))].toSorted((a, b) => a - b);
  const chart: Chart = {
    title: "Creating and destroying pods",
    subtitle: "pods of one container, without pause; hairlines are 95 % intervals",
    x: {
      title: "pods at a time (logarithmic)",
      from: (places[0] ?? 1) * 0.9,
      to: (places.at(-1) ?? 1) * 1.1,
      log: true,
      ticks: places,
    },
    y: { title: "pods a second", from: 0, to: Math.max(...all.map(({ high }) => high)) * 1.1 },
    series: curves.map(({ series }) => series),
    draw: ({ x, y }) =>
      curves.flatMap(({ series, points }) => [
        line(joined(points.map(({ n, middle }) => ({ x: x(n), y: y(middle) }))), series),
        ...points.flatMap(({ n, low, middle, high }) => [
          segment({ x: x(n), y: y(low) }, { x: x(n), y: y(high) }, `line thin s${series.colour}`),
          dot(x(n), y(middle), 3.5, series.colour, `${series.name}: ${number(middle)} pods/s`),
        ]),
      ]),
  };
  return [{ name: "throughput", svg: drawChart(chart) }];
}

/** What the machine has less, against how many idle pods there are. */
export function memoryPlot(report: Report): Plot[] {
  const bench = findBench(report, "memory");
  if (bench === undefined) return [];
  const metrics: readonly (readonly [MetricName, string, boolean])[] = [
    ["taken-memory", "taken from MemAvailable", false],
    ["kernel-memory", "the kernel's", true],
  ];
  // Peers weigh fewer pods than calls do; each subject shows its largest crowd.
  const largest = [...Map.groupBy(bench.cells, ({ subject }) => subject).values()].map((cells) =>
    cells.reduce((most, cell) => (crowdOf(cell) > crowdOf(most) ? cell : most)),
  );
  const curves = largest.flatMap((cell) =>
    metrics.flatMap(([metric, says, dashed]) => {
      const places = roundsOf(bench, cell, "pods")[0] ?? [];
      const measured = roundsOf(bench, cell, metric);
      if (measured.length === 0) return [];
      const points = places.map((n, place) => ({
        n,
        mebibytes: median(measured.flatMap((round) => round.slice(place, place + 1))) / 1024,
      }));
      const { colour } = seriesOf(report, cell.subject);
      return [{ series: { name: `${cell.subject}: ${says}`, colour, dashed }, points }];
    }),
  );
  const all = curves.flatMap(({ points }) => points);
  if (all.length === 0) return [];
  const mebibytes = all.map((point) => point.mebibytes);
  const chart: Chart = {
    title: "Memory of idle pods",
    subtitle: "pods of one container, their own processes included",
    x: { title: "pods", from: 0, to: Math.max(...all.map(({ n }) => n)) },
    y: {
      title: "MiB",
      from: Math.min(0, ...mebibytes),
      to: Math.max(...mebibytes) * 1.1,
    },
    series: curves.map(({ series }) => series),
    draw: ({ x, y }) =>
      curves.map(({ series, points }) =>
        line(joined(points.map((point) => ({ x: x(point.n), y: y(point.mebibytes) }))), series),
      ),
  };
  return [{ name: "memory", svg: drawChart(chart) }];
}

/** How many pods a memory cell weighs at the end. */
const crowdOf = ({ samples }: CellResult): number =>
  Math.max(0, ...samples.flatMap((sample) => sample?.["pods"] ?? []));

const slotMs = 200;

/** Cycles of a long run as time goes by: medians as lines, the slowest of each slot as dots. */
export function sustainedPlot(report: Report): Plot[] {
  const bench = findBench(report, "sustained");
  if (bench === undefined) return [];
  const curves = withSeries(report, bench, bench.cells, "cycle").map(({ cell, series }) => {
    const cycles = roundsOf(bench, cell, "cycle")[0] ?? [];
    const ends = roundsOf(bench, cell, "cycle-end")[0] ?? [];
    const slots = Map.groupBy(cycles.keys(), (index) =>
      Math.floor((ends[index] ?? 0) / 1000 / slotMs),
    );
    const points = [...slots].map(([slot, indexes]) => {
      const values = indexes.map((index) => milli(cycles[index] ?? 0));
      return {
        s: ((slot + 0.5) * slotMs) / 1000,
        middle: median(values),
        most: Math.max(...values),
      };
    });
    return { series, points: points.toSorted((a, b) => a.s - b.s) };
  });
  const all = curves.flatMap(({ points }) => points);
  if (all.length === 0) return [];
  const extremes = all.flatMap(({ middle, most }) => [middle, most]);
  const chart: Chart = {
    title: "A sustained run",
    subtitle: `one pod's creation and destruction, two at a time: median of ${slotMs} ms, and slowest`,
    x: { title: "seconds", from: 0, to: Math.max(...all.map(({ s }) => s)) },
    y: { title: "milliseconds (logarithmic)", ...logRange(extremes), log: true },
    series: curves.map(({ series }) => series),
    draw: ({ x, y }) =>
      curves.flatMap(({ series, points }) => [
        line(joined(points.map(({ s, middle }) => ({ x: x(s), y: y(middle) }))), series),
        ...points.map(({ s, most }) =>
          dot(x(s), y(most), 1.6, series.colour, `${series.name}: ${number(most)} ms`),
        ),
      ]),
  };
  return [{ name: "sustained", svg: drawChart(chart) }];
}

export function findBench(report: Report, name: string): BenchResult | undefined {
  return report.benches.find((bench) => bench.name === name && bench.rounds.length > 0);
}

/** The same colour for the same subject in every plot of a report. */
export function seriesOf(report: Report, subject: string): Series {
  const plain = subject.replace(" (again)", "");
  const fixed = ["peapod", "floor", "floor (naive)"];
  const others = report.subjects
    .map(({ name }) => name)
    .filter((name) => !fixed.includes(name) && !name.endsWith(" (again)"));
  const place = others.indexOf(plain);
  // More subjects than colours: those of peapod and the floors stay theirs.
  const free = colours - fixed.length;
  const colour = place < 0 ? fixed.indexOf(plain) : fixed.length + (place % free);
  const dashed = plain !== subject || place >= free;
  return { name: subject, colour: Math.max(0, colour), dashed };
}

function withSeries(
  report: Report,
  bench: BenchResult,
  cells: readonly CellResult[],
  metric: MetricName,
): Drawn[] {
  return cells
    .filter((cell) => roundsOf(bench, cell, metric).length > 0)
    .map((cell) => ({ cell, series: seriesOf(report, cell.subject) }));
}

const lengthOf = (bench: BenchResult, drawn: readonly Drawn[]): number =>
  Math.max(...drawn.flatMap(({ cell }) => roundsOf(bench, cell, "join").map((one) => one.length)));

const rounds = ({ rounds: { length } }: BenchResult): string =>
  length === 1 ? "1 round" : `${length} rounds`;

const milli = (microseconds: number): number => microseconds / 1000;

function logRange(values: readonly number[]): { readonly from: number; readonly to: number } {
  const sorted = Float64Array.from(values).sort();
  return { from: quantileOfSorted(sorted, 0) * 0.8, to: quantileOfSorted(sorted, 1) * 1.25 };
}

const joined = (points: readonly Point[]): string | null => paths(points);
const stepped = (points: readonly Point[]): string | null => steps(points);
const paths = pathOfLine<Point>(
  ({ x }) => x,
  ({ y }) => y,
);
const steps = pathOfLine<Point>(
  ({ x }) => x,
  ({ y }) => y,
).curve(curveStepAfter);
