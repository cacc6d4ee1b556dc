// Interleaved rounds: every round runs every cell once, in a seeded random order, so that a
// disturbance meets all cells alike.
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import type { Cell, Sample } from "./cell.ts";
import { seededRandom, shuffled } from "./statistics.ts";

/** A cell under the name that its results are kept by. */
export type Entry = { readonly name: string; readonly cell: Cell };

export type Plan = {
  readonly rounds: number;
  /** Rounds run first and thrown away: caches fill, the first pod makes what later ones find. */
  readonly warmUps: number;
  readonly seed: number;
  /** Idle time before every sample, for what the kernel still has to do for the one before. */
  readonly settleMs: number;
};

export type Results = {
  /** By cell, one sample a round; a cell that is absent has no entry here. */
  readonly samples: ReadonlyMap<string, readonly Sample[]>;
  readonly absent: ReadonlyMap<string, string>;
  readonly load: { readonly before: Load; readonly after: Load };
};

export type Load = { readonly runnable: number; readonly stolenTicks: number };

export async function runRounds(entries: readonly Entry[], plan: Plan): Promise<Results> {
  const random = seededRandom(plan.seed);
  const samples = new Map<string, Sample[]>();
  const absent = new Map<string, string>();
  const prepared: Entry[] = [];
  const before = readLoad();
  try {
    for (const entry of entries) {
      prepared.push(entry);
      const outcome = await entry.cell.prepare();
      if (outcome === undefined) samples.set(entry.name, []);
      else absent.set(entry.name, outcome.absent);
    }
    for (let round = -plan.warmUps; round < plan.rounds; round += 1) {
      for (const { name, cell } of shuffled(prepared, random)) {
        const collected = samples.get(name);
        if (collected === undefined) continue;
        // The kernel ends namespaces and groups after the call that let them go; the next cell must
        // not pay for that.
        await Bun.sleep(plan.settleMs);
        const sample = await cell.run();
        if (round >= 0) collected.push(sample);
      }
    }
  } finally {
    for (const { cell } of prepared.reverse()) await cell.cleanup();
  }
  return { samples, absent, load: { before, after: readLoad() } };
}

/**
 * Why this machine is too busy to measure on, or undefined. Half a CPU of other work is too much on
 * any machine.
 */
export function describeBusy(load: Load): string | undefined {
  const limit = availableParallelism() / 4;
  if (load.runnable <= limit) return undefined;
  return `the machine is busy: load ${load.runnable.toFixed(2)} is above ${limit}`;
}

export function readLoad(): Load {
  const runnable = Number(readFileSync("/proc/loadavg", "utf8").split(" ")[0]);
  // user nice system idle iowait irq softirq steal: man 5 proc_stat.
  const stolenTicks = Number(readFileSync("/proc/stat", "utf8").split("\n")[0]?.split(/\s+/)[8]);
  return { runnable, stolenTicks };
}
