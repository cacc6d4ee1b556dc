// A plot of two axes: its frame, grid, labels and legend. What is drawn inside is its caller's.
import { scaleLinear, scaleLog } from "d3-scale";
import { colours, element, escape, label, picture } from "./svg.ts";
import { number } from "./units.ts";

export type Axis = {
  readonly title: string;
  readonly from: number;
  readonly to: number;
  readonly log?: boolean;
  /** Where lines are drawn; chosen by the scale otherwise. */
  readonly ticks?: readonly number[];
};

export type Scale = (value: number) => number;
export type Scales = { readonly x: Scale; readonly y: Scale };

/** One entry of the legend, in the colour of its number. */
export type Series = { readonly name: string; readonly colour: number; readonly dashed?: boolean };

export type Chart = {
  readonly title: string;
  readonly subtitle: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly Series[];
  readonly height?: number;
  draw(scales: Scales): string[];
};

export const width = 820;
const margin = { left: 74, right: 20, top: 62, bottom: 52 };
const legendRow = 20;

export function drawChart(chart: Chart): string {
  const names = placeNames(chart.series);
  const top = margin.top + names.rows * legendRow;
  const height = (chart.height ?? 420) + names.rows * legendRow;
  const bottom = height - margin.bottom;
  const scales = {
    x: scaleOf(chart.x, margin.left, width - margin.right),
    y: scaleOf(chart.y, bottom, top),
  };
  return picture(
    `${chart.title}. ${chart.subtitle}`,
    { width, height },
    label(chart.title, { class: "title", x: margin.left, y: 24 }),
    label(chart.subtitle, { class: "soft", x: margin.left, y: 43 }),
    ...names.drawn,
    ...drawX(chart.x, scales.x, top, bottom),
    ...drawY(chart.y, scales.y, top, bottom),
    ...chart.draw(scales),
  );
}

export function line(path: string | null, { colour, dashed }: Omit<Series, "name">): string {
  const style = `line s${colour % colours}${dashed ? " dashed" : ""}`;
  return path === null ? "" : element("path", { class: style, d: path });
}

export function band(path: string | null, colour: number): string {
  return path === null ? "" : element("path", { class: `band s${colour % colours}`, d: path });
}

export function dot(x: number, y: number, radius: number, colour: number, tip: string): string {
  const style = `mark s${colour % colours}`;
  const attributes = { class: style, cx: x, cy: y, r: radius };
  return element("circle", attributes, element("title", {}, escape(tip)));
}

export function segment(from: Point, to: Point, style: string): string {
  return element("line", { class: style, x1: from.x, y1: from.y, x2: to.x, y2: to.y });
}

export type Point = { readonly x: number; readonly y: number };

function scaleOf(axis: Axis, from: number, to: number): Scale {
  const scale = axis.log ? scaleLog() : scaleLinear();
  const placed = scale.domain([axis.from, axis.to]).range([from, to]);
  return (value) => placed(value);
}

function ticksOf(axis: Axis): readonly number[] {
  if (axis.ticks !== undefined) return axis.ticks;
  if (!axis.log) return scaleLinear().domain([axis.from, axis.to]).ticks(6);
  return logTicks(axis.from, axis.to);
}

/** 1, 2, 5, 10, 20, 50 …; all that the scale offers where that would be fewer than two. */
export function logTicks(from: number, to: number): readonly number[] {
  const offered = scaleLog().domain([from, to]).ticks();
  const round = offered.filter((tick) => /^[125]$/.test(tick.toExponential().replace(/e.*/, "")));
  return round.length > 1 ? round : offered;
}

function drawX(axis: Axis, scale: Scale, top: number, bottom: number): string[] {
  const middle = (margin.left + width - margin.right) / 2;
  return [
    ...ticksOf(axis).flatMap((tick) => [
      segment({ x: scale(tick), y: top }, { x: scale(tick), y: bottom }, "grid"),
      label(tickText(tick), {
        class: "soft",
        x: scale(tick),
        y: bottom + 18,
        "text-anchor": "middle",
      }),
    ]),
    segment({ x: margin.left, y: bottom }, { x: width - margin.right, y: bottom }, "axis"),
    label(axis.title, { x: middle, y: bottom + 40, "text-anchor": "middle" }),
  ];
}

function drawY(axis: Axis, scale: Scale, top: number, bottom: number): string[] {
  const middle = (top + bottom) / 2;
  return [
    ...ticksOf(axis).flatMap((tick) => [
      segment(
        { x: margin.left, y: scale(tick) },
        { x: width - margin.right, y: scale(tick) },
        "grid",
      ),
      label(tickText(tick), {
        class: "soft",
        x: margin.left - 8,
        y: scale(tick) + 4,
        "text-anchor": "end",
      }),
    ]),
    label(axis.title, {
      transform: `translate(18 ${Math.round(middle)}) rotate(-90)`,
      "text-anchor": "middle",
    }),
  ];
}

const tickText = (value: number): string =>
  Number.isInteger(value)
    ? number(value).replace(/\.0+$/, "")
    : String(Number(value.toPrecision(3)));

function placeNames(series: readonly Series[]): {
  readonly rows: number;
  readonly drawn: string[];
} {
  let [x, row] = [margin.left, 0];
  const drawn = series.map(({ name, colour, dashed }) => {
    const wide = 40 + name.length * 7;
    if (x + wide > width - margin.right) [x, row] = [margin.left, row + 1];
    const y = margin.top + row * legendRow;
    const style = `line s${colour % colours}${dashed ? " dashed" : ""}`;
    const drawnName =
      segment({ x, y: y - 4 }, { x: x + 20, y: y - 4 }, style) + label(name, { x: x + 26, y });
    x += wide;
    return drawnName;
  });
  return { rows: series.length === 0 ? 0 : row + 1, drawn };
}
