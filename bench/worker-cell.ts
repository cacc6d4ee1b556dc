// A peapod cell in a process of its own, which stands in a mount namespace with many mounts.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { Type } from "typebox";
import { Value } from "typebox/value";
import type { Cell, Job, Sample } from "./cell.ts";
import { inCrowd } from "./crowd.ts";

/** What `worker.ts` prints: one line first, and one for each line that it reads. */
const Answer = Type.Union([
  Type.Object({ absent: Type.String() }),
  Type.Object({ failed: Type.String() }),
  Type.Object({ sample: Type.Record(Type.String(), Type.Array(Type.Number())) }),
]);

export function crowdedCell(job: Job): Cell {
  let worker: ReturnType<typeof startWorker> | undefined;
  return {
    async prepare() {
      if (process.getuid?.() !== 0) return { absent: "needs root" };
      await mkdir(job.directory, { recursive: true });
      worker = startWorker(job);
      const answer = await worker.answer();
      if ("failed" in answer) throw new Error(answer.failed);
      return "absent" in answer ? answer : undefined;
    },
    async run(): Promise<Sample> {
      if (worker === undefined) throw new Error("the worker was not started");
      worker.ask();
      const answer = await worker.answer();
      if ("sample" in answer) return answer.sample;
      throw new Error("failed" in answer ? answer.failed : answer.absent);
    },
    async cleanup() {
      await worker?.end();
    },
  };
}

function startWorker(job: Job) {
  const { hostMounts, ...shape } = job.shape;
  const directory = join(job.directory, `crowd-${hostMounts}`);
  const inside: Job = { ...job, directory, shape: { ...shape, hostMounts: 0 } };
  const program = [process.execPath, join(import.meta.dir, "worker.ts"), JSON.stringify(inside)];
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
