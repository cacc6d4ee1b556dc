// A peapod cell in a process of its own: one that stands in a mount namespace with many mounts, or
// a new one for every round.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type Static, Type } from "typebox";
import { Value } from "typebox/value";
import type { Absent, Cell, Job, Sample } from "./cell.ts";
import { inCrowd, leaveCrowd } from "./crowd.ts";

/** What `worker.ts` prints: one line first, and one for each line that it reads. */
const Answer = Type.Union([
  Type.Object({ absent: Type.String() }),
  Type.Object({ failed: Type.String() }),
  Type.Object({ sample: Type.Record(Type.String(), Type.Array(Type.Number())) }),
]);

/** What a worker is started with. */
export type WorkerOrder = { readonly job: Job; readonly isWarm: boolean };

export function crowdedCell(job: Job): Cell {
  let worker: Worker | undefined;
  return {
    async prepare() {
      if (process.getuid?.() !== 0) return { absent: "needs root" };
      await mkdir(job.directory, { recursive: true });
      worker = startWorker(job, { isWarm: true });
      return absenceOf(await worker.answer());
    },
    async run() {
      if (worker === undefined) throw new Error("the worker was not started");
      return await measure(worker);
    },
    async cleanup() {
      await worker?.end();
    },
  };
}

export function freshCell(job: Job): Cell {
  return {
    async prepare() {
      if (process.getuid?.() !== 0) return { absent: "needs root" };
      const { kind } = job.work;
      return kind === "launch" ? undefined : { absent: `no ${kind} of a first pod` };
    },
    async run() {
      const worker = startWorker(job, { isWarm: false });
      try {
        absenceOf(await worker.answer());
        return await measure(worker);
      } finally {
        await worker.end();
      }
    },
    async cleanup() {},
  };
}

type Worker = ReturnType<typeof startWorker>;

function absenceOf(answer: Static<typeof Answer>): Absent | undefined {
  if ("failed" in answer) throw new Error(answer.failed);
  return "absent" in answer ? answer : undefined;
}

async function measure(worker: Worker): Promise<Sample> {
  worker.ask();
  const answer = await worker.answer();
  if ("sample" in answer) return answer.sample;
  throw new Error("failed" in answer ? answer.failed : answer.absent);
}

function startWorker(job: Job, { isWarm }: { readonly isWarm: boolean }) {
  const { hostMounts, ...shape } = job.shape;
  const directory = join(job.directory, `crowd-${hostMounts}`);
  const order: WorkerOrder = {
    job: { ...job, directory, shape: { ...shape, hostMounts: 0 } },
    isWarm,
  };
  const program = [process.execPath, join(import.meta.dir, "worker.ts"), JSON.stringify(order)];
  const child = Bun.spawn(inCrowd(program, { mounts: hostMounts, directory }), {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  const lines = readLines(child.stdout);
  return {
    ask() {
      child.stdin.write("\n");
      child.stdin.flush();
    },
    async answer() {
      const { done, value } = await lines.next();
      if (done) throw new Error(`a worker of the benchmark ended with ${await child.exited}`);
      return Value.Parse(Answer, JSON.parse(value));
    },
    async end() {
      child.stdin.end();
      await child.exited;
      await leaveCrowd(directory);
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
