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

/** Where the time of one launch goes: a bar for each lane, in the colours of its stages. */
export function waterfallPlots(report: Report): Plot[] {
  if (report.waterfalls.length === 0) return [];
  const endMs = Math.max(
    ...report.waterfalls.flatMap(({ spans }) => spans.map((span) => span.endMs)),
  );
  const lanes = report.waterfalls.flatMap((waterfall) =>
    [...new Set(waterfall.spans.map(({ lane }) => lane))].map((lane) => ({ waterfall, lane })),
  );
  const stages = [...new Set(report.waterfalls.flatMap(({ spans }) => spans.map((s) => s.stage)))];
  const x = scaleLinear()
    .domain([0, endMs])
    .range([margin.left, width - 24]);
  const top = margin.top + 24;
  const bottom = top + lanes.length * rowHeight;
  const svg = picture(
    "Where the time of one launch goes",
    { width, height: bottom + margin.bottom },
    ...headings("Where the time of one launch goes", subtitleOf(report.waterfalls)),
    ...stageNames(stages),
    ...x.ticks(8).map((tick) => gridLine(x(tick), bottom, String(tick), top)),
    ...lanes.flatMap(({ waterfall, lane }, index) =>
      drawLane(waterfall, lane, stages, x, top + index * rowHeight),
    ),
    axisTitle("milliseconds since the request", bottom),
  );
  return [{ name: "waterfall", svg }];
}

const subtitleOf = (waterfalls: readonly Waterfall[]): string =>
  `one traced launch each of ${waterfalls[0]?.shape ?? ""}; tracing itself costs a little`;

function drawLane(
  { subject, spans }: Waterfall,
  lane: string,
  stages: readonly string[],
  x: (value: number) => number,
  y: number,
): string[] {
  const own = spans.filter((span) => span.lane === lane);
  return [
    label(`${subject} · ${lane}`, { x: margin.left - 10, y: y + 13, "text-anchor": "end" }),
    ...own.map((span) => {
      const wide = Math.max(0.6, x(span.endMs) - x(span.startMs));
      const took = `${number((span.endMs - span.startMs) * 1000)} µs`;
      const colour = stages.indexOf(span.stage) % colours;
      return element(
        "rect",
        { class: `mark s${colour}`, x: x(span.startMs), y: y + 3, width: wide, height: 12 },
        element("title", {}, escape(`${span.stage}: ${span.label}, ${took}`)),
      );
    }),
  ];
}

function stageNames(stages: readonly string[]): string[] {
  let x = 24;
  return stages.map((stage, index) => {
    const attributes = { class: `mark s${index % colours}`, x, y: 56, width: 12, height: 12 };
    const drawn = element("rect", attributes) + label(stage, { x: x + 17, y: 66 });
    x += 32 + stage.length * 7;
    return drawn;
  });
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
