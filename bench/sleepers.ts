// A host with more processes than usual: they sleep while a cell runs, and are gone afterwards.
import type { Cell } from "./cell.ts";

/** So many forks leave the machine busy for a while. */
const settleMs = 2000;

export function besideProcesses(cell: Cell, count: number): Cell {
  return {
    ...cell,
    async run() {
      await using _ = await startSleepers(count);
      return await cell.run();
    },
  };
}

/** Children of one shell in a process group of their own, which ends them all. */
async function startSleepers(count: number): Promise<AsyncDisposable> {
  const script = `i=0; while [ $i -lt ${count} ]; do sleep 300 & i=$((i+1)); done; echo; wait`;
  const shell = Bun.spawn(["setsid", "sh", "-c", script], { stdout: "pipe" });
  await shell.stdout.getReader().read();
  await Bun.sleep(settleMs);
  return {
    async [Symbol.asyncDispose]() {
      process.kill(-shell.pid, "SIGKILL");
      await shell.exited;
      await Bun.sleep(settleMs);
    },
  };
}
