// `bun run bench gate`: in two minutes, whether peapod became slower relative to the floor of the
// same run, or makes more system calls, than `limits.json` allows.
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { makeReport, directoryDefault, showProgress } from "./ask.ts";
import { again, type Bench } from "./benches.ts";
import { judgeCounts, judgeRatios, type Limits, parseLimits, type Verdict } from "./gate-rules.ts";
import { comparisonsOf } from "./report/analysis.ts";
import { printBench } from "./report/terminal.ts";
import { runBench } from "./run.ts";
import { fullShape } from "./shape.ts";
import type { Interval } from "./statistics.ts";
import { allSubjects } from "./subjects.ts";
import { countSystemCalls } from "./system-calls.ts";

const usage = `bun run bench gate [flags]

  --seconds N       for the rounds (default 60)
  --seed N          of the order within rounds (default: from the clock)
  --directory DIR   where writable layers and logs lie (default ${directoryDefault})
  --json FILE       writes every verdict

The limits are in bench/limits.json and may only be lowered. A ratio fails when the lower end of
its 95 % interval is above the limit.`;

const joins = 10;
const commands = 10;

const bench: Bench = {
  name: "gate",
  question: "whether peapod keeps its distance to the floor",
  regime: "isolated",
  rounds: 200,
  warmUps: 3,
  parameters: {},
  cells({ peapod, best }) {
    const launch = { work: { kind: "launch" }, shape: fullShape } as const;
    const join = { work: { kind: "join", count: joins }, shape: fullShape } as const;
    const exec = {
      work: { kind: "exec", count: commands },
      shape: { ...fullShape, containers: 1 },
    } as const;
    return [
      { subject: again(best), ...launch },
      ...[launch, join, exec].flatMap((each) =>
        [peapod, best].map((subject) => ({ subject, ...each })),
      ),
    ];
  },
};

export async function gate(words: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...words],
    options: {
      seconds: { type: "string", default: "60" },
      seed: { type: "string", default: String(Date.now() % 100_000) },
      directory: { type: "string", default: directoryDefault },
      json: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return 0;
  }
  const limits = parseLimits(await Bun.file(join(import.meta.dir, "limits.json")).text());
  const verdicts = [
    ...(await judgeCalls(limits, values.directory)),
    ...(await judgeTimes(limits, values)),
  ];
  for (const { name, result, why } of verdicts) console.log(`${result}: ${name}: ${why}`);
  if (values.json !== undefined) await Bun.write(values.json, JSON.stringify(verdicts));
  return verdicts.some(({ result }) => result === "failed") ? 1 : 0;
}

async function judgeTimes(
  limits: Limits,
  { seed, seconds, directory }: Readonly<Record<"seed" | "seconds" | "directory", string>>,
): Promise<Verdict[]> {
  const startedAt = new Date();
  const result = await runBench(bench, allSubjects(), {
    seed: Number(seed),
    directory,
    rounds: undefined,
    budgetMs: Number(seconds) * 1000,
    only: [],
    parameter: () => [],
    onProgress: showProgress(bench.name),
  });
  const report = await makeReport([result], startedAt, directory);
  console.log(`${printBench(report, result)}\n`);
  const ratios = comparisonsOf(report, result)
    .filter(({ of, to }) => of === "peapod" && to === "floor")
    .map(({ metric, ratio }): [string, Interval] => [metric, ratio]);
  return judgeRatios(limits.ratios, new Map(ratios));
}

async function judgeCalls(limits: Limits, parent: string): Promise<Verdict[]> {
  const directory = await mkdtemp(join(parent, "peapod-bench-"));
  try {
    const counted = await countSystemCalls(directory);
    if ("counts" in counted) return judgeCounts(limits.systemCalls, counted.counts);
    const name = "system calls of a launch, a join and an end";
    return [{ name, result: "skipped", why: counted.absent }];
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
