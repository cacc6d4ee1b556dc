// The peapod cell in a process of its own: a line on standard input is one round, its answer is one
// line on standard output. So that a cell can stand in a mount namespace that its parent made.
import { peapodCell } from "./peapod-cell.ts";
import type { WorkerOrder } from "./worker-cell.ts";

// From `worker-cell.ts`, which has the same type.
const { job, isWarm }: WorkerOrder = JSON.parse(process.argv[2] ?? "");
const cell = peapodCell(job, { isWarm });

async function answer(work: () => Promise<object | undefined>): Promise<void> {
  try {
    console.log(JSON.stringify((await work()) ?? { sample: {} }));
  } catch (error) {
    console.log(JSON.stringify({ failed: error instanceof Error ? error.message : String(error) }));
  }
}

await answer(() => cell.prepare());
for await (const _ of console) await answer(async () => ({ sample: await cell.run() }));
await cell.cleanup();
