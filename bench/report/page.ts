// The report as one page: plots and tables of a result, without a script and without anything that
// is elsewhere.
import { metricOf } from "../metric.ts";
import {
  comparisonsOf,
  conservative,
  groupsOf,
  isClaim,
  metricsOf,
  summaryOf,
} from "./analysis.ts";
import { drawPlots } from "./draw.ts";
import type { BenchResult, Report } from "./schema.ts";
import { element, escape, plotCss, themeCss } from "./svg.ts";
import { interval, number, ratio } from "./units.ts";

const css = `${themeCss}
body{background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif;margin:2rem auto;
max-width:1000px;padding:0 1rem}
h1,h2,h3{line-height:1.2}h2{margin-top:3rem}.soft{color:var(--soft)}
figure{margin:1.5rem 0;overflow-x:auto}svg{max-width:100%;height:auto}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums;
font-size:13px;margin:.5rem 0 1.5rem}
th,td{border-bottom:1px solid var(--grid);padding:.25rem .6rem;text-align:right;
vertical-align:top;white-space:nowrap}
th:first-child,td:first-child{text-align:left}td.wide{white-space:normal;text-align:left}
.fail{color:#d1242f}
${plotCss}`;

export function printPage(report: Report): string {
  const day = report.startedAt.slice(0, 10);
  const title = `What a pod costs, ${day}`;
  const body = [
    element("h1", {}, escape(title)),
    element("p", { class: "soft" }, introduction),
    ...drawPlots(report).map(({ svg }) => element("figure", {}, svg)),
    section("What can be claimed", claims(report)),
    ...report.benches.map((bench) => section(bench.name, printBenchSection(report, bench))),
    ...(report.endStates ? [section("Equal work", printEndStates(report.endStates))] : []),
    section("Machine and versions", printMachine(report)),
  ].join("\n");
  const viewport = { name: "viewport", content: "width=device-width, initial-scale=1" };
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8">${element("meta", viewport)}
<title>${escape(title)}</title><style>${css}</style></head><body>
${body}
</body></html>
`;
}

const introduction =
  "Medians with 95 % bootstrap intervals over rounds. Every round ran every subject once in a " +
  "seeded random order. Calls are compared with calls and commands with commands, except where a " +
  "heading says otherwise. No sample was dropped: failed rounds are listed, disturbed rounds are " +
  "left out whole and counted.";

const section = (title: string, content: string): string =>
  `${element("h2", {}, escape(title))}\n${content}`;

/** Only by the end of the interval that is worse for the claim, and only above 1. */
function claims(report: Report): string {
  const rows = report.benches
    .flatMap((bench) => comparisonsOf(report, bench))
    .filter((each) => isClaim(each) && !each.metric.endsWith("-cpu"))
    .map((each) => ({ each, times: conservative(each) }))
    .map(({ each, times }) => [
      `${each.metric} · ${each.shape} · ${each.work}`,
      `${each.to} is at least ${ratio(times)} × as fast as ${each.of}`,
      each.kind,
      `${ratio(each.ratio.middle)} (${interval(each.ratio)})`,
    ]);
  if (rows.length === 0) return element("p", {}, "No peer was measured.");
  return table(["what", "claim", "kind", "ratio (95 %)"], rows);
}

function printBenchSection(report: Report, bench: BenchResult): string {
  const disturbed = bench.rounds.filter((round) => round.disturbed).length;
  const notes =
    `${bench.question}. Regime: ${bench.regime}. ${bench.rounds.length} rounds, ${disturbed} ` +
    `disturbed and left out. Seed ${bench.seed}. Load ${bench.load.before.runnable} before and ` +
    `${bench.load.after.runnable} after.`;
  const comparisons = comparisonsOf(report, bench);
  const rows = groupsOf(bench).flatMap(({ shape, work, cells }) =>
    metricsOf(cells)
      .filter((metric) => metricOf(metric).better !== "none")
      .flatMap((metric) =>
        cells.flatMap((cell) => {
          const summary = summaryOf(bench, cell, metric);
          if (summary === undefined) return [];
          const { median, p90, p99, most, count } = summary;
          const compared = comparisons
            .filter((each) => each.metric === metric && each.of === cell.subject)
            .filter((each) => each.shape === shape && each.work === work)
            .map(({ ratio: found, to }) => `${ratio(found.middle)} × ${to} (${interval(found)})`);
          return [
            [
              `${metric} · ${shape} · ${work} · ${cell.subject}`,
              `${number(median.middle)} ${metricOf(metric).unit}`,
              `${number(median.low)}–${number(median.high)}`,
              ...[p90, p99, most].map(number),
              String(count),
              compared.join("; "),
            ],
          ];
        }),
      ),
  );
  const heads = ["metric", "median", "95 %", "p90", "p99", "most", "n", "ratio (95 %)"];
  const samples = element("details", {}, element("summary", {}, "Samples"), table(heads, rows));
  return `${element("p", {}, escape(notes))}\n${samples}\n${printLacks(bench)}`;
}

function printLacks(bench: BenchResult): string {
  const lacks = bench.cells.flatMap(({ subject, shape, work, absent, failures }) => [
    ...(absent === undefined ? [] : [[`${subject} · ${shape} · ${work}`, `absent: ${absent}`]]),
    ...failures.map(({ round, message }) => [
      `${subject} · ${shape} · ${work}`,
      `failed in round ${round + 1}: ${message}`,
    ]),
  ]);
  if (lacks.length === 0) return "";
  const count = `${lacks.length} absences and failures`;
  return element("details", {}, element("summary", {}, count), table(["cell", "why"], lacks));
}

/** Fields in which any subject of the same shape differs; a dot is what peapod has. */
function printEndStates(states: NonNullable<Report["endStates"]>): string {
  const { fields, subjects, differences, calls, absent } = states;
  const names = Object.keys(differences);
  const alike = names.filter((name) => !name.endsWith("own defaults"));
  const find = (name: string, field: string) =>
    differences[name]?.find((difference) => difference.field === field);
  const rows = fields
    .filter((field) => alike.some((name) => find(name, field) !== undefined))
    .map((field) => [
      field,
      subjects["peapod"]?.[field] ?? "–",
      ...alike.map((name) => {
        const different = find(name, field);
        if (different === undefined) return "·";
        return `${different.value ?? "–"} (${different.reason ?? "no reason is known"})`;
      }),
    ]);
  const counts = names.map((name) => [
    name,
    String(fields.length - (differences[name]?.length ?? 0)),
    String(differences[name]?.length ?? 0),
    String(calls[name] ?? ""),
  ]);
  return [
    table(["subject", "equal fields", "different", "system calls to start a pod"], counts),
    table(["field that differs", "peapod", ...alike], rows),
    table(["absent", "why"], Object.entries(absent)),
  ].join("\n");
}

function printMachine(report: Report): string {
  const environment = Object.entries<string>(report.environment);
  const versions = report.subjects.map(({ name, surface, version, absent, cpuCounts }) => [
    name,
    surface,
    version ?? `absent: ${absent ?? ""}`,
    cpuCounts,
  ]);
  return (
    table(["of the machine", ""], environment) +
    table(["subject", "surface", "version", "its CPU time counts"], versions)
  );
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const cell = (text: string) =>
    element("td", text.length > 60 ? { class: "wide" } : {}, escape(text) || " ");
  const head = element("tr", {}, ...heads.map((text) => element("th", {}, escape(text) || " ")));
  const body = rows.map((row) => element("tr", {}, ...row.map(cell))).join("\n");
  return element("div", { class: "scroll" }, element("table", {}, head, body));
}
