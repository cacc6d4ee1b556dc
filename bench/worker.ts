// The peapod cell in a process of its own: a line on standard input is one round, its answer is one
// line on standard output. So that a cell can stand in a mount namespace that its parent made.
import type { Job } from "./cell.ts";
import { peapodCell } from "./peapod.ts";

// From `worker-cell.ts`, which has the same type.
const job: Job = JSON.parse(process.argv[2] ?? "");
const cell = peapodCell(job);

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
