// Plots of named rows: the forest of ratios, and the waterfall of one launch.
import { scaleLinear, scaleLog } from "d3-scale";
import { metricOf } from "../metric.ts";
import { type Comparison, comparisonsOf } from "./analysis.ts";
import { dot, logTicks, segment, width } from "./chart.ts";
import { type Plot, seriesOf } from "./plots.ts";
import type { Report, Waterfall } from "./schema.ts";
import { colours, element, escape, label, picture } from "./svg.ts";
import { interval, number, ratio } from "./units.ts";

const rowHeight = 18;
const margin = { left: 330, right: 130, top: 66, bottom: 50 };

/** Ratios of one kind as a forest: a point, its interval, and 1 where nothing would differ. */
export function forestPlots(report: Report): Plot[] {
  const ratiosOf = (wanted: (bench: string) => boolean) =>
    report.benches
      .filter(({ name }) => wanted(name))
      .flatMap((bench) => comparisonsOf(report, bench))
      .filter(({ metric }) => isHeadline(metric));
  const all = ratiosOf((name) => !variations.includes(name));
  const shapes = ratiosOf((name) => variations.includes(name)).filter(
    ({ kind, of, metric }) => kind === "call" && of === "peapod" && metric !== "first",
  );
  const kinds = [
    ["call", "ratio-floor", "Ratios to the floor", "calls of a running service"],
    ["command", "ratio-command", "Commands against peapod's command", "a program for each request"],
    [
      "call against command",
      "ratio-call",
      "Commands of others against one call of peapod",
      "unlike by nature: an engine starts a program for each container",
    ],
  ] as const;
  const forests = kinds.map(([kind, name, title, subtitle]) => {
    return { name, title, subtitle, rows: all.filter((each) => each.kind === kind) };
  });
  const [title, subtitle] = ["peapod and the floor on other shapes", "both on the same shape"];
  return [...forests, { name: "ratio-shapes", title, subtitle, rows: shapes }]
    .filter(({ rows }) => rows.length > 0)
    .map((forest) => ({
      name: forest.name,
      svg: drawForest(report, forest.rows, forest.title, forest.subtitle),
    }));
}

const variations: readonly string[] = ["shapes", "crowd"];

/** CPU times and memory have their tables. */
const isHeadline = (metric: Comparison["metric"]): boolean =>
  ["up", "first", "join", "exec", "down", "lifecycle", "rate", "mass-down"].includes(metric);

function drawForest(
  report: Report,
  rows: readonly Comparison[],
  title: string,
  subtitle: string,
): string {
  const ends = rows.flatMap(({ ratio: { low, high } }) => [low, high]);
  const [least, most] = [Math.min(0.8, ...ends), Math.max(1.25, ...ends)];
  const scale = scaleLog()
    .domain([least, most])
    .range([margin.left, width - margin.right]);
  const bottom = margin.top + rows.length * rowHeight;
  const ticks = logTicks(least, most);
  return picture(
    title,
    { width, height: bottom + margin.bottom },
    ...headings(title, `${subtitle}; median of the rounds' ratios and its 95 % interval`),
    ...ticks.map((tick) => gridLine(scale(tick), bottom, String(tick))),
    segment({ x: scale(1), y: margin.top - 6 }, { x: scale(1), y: bottom }, "axis"),
    ...rows.flatMap((row, index) =>
      drawRatio(report, row, scale, margin.top + (index + 0.5) * rowHeight),
    ),
    axisTitle("times as much (logarithmic); for rates, times as many", bottom),
  );
}

function drawRatio(
  report: Report,
  row: Comparison,
  x: (value: number) => number,
  y: number,
): string[] {
  const { low, middle, high } = row.ratio;
  const { colour } = seriesOf(report, row.of);
  const name = `${row.metric} · ${row.of} · ${row.shape}${workSuffix(row)}`;
  const text = `${ratio(middle)} (${interval(row.ratio)})`;
  const style = `line s${colour % colours}`;
  const tip = `${name} against ${row.to}: ${text}. ${metricOf(row.metric).says}`;
  return [
    label(shorten(name, 50), { x: margin.left - 10, y: y + 4, "text-anchor": "end" }, name),
    segment({ x: x(low), y }, { x: x(high), y }, style),
    dot(x(middle), y, 3.5, colour, tip),
    label(text, { class: "soft", x: width - margin.right + 8, y: y + 4 }),
  ];
}

const workSuffix = ({ work }: Comparison): string => (work === "launch" ? "" : ` · ${work}`);

/**
 * Where the time of one launch goes: a picture for each subject, all of one scale, with a bar for
 * each lane in the colours of its stages.
 */
export function waterfallPlots(report: Report): Plot[] {
  const traced = report.waterfalls.filter(({ spans }) => spans.length > 0);
  const endMs = Math.max(0, ...traced.flatMap(({ spans }) => spans.map((span) => span.endMs)));
  return traced.map((waterfall) => ({
    name: `waterfall-${waterfall.subject.replaceAll(/\W+/g, "-")}`,
    svg: drawWaterfall(waterfall, endMs),
  }));
}

function drawWaterfall(waterfall: Waterfall, endMs: number): string {
  const lanes = [...new Set(waterfall.spans.map(({ lane }) => lane))];
  const stages = longestStages(waterfall);
  const names = stageNames(stages);
  const x = scaleLinear()
    .domain([0, endMs])
    .range([laneNames, width - 24]);
  const top = margin.top + names.height;
  const bottom = top + lanes.length * rowHeight;
  const title = `Where the time of one launch goes: ${waterfall.subject}`;
  return picture(
    title,
    { width, height: bottom + margin.bottom },
    ...headings(title, `one traced launch of ${waterfall.shape}, the median of several`),
    ...names.drawn,
    ...x.ticks(8).map((tick) => gridLine(x(tick), bottom, String(tick), top)),
    ...lanes.flatMap((lane, index) =>
      drawLane(waterfall, lane, stages, x, top + index * rowHeight),
    ),
    axisTitle("milliseconds since the request", bottom),
  );
}

const laneNames = 110;

/** One colour stays for all that take less. */
function longestStages({ spans }: Waterfall): string[] {
  const took = Map.groupBy(spans, ({ stage }) => stage);
  const sums = [...took].map(([stage, all]) => ({
    stage,
    sum: all.reduce((sum, { startMs, endMs }) => sum + endMs - startMs, 0),
  }));
  const sorted = sums.toSorted((a, b) => b.sum - a.sum).map(({ stage }) => stage);
  return sorted.length <= colours ? sorted : [...sorted.slice(0, colours - 1), others];
}

const others = "others";

function drawLane(
  { spans }: Waterfall,
  lane: string,
  stages: readonly string[],
  x: (value: number) => number,
  y: number,
): string[] {
  const own = spans.filter((span) => span.lane === lane);
  return [
    label(lane, { x: laneNames - 10, y: y + 13, "text-anchor": "end" }),
    ...own.map((span) => {
      const wide = Math.max(0.6, x(span.endMs) - x(span.startMs));
      const took = `${number((span.endMs - span.startMs) * 1000)} µs`;
      const known = stages.indexOf(span.stage);
      const colour = known < 0 ? colours - 1 : known;
      return element(
        "rect",
        { class: `mark s${colour}`, x: x(span.startMs), y: y + 3, width: wide, height: 12 },
        element("title", {}, escape(`${span.stage}: ${span.label}, ${took}`)),
      );
    }),
  ];
}

function stageNames(stages: readonly string[]): {
  readonly height: number;
  readonly drawn: string[];
} {
  const [left, rowOfNames] = [24, 20];
  let [x, y] = [left, 56];
  const drawn = stages.map((stage, index) => {
    const wide = 32 + stage.length * 7;
    if (x + wide > width) [x, y] = [left, y + rowOfNames];
    const attributes = { class: `mark s${index}`, x, y, width: 12, height: 12 };
    const name = element("rect", attributes) + label(stage, { x: x + 17, y: y + 10 });
    x += wide;
    return name;
  });
  return { height: y - 56 + rowOfNames, drawn };
}

function headings(title: string, subtitle: string): string[] {
  return [
    label(title, { class: "title", x: 24, y: 24 }),
    label(subtitle, { class: "soft", x: 24, y: 43 }),
  ];
}

function gridLine(x: number, bottom: number, text: string, top = margin.top - 6): string {
  const attributes = { class: "soft", x, y: bottom + 18, "text-anchor": "middle" };
  return segment({ x, y: top }, { x, y: bottom }, "grid") + label(text, attributes);
}

const axisTitle = (text: string, bottom: number): string =>
  label(text, {
    x: (margin.left + width - margin.right) / 2,
    y: bottom + 38,
    "text-anchor": "middle",
  });

const shorten = (text: string, most: number): string =>
  text.length <= most ? text : `${text.slice(0, most - 1)}…`;
