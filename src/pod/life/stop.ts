// Ending containers: hooks, turns, signals, and patience that runs out. Of one while its pod lives
// on, and of all.

import { PodError } from "../../errors/pod-error.ts";
import { type KeeperClient, KeeperGone } from "../../launch/keeper-client.ts";
import type { Clock } from "./clock.ts";
import { Deadline } from "./deadline.ts";
import type { Unit } from "./unit.ts";

/** What a container gets between its signal and SIGKILL, whatever is left of the grace. */
export const leastGraceMs = 2000;

export interface StopContext {
  readonly clock: Clock;
  readonly client: () => Promise<KeeperClient>;
  /** Resolves also when the hook fails: the container is ended all the same. */
  readonly runPreStop: (unit: Unit, signal: AbortSignal) => Promise<void>;
  readonly save: () => void;
}

/** Resolves when it has exited. A grace of 0 asks nobody. */
export async function stopUnit(
  unit: Unit,
  deadline: Deadline,
  context: StopContext,
  turn?: Promise<unknown>,
): Promise<void> {
  const { clock, client } = context;
  await deadline.holds(unit.launching);
  if (unit.state === "none" || unit.state === "exited") return;
  if (deadline.leftMs > 0) {
    await preStop(unit, deadline, context);
    if (turn) await deadline.holds(Promise.race([turn, unit.exited]));
    if (!isRunning(unit)) return;
    await (await client()).signal(unit.entry.process, unit.stopSignal);
    if (await deadline.holds(unit.exited, clock.scaled(leastGraceMs))) return;
  }
  if (!isRunning(unit)) return;
  await (await client()).killTree(unit.entry.process);
  await unit.exited;
}

/** Its state changes while we wait, which the compiler does not see. */
function isRunning({ state }: Unit): boolean {
  return state === "running";
}

async function preStop(unit: Unit, deadline: Deadline, context: StopContext): Promise<void> {
  const { life } = unit;
  if (!unit.spec.life.preStop || life.preStop === "done" || !isRunning(unit)) return;
  life.preStop = "running";
  context.save();
  const abort = new AbortController();
  const hook = context.runPreStop(unit, abort.signal);
  await deadline.holds(Promise.race([hook, unit.exited]));
  abort.abort();
  life.preStop = "done";
  context.save();
}

/** With the keeper went all that there was to end; another request may have ended it first. */
export function ignoreGone(error: unknown): void {
  if (error instanceof PodError && error.code === "pod.keeper-lost") return;
  if (!(error instanceof KeeperGone)) throw error;
}

/** All containers of a pod at once, each in its turn. */
export class Winding {
  readonly deadline: Deadline;
  readonly done: Promise<void>;

  constructor(units: readonly Unit[], deadlineMs: number, context: StopContext) {
    this.deadline = new Deadline(deadlineMs, context.clock);
    const stops = new Map<Unit, Promise<void>>();
    // Sidecars in reverse order, each after everything that may still want it.
    const followers: Promise<void>[] = [];
    for (const unit of units.toReversed()) {
      const turn = unit.kind === "sidecar" ? Promise.all([...followers]) : undefined;
      const stop = stopUnit(unit, this.deadline, context, turn).catch(ignoreGone);
      stops.set(unit, stop);
      if (unit.kind === "sidecar" || unit.kind === "container") followers.push(stop);
    }
    this.done = Promise.all(stops.values()).then(() => {});
  }
}
