// Every question, one after the other, into one result with its page and plots.
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { directoryDefault, makeReport, refuseWhenBusy, showProgress } from "./ask.ts";
import { benches } from "./benches.ts";
import { endStatesAndCalls } from "./end-state/end-states.ts";
import { logs } from "./logs.ts";
import { traceFloor } from "./metrics/floor-traced.ts";
import { traceLaunch } from "./metrics/traced.ts";
import type { BenchResult, Report } from "./report/schema.ts";
import { printBench } from "./report/terminal.ts";
import { writeReport } from "./report/write.ts";
import { runBench } from "./run.ts";
import { allSubjects } from "./subjects.ts";

const minutesDefault = "45";
const usage = `bun run bench full [flags]: every question, as JSON, page, plots and tables

  --minutes N       for all questions together (default ${minutesDefault}); each runs at least one round
  --questions A,B   only these
  --output DIR      where the result is written (default bench-results)
  --seed N          of every order (default: from the clock; the result has it)
  --directory DIR   where writable layers and logs lie (default ${directoryDefault})
  --anyway          measures on a busy machine, too`;

export async function full(words: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...words],
    options: {
      minutes: { type: "string", default: minutesDefault },
      questions: { type: "string", default: "" },
      output: { type: "string", default: "bench-results" },
      seed: { type: "string", default: String(Date.now() % 100_000) },
      directory: { type: "string", default: directoryDefault },
      anyway: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return 0;
  }
  if (refuseWhenBusy(values.anyway)) return 1;
  const startedAt = new Date();
  const { directory, seed, minutes } = values;
  const name = `bench-${startedAt.toISOString().slice(0, 19).replaceAll(":", "")}`;
  const path = join(values.output, `${name}.json`);
  await mkdir(values.output, { recursive: true });
  const results: BenchResult[] = [];
  const wanted = values.questions.split(",").filter(Boolean);
  const asked = benches.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
  for (const bench of asked) {
    const result = await runBench(bench, allSubjects(), {
      seed: Number(seed),
      directory,
      rounds: undefined,
      budgetMs: (Number(minutes) * 60_000) / asked.length,
      only: [],
      parameter: (parameter) => bench.parameters[parameter] ?? [],
      onProgress: showProgress(bench.name),
    });
    results.push(result);
    // After each: an hour of measuring must not be lost with the last of them.
    const report = await makeReport(results, startedAt, directory);
    await Bun.write(path, JSON.stringify(report));
    console.log(`${printBench(report, result)}\n`);
  }
  const report = await addOthers(await makeReport(results, startedAt, directory), directory);
  await Bun.write(path, JSON.stringify(report));
  for (const file of [path, ...(await writeReport(report, values.output, name))])
    console.log(`written: ${file}`);
  return Number(process.exitCode ?? 0);
}

/** What is no question of time: where a launch spends it, logs, and whether the work was equal. */
async function addOthers(report: Report, parent: string): Promise<Report> {
  const directory = await mkdtemp(join(parent, "peapod-bench-"));
  try {
    const peapod = await tryPart("peapod's launch", () => traceLaunch(directory));
    const floor = await tryPart("the floor's launch", () => traceFloor(directory));
    const endStates = await tryPart("end states", () => endStatesAndCalls(directory));
    const logSamples = await tryPart("logs", () => measureLogs(directory));
    return {
      ...report,
      waterfalls: [peapod, floor].filter((each) => each !== undefined),
      ...(endStates && { endStates }),
      ...(logSamples === undefined ? {} : { logs: logSamples }),
    };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** An hour of measuring is not lost with one part that fails; what failed is missing and said. */
async function tryPart<T>(name: string, part: () => Promise<T>): Promise<T | undefined> {
  try {
    return await part();
  } catch (error) {
    console.error(`${name}: not in the result: ${error instanceof Error ? error.message : error}`);
    process.exitCode = 1;
    return undefined;
  }
}

async function measureLogs(directory: string): Promise<unknown> {
  const file = join(directory, "logs.json");
  const status = await logs(["--directory", directory, "--json", file, "--anyway"]);
  if (status !== 0) throw new Error(`ended with status ${status}`);
  return await Bun.file(file).json();
}
