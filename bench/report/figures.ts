// The figures of docs/performance.md and the plots beside it, made from a result: a number that was
// not measured cannot get there.
import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { type MetricName, metricOf } from "../metric.ts";
import {
  comparisonsOf,
  conservative,
  type Group,
  groupsOf,
  growthOf,
  isClaim,
  metricsOf,
  summaryOf,
} from "./analysis.ts";
import { drawPlots } from "./draw.ts";
import { type BenchResult, type CellResult, readReport, type Report } from "./schema.ts";
import { interval, number, ratio } from "./units.ts";

const usage = `bun run bench figures FILE.json: write the figures of a result into
docs/performance.md, and its plots into docs/plots/`;

const repository = resolve(import.meta.dir, "../..");
const begin = "<!-- figures: written by `bun run bench figures`, not by hand -->";
const end = "<!-- end of figures -->";

export async function writeFigures(words: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: { help: { type: "boolean", short: "h", default: false } },
  });
  const [path, ...rest] = positionals;
  if (values.help || path === undefined || rest.length > 0) {
    console.log(usage);
    return values.help ? 0 : 2;
  }
  const report = await readReport(path);
  const document = join(repository, "docs/performance.md");
  await Bun.write(document, withFigures(await Bun.file(document).text(), report));
  const plots = join(repository, "docs/plots");
  await mkdir(plots, { recursive: true });
  for (const { name, svg } of drawPlots(report))
    await Bun.write(join(plots, `${name}.svg`), `${svg}\n`);
  return 0;
}

/** The text with everything between the two marks replaced. */
export function withFigures(text: string, report: Report): string {
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`the text has no ${begin} before ${end}`);
  return `${text.slice(0, from + begin.length)}\n\n${printFigures(report)}\n\n${text.slice(to)}`;
}

export function printFigures(report: Report): string {
  return [
    machine(report),
    "### Calls of a running service",
    callTable(report),
    ...growthLines(report),
    "### A command for each request",
    commandTable(report),
    "### What can be claimed",
    claimTable(report),
    "### Plots",
    // The pictures say what they are; the text is for who cannot see them.
    ...drawPlots(report).map(({ name }) => `![${name.replaceAll("-", " ")}](plots/${name}.svg)`),
  ]
    .filter((part) => part !== "")
    .join("\n\n");
}

function machine({ environment, startedAt, tookSeconds, subjects, benches }: Report): string {
  const lines = ["kernel", "processors", "memory", "control groups", "file system of the pods"]
    .concat(["bun", "source"])
    .flatMap((name) =>
      environment[name] === undefined ? [] : [`- ${name}: ${environment[name]}`],
    );
  const versions = subjects
    .filter(({ version, name }) => version !== undefined && !name.endsWith(" (again)"))
    .map(({ name, version }) => `${name}: ${version}`);
  const rounds = benches.map(({ name, rounds: { length } }) => `${name} ${length}`).join(", ");
  return [
    `Measured on ${startedAt.slice(0, 10)} in ${Math.round(tookSeconds / 60)} minutes.`,
    "",
    ...lines,
    `- rounds: ${rounds}`,
    `- subjects: ${versions.join("; ")}`,
  ].join("\n");
}

/** Spans in the order of a pod's life; CPU times and series are in the result. */
const shown: readonly MetricName[] = [
  "up",
  "first",
  "join",
  "exec",
  "down",
  "lifecycle",
  "rate",
  "mass-down",
  "keeper-memory",
  "kernel-memory-each",
  "taken-memory-each",
];

type Row = {
  readonly bench: BenchResult;
  readonly metric: MetricName;
  readonly title: string;
  readonly cells: readonly CellResult[];
};

function rowsOf(report: Report): Row[] {
  return report.benches
    .filter(({ name, rounds }) => name !== "sustained" && rounds.length > 1)
    .flatMap((bench) =>
      groupsToShow(bench).flatMap(({ shape, work, cells }) =>
        shown
          .filter((metric) => metricsOf(cells).includes(metric))
          // The start and end of a pod that is there to be joined are the launch's to tell.
          .filter((metric) => work === "launch" || !["up", "first", "down"].includes(metric))
          .filter((metric) => bench.name === "launch" || metric !== "first")
          .map((metric) => ({ bench, metric, title: titleOf(metric, shape, work), cells })),
      ),
    );
}

/** Few pods weigh less than the noise; peers have no others, so they are in the result alone. */
const groupsToShow = (bench: BenchResult): Group[] =>
  bench.name === "memory" ? groupsOf(bench).slice(0, 1) : groupsOf(bench);

function titleOf(metric: MetricName, shape: string, work: string): string {
  const isTold = work === "launch" || work === metric;
  return [metric, shape, ...(isTold ? [] : [work])].join(" · ");
}

function callTable(report: Report): string {
  const rows = rowsOf(report).flatMap(({ bench, metric, title, cells }) => {
    const find = (name: string) => cells.find(({ subject }) => subject === name);
    const [peapod, floor] = [find("peapod"), find("floor")];
    const own = peapod && summaryOf(bench, peapod, metric);
    if (peapod === undefined || own === undefined) return [];
    const { unit } = metricOf(metric);
    const least = floor && summaryOf(bench, floor, metric);
    const compared = comparisonsOf(report, bench).find(
      (each) =>
        each.of === "peapod" &&
        each.metric === metric &&
        each.shape === peapod.shape &&
        each.work === peapod.work,
    );
    return [
      [
        title,
        least === undefined ? "" : number(least.median.middle),
        `${number(own.median.middle)} ${unit}`,
        ...[own.p90, own.p99].map(number),
        compared === undefined
          ? ""
          : `${ratio(compared.ratio.middle)} (${interval(compared.ratio)})`,
      ],
    ];
  });
  return markdown(["median", "floor", "peapod", "p90", "p99", "× floor (95 %)"], rows);
}

function commandTable(report: Report): string {
  const names = report.subjects
    .filter(({ surface, version }) => surface === "command" && version !== undefined)
    .map(({ name }) => name);
  const rows = rowsOf(report).flatMap(({ bench, metric, title, cells }) => {
    const values = names.map((name) => {
      const cell = cells.find(({ subject }) => subject === name);
      const summary = cell && summaryOf(bench, cell, metric);
      return summary === undefined ? "" : number(summary.median.middle);
    });
    const first = `${title}, ${metricOf(metric).unit}`;
    return values.every((value) => value === "") ? [] : [[first, ...values]];
  });
  return rows.length === 0 ? "No command was measured." : markdown(["median", ...names], rows);
}

function growthLines(report: Report): string[] {
  const lines = report.benches.flatMap((bench) =>
    bench.cells.flatMap((cell) => {
      const growth = growthOf(bench, cell);
      if (growth === undefined) return [];
      const { slope, ratio: ends } = growth;
      return [
        `- ${cell.subject}, ${cell.work}: the last ten took ${ratio(ends.middle)} × the second to ` +
          `the eleventh (${interval(ends)}); a further container adds ` +
          `${slope.middle.toFixed(3)} µs (${slope.low.toFixed(3)} to ${slope.high.toFixed(3)}).`,
      ];
    }),
  );
  return lines.length === 0 ? [] : [lines.join("\n")];
}

/** By the worse end of the interval, and only what is above 1. */
function claimTable(report: Report): string {
  const rows = report.benches
    .flatMap((bench) => comparisonsOf(report, bench))
    .filter((each) => isClaim(each) && shown.includes(each.metric))
    .map((each) => [
      titleOf(each.metric, each.shape, each.work),
      each.of,
      `${ratio(conservative(each))} ×`,
      each.to,
      each.kind,
    ]);
  const heads = ["span", "took, compared with peapod", "at least", "peapod as", "kind"];
  return rows.length === 0 ? "Nothing." : markdown(heads, rows);
}

/** Columns of one width, as the formatter wants them. */
function markdown(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [heads, ...rows];
  const widths = heads.map((_, column) =>
    Math.max(3, ...all.map((row) => Bun.stringWidth(row[column] ?? ""))),
  );
  const line = (row: readonly string[]) =>
    `| ${row.map((text, column) => pad(text, widths[column] ?? 0)).join(" | ")} |`;
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  return [line(heads), rule, ...rows.map(line)].join("\n");
}

const pad = (text: string, width: number): string =>
  text + " ".repeat(width - Bun.stringWidth(text));
