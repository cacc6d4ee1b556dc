// What a container costs that joins a pod of many, and what a crowded host adds: mounts, processes.
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Cell, Sample } from "./cell.ts";
import { inCrowd } from "./crowd.ts";
import { describeBusy, type Entry, readLoad, runRounds } from "./rounds.ts";
import { median, ratioInterval, seededRandom } from "./statistics.ts";
import { printTable } from "./table.ts";

const usage = `bun run bench joins [--joins N] [--mounts N] [--processes N] [--rounds R] [--seed S]
                       [--directory DIR] [--anyway]

  --joins      containers that join a pod of two (default 100)
  --mounts     further mounts of the host, in a mount namespace of the run's own (default 2000)
  --processes  further processes of the host (default 4000)
  --rounds     measured rounds (default 5), after one that is not
  --directory  where writable layers and logs lie (default /var/tmp)
  --anyway     measures on a busy machine, too`;

export async function joins(words: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...words],
    options: {
      joins: { type: "string", default: "100" },
      mounts: { type: "string", default: "2000" },
      processes: { type: "string", default: "4000" },
      rounds: { type: "string", default: "5" },
      seed: { type: "string", default: String(Date.now() % 100_000) },
      directory: { type: "string", default: "/var/tmp" },
      anyway: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return 0;
  }
  const busy = describeBusy(readLoad());
  if (busy !== undefined) console.error(`${busy}${values.anyway ? "; measured all the same" : ""}`);
  if (busy !== undefined && !values.anyway) return 1;
  const directory = await mkdtemp(join(values.directory, "peapod-bench-"));
  const shape = { directory, joins: values.joins };
  const seed = Number(values.seed);
  const results = await runRounds(
    [
      workerCell("peapod", shape, { mounts: 0, processes: 0 }),
      workerCell("more mounts", shape, { mounts: Number(values.mounts), processes: 0 }),
      workerCell("more processes", shape, { mounts: 0, processes: Number(values.processes) }),
    ],
    { rounds: Number(values.rounds), warmUps: 1, seed, settleMs: 200 },
  );
  await rm(directory, { recursive: true, force: true });
  printTable(results, { reference: "peapod", seed });
  for (const [name, samples] of results.samples) {
    const pairs = samples.map((sample) => ({
      of: median(sample.join?.slice(-10) ?? []),
      to: median(sample.join?.slice(1, 11) ?? []),
    }));
    const ratio = ratioInterval(pairs, seededRandom(seed));
    console.log(
      `${name}: the last ten joins cost ${ratio.middle.toFixed(2)} × joins 2 to 11 ` +
        `(${ratio.low.toFixed(2)}–${ratio.high.toFixed(2)})`,
    );
  }
  return 0;
}

const settleMs = 2000;

interface Crowd {
  readonly mounts: number;
  readonly processes: number;
}

function workerCell(
  name: string,
  shape: { readonly directory: string; readonly joins: string },
  crowd: Crowd,
): Entry {
  return { name, cell: crowdedCell(name, shape, crowd) };
}

function crowdedCell(
  name: string,
  shape: { readonly directory: string; readonly joins: string },
  crowd: Crowd,
): Cell {
  let worker: ReturnType<typeof startWorker> | undefined;
  return {
    async prepare() {
      if (process.getuid?.() !== 0) return { absent: "needs root" };
      const directory = join(shape.directory, name.replaceAll(" ", "-"));
      worker = startWorker(directory, shape.joins, crowd.mounts);
      const first = await worker.answer();
      return typeof first["absent"] === "string" ? { absent: first["absent"] } : undefined;
    },
    async run(): Promise<Sample> {
      if (worker === undefined) throw new Error("the worker was not started");
      await using _ = await startProcesses(crowd.processes);
      worker.ask();
      // The worker prints what `Cell.run` returned.
      const sample = (await worker.answer()) as unknown as Sample;
      return sample;
    },
    async cleanup() {
      await worker?.end();
    },
  };
}

/** Mounts are made in a namespace of the worker's own, so they are gone with it. */
function startWorker(directory: string, joinsCount: string, mounts: number) {
  const bun = [process.execPath, join(import.meta.dir, "worker.ts"), directory, "2", joinsCount];
  const command = inCrowd(bun, { mounts, directory });
  const child = Bun.spawn(command, { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
  const lines = readLines(child.stdout);
  return {
    ask() {
      child.stdin.write("\n");
      child.stdin.flush();
    },
    async answer(): Promise<Record<string, unknown>> {
      const { done, value } = await lines.next();
      if (done) throw new Error(`a worker of the benchmark ended with ${await child.exited}`);
      return JSON.parse(value);
    },
    async end() {
      child.stdin.end();
      await child.exited;
    },
  };
}

async function* readLines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, void> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream) {
    text += decoder.decode(chunk, { stream: true });
    const whole = text.split("\n");
    text = whole.pop() ?? "";
    yield* whole;
  }
}

/** Sleepers, children of one shell in a process group of their own, which ends them all. */
async function startProcesses(count: number): Promise<AsyncDisposable> {
  if (count === 0) return { async [Symbol.asyncDispose]() {} };
  const script = `i=0; while [ $i -lt ${count} ]; do sleep 300 & i=$((i+1)); done; echo; wait`;
  const shell = Bun.spawn(["setsid", "sh", "-c", script], { stdout: "pipe" });
  const reader = shell.stdout.getReader();
  await reader.read();
  await Bun.sleep(settleMs); // So many forks leave the machine busy for a while.
  return {
    async [Symbol.asyncDispose]() {
      process.kill(-shell.pid, "SIGKILL");
      await shell.exited;
    },
  };
}
