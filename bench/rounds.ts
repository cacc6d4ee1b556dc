// Interleaved rounds: every round runs every cell once, in a seeded random order, so that a
// disturbance meets all cells alike.
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import type { Cell, Sample } from "./cell.ts";
import { drain } from "./drain.ts";
import { seededRandom, shuffled } from "./statistics.ts";

/** A cell under the name that its results are kept by. */
export type Entry = { readonly name: string; readonly cell: Cell };

/**
 * `isolated`: each sample starts when the kernel has ended what the one before left behind.
 * `sustained`: nothing is waited for, and what is left behind is part of the next one's cost.
 */
export type Regime = "isolated" | "sustained";

export type Plan = {
  readonly rounds: number;
  /** Rounds run first and thrown away: caches fill, the first pod makes what later ones find. */
  readonly warmUps: number;
  readonly seed: number;
  readonly regime: Regime;
  /** Ends the rounds early, after the one in which it is exceeded. */
  readonly budgetMs?: number;
  readonly onProgress?: (text: string) => void;
};

export type Failure = { readonly round: number; readonly message: string };

export type Outcome = {
  readonly absent?: string;
  /** By round; undefined where it failed. */
  readonly samples: readonly (Sample | undefined)[];
  /** Of measured rounds and, with negative numbers, of those before. */
  readonly failures: readonly Failure[];
};

/** `disturbed`: the hypervisor took more than `stealLimit` of the round's CPU time. */
export type Round = {
  readonly wallMs: number;
  readonly stolenMs: number;
  readonly disturbed: boolean;
};

export type Results = {
  readonly cells: ReadonlyMap<string, Outcome>;
  readonly rounds: readonly Round[];
  readonly load: { readonly before: Load; readonly after: Load };
};

export type Load = { readonly runnable: number; readonly stolenTicks: number };

const failuresInARow = 3;
/** In these also the kernel's rest is waited for, and `drain` measured: seconds for some peers. */
const drainRounds = 3;
export const stealLimit = 0.05;
/** USER_HZ, in which man 5 proc_stat counts: the same on every architecture that we run on. */
const tickMs = 10;
/** After the kernel is done: what was woken by that goes back to sleep. */
const gapMs = 5;

type Kept = { cell: Cell; absent?: string; samples: (Sample | undefined)[]; failures: Failure[] };

export async function runRounds(entries: readonly Entry[], plan: Plan): Promise<Results> {
  const random = seededRandom(plan.seed);
  const cells = new Map<string, Kept>();
  const rounds: Round[] = [];
  const before = readLoad();
  const until = performance.now() + (plan.budgetMs ?? Infinity);
  using interrupt = catchInterrupt();
  try {
    for (const { name, cell } of entries) {
      interrupt.check();
      const kept: Kept = { cell, samples: [], failures: [] };
      cells.set(name, kept);
      const outcome = await prepared(cell);
      if (outcome !== undefined) kept.absent = outcome;
    }
    for (let round = -plan.warmUps; round < plan.rounds; round += 1) {
      plan.onProgress?.(round < 0 ? "warming up" : `round ${round + 1} of ${plan.rounds}`);
      const noted = await timed(async () => {
        for (const kept of shuffled([...cells.values()], random)) {
          interrupt.check();
          await runCell(kept, round, plan);
        }
      });
      if (round >= 0) rounds.push(noted);
      if (round >= 0 && performance.now() > until) break;
    }
  } finally {
    for (const { cell } of [...cells.values()].reverse()) await cell.cleanup();
  }
  return { cells: withoutCells(cells), rounds, load: { before, after: readLoad() } };
}

/**
 * Ctrl-C and SIGTERM end the run after the cell that is at it, so that what it started is ended; a
 * second one ends it at once.
 */
function catchInterrupt(): Disposable & { check(): void } {
  let caught: NodeJS.Signals | undefined;
  const signals = ["SIGINT", "SIGTERM"] as const;
  const note = (signal: NodeJS.Signals) => {
    caught = signal;
    for (const each of signals) process.off(each, note);
  };
  for (const each of signals) process.on(each, note);
  return {
    check() {
      if (caught !== undefined) throw new Error(`ended by ${caught}; cleaned up`);
    },
    [Symbol.dispose]() {
      for (const each of signals) process.off(each, note);
    },
  };
}

/** A cell that can't even be prepared is absent, with what it said: the others can still run. */
async function prepared(cell: Cell): Promise<string | undefined> {
  try {
    return (await cell.prepare())?.absent;
  } catch (error) {
    return `could not be prepared: ${messageOf(error)}`;
  }
}

async function runCell(kept: Kept, round: number, plan: Plan): Promise<void> {
  if (kept.absent !== undefined) return;
  const sample = isGivenUp(kept.failures) ? undefined : await tryOnce(kept, round, plan);
  if (round >= 0) kept.samples[round] = sample;
}

async function tryOnce(kept: Kept, round: number, plan: Plan): Promise<Sample | undefined> {
  try {
    const sample = await kept.cell.run();
    if (plan.regime === "sustained") return sample;
    const isFirst = round >= 0 && round < drainRounds;
    const drained = await drain({ groups: isFirst });
    await Bun.sleep(gapMs);
    const ends = sample.down !== undefined || sample["mass-down"] !== undefined;
    return isFirst && ends ? { ...sample, drain: [drained] } : sample;
  } catch (error) {
    kept.failures.push({ round, message: messageOf(error) });
    return undefined;
  }
}

/** Three failures in a row are not noise: the rest would only take time. */
function isGivenUp(failures: readonly Failure[]): boolean {
  const last = failures.slice(-failuresInARow);
  const first = last[0]?.round ?? 0;
  return last.length === failuresInARow && last.every(({ round }, at) => round === first + at);
}

async function timed(work: () => Promise<void>): Promise<Round> {
  const [began, before] = [performance.now(), readLoad()];
  await work();
  const wallMs = performance.now() - began;
  const stolenMs = (readLoad().stolenTicks - before.stolenTicks) * tickMs;
  return { wallMs, stolenMs, disturbed: stolenMs > wallMs * availableParallelism() * stealLimit };
}

function withoutCells(cells: ReadonlyMap<string, Kept>): Map<string, Outcome> {
  return new Map([...cells].map(([name, { cell: _, ...outcome }]) => [name, outcome]));
}

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

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
