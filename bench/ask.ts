// One bench on its own: its flags, its run, its table.
import { parseArgs } from "node:util";
import type { Bench } from "./benches.ts";
import { readEnvironment } from "./environment.ts";
import { printBench } from "./report/terminal.ts";
import type { BenchResult, Report } from "./report/schema.ts";
import { describeBusy, readLoad } from "./rounds.ts";
import { describeSubject, runBench } from "./run.ts";
import { allSubjects, subjectList } from "./subjects.ts";

/** In memory: what a disk takes says nothing about who waits for it. */
export const directoryDefault = "/dev/shm";

const common = {
  rounds: { type: "string" },
  seed: { type: "string", default: String(Date.now() % 100_000) },
  subjects: { type: "string", default: "" },
  directory: { type: "string", default: directoryDefault },
  budget: { type: "string" },
  json: { type: "string" },
  anyway: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

export async function ask(bench: Bench, words: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...words],
    options: { ...common, ...parameterOptions(bench) },
  });
  if (values.help) {
    console.log(usageOf(bench));
    return 0;
  }
  if (refuseWhenBusy(values.anyway)) return 1;
  const startedAt = new Date();
  const result = await runBench(bench, allSubjects(), {
    seed: Number(values.seed),
    directory: values.directory,
    rounds: values.rounds === undefined ? undefined : Number(values.rounds),
    budgetMs: values.budget === undefined ? undefined : Number(values.budget) * 1000,
    only: values.subjects.split(",").filter(Boolean),
    parameter: (name) => numbersOf(values[name as keyof typeof values], bench, name),
    onProgress: showProgress(bench.name),
  });
  const report = await makeReport([result], startedAt, values.directory);
  console.log(printBench(report, result));
  if (values.json !== undefined) await Bun.write(values.json, JSON.stringify(report));
  return 0;
}

export async function makeReport(
  results: readonly BenchResult[],
  startedAt: Date,
  directory: string,
): Promise<Report> {
  const subjects = await Promise.all(subjectList(allSubjects()).map(describeSubject));
  // A control is its subject a second time.
  const controls = subjects.map((subject) => ({ ...subject, name: `${subject.name} (again)` }));
  const measured = new Set(results.flatMap(({ cells }) => cells.map(({ subject }) => subject)));
  return {
    format: 1,
    startedAt: startedAt.toISOString(),
    tookSeconds: Math.round((Date.now() - startedAt.getTime()) / 1000),
    environment: await readEnvironment(directory),
    subjects: [...subjects, ...controls].filter(({ name }) => measured.has(name)),
    benches: [...results],
    waterfalls: [],
  };
}

/** On a terminal the line stands still; elsewhere nothing is said between the results. */
export function showProgress(name: string): (text: string) => void {
  if (!process.stderr.isTTY) return () => {};
  return (text) => void process.stderr.write(`\r\x1b[K${name}: ${text}\r`);
}

export function refuseWhenBusy(anyway: boolean): boolean {
  const busy = describeBusy(readLoad());
  if (busy === undefined) return false;
  console.error(
    `${busy}${anyway ? "; measured all the same" : " (--anyway measures all the same)"}`,
  );
  return !anyway;
}

function parameterOptions(bench: Bench): Record<string, { readonly type: "string" }> {
  const names = Object.keys(bench.parameters);
  return Object.fromEntries(names.map((name) => [name, { type: "string" as const }]));
}

function numbersOf(value: string | boolean | undefined, bench: Bench, name: string): number[] {
  const defaults = bench.parameters[name] ?? [];
  if (typeof value !== "string") return [...defaults];
  const numbers = value.split(",").map(Number);
  if (numbers.every((each) => Number.isInteger(each) && each >= 0)) return numbers;
  throw new Error(`--${name} wants whole numbers separated by commas, not ${value}`);
}

function usageOf(bench: Bench): string {
  const parameters = Object.entries<readonly number[]>(bench.parameters).map(
    ([name, values]) => `  --${`${name} N,…`.padEnd(16)}default ${values.join(",")}`,
  );
  return [
    `bun run bench ${bench.name} [flags]: ${bench.question}`,
    "",
    ...parameters,
    `  --rounds N        measured rounds (default ${bench.rounds}), after ${bench.warmUps} that are not`,
    "  --budget SECONDS  no further round begins after this",
    "  --subjects A,B    only these: peapod, floor, crun, … as the tables name them",
    "  --seed N          of the order within rounds (default: from the clock; the result has it)",
    `  --directory DIR   where writable layers and logs lie (default ${directoryDefault})`,
    "  --json FILE       writes all samples",
    "  --anyway          measures on a busy machine, too",
  ].join("\n");
}
