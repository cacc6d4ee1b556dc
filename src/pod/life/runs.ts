// The runs of a pod's containers: each launched when the order says so, cared for while it is, and
// written down when it has ended.

import type { PodError } from "../../errors/pod-error.ts";
import type { ExitedEvent, KeeperClient } from "../../launch/keeper-client.ts";
import { KeeperGone } from "../../launch/keeper-client.ts";
import type { PodSpec } from "../../spec/pod-spec.ts";
import type { PodState } from "../read-state.ts";
import { makeExitStatus, readRecord } from "../record.ts";
import type { ExitStatus } from "../types.ts";
import { nextBackOff } from "./back-off.ts";
import type { CareContext } from "./care.ts";
import { careFor } from "./care.ts";
import type { Clock } from "./clock.ts";
import type { EventText } from "./events.ts";
import type { Launched, LaunchContext } from "./launcher.ts";
import { launchContainer } from "./launcher.ts";
import { terminationMessage } from "./messages.ts";
import { resumeUnit } from "./resume.ts";
import { makeTermination } from "./texts.ts";
import type { Unit } from "./unit.ts";

export interface RunsContext {
  readonly spec: PodSpec;
  readonly state: PodState;
  readonly directory: string;
  readonly clock: Clock;
  readonly client: () => Promise<KeeperClient>;
  readonly launch: LaunchContext;
  readonly care: CareContext;
  readonly tell: (unit: Unit, event: EventText) => void;
  /** Something is another: whoever decides looks again. */
  readonly changed: () => void;
  readonly onRun: (unit: Unit) => void;
  readonly onFailed: (unit: Unit, error: unknown) => void;
}

/** A run that has just ended may take a moment to leave the keeper's tables. */
const busyMs = 5;

export class Runs {
  readonly #context: RunsContext;

  constructor(context: RunsContext) {
    this.#context = context;
  }

  /** At its exec it waits for that of the process `after`. */
  launch(unit: Unit, after?: number): void {
    const { clock } = this.#context;
    const { life } = unit;
    if (unit.state === "exited") {
      life.backOff = nextBackOff(life.backOff, unit.finishedMs, clock.nowMs(), clock);
    }
    // What never came to be did not use up its number.
    unit.beginLaunch(unit.isUnmade ? unit.attempt : unit.attempt + 1);
    unit.launching = this.#carryOut(unit, after).catch((error: unknown) => {
      if (!(error instanceof KeeperGone)) this.#context.onFailed(unit, error);
    });
  }

  onExited(unit: Unit, event: ExitedEvent): void {
    if (event.attempt !== unit.attempt) return;
    if (unit.state === "launching") unit.earlyExit = event;
    if (unit.state !== "running") return;
    this.writeExit(unit, makeExitStatus(event));
    unit.finish(event.code, Number(event.endedNs / 1_000_000n));
    this.#context.changed();
  }

  /** Why it ended, for those who ask later. */
  writeExit(unit: Unit, exit: ExitStatus): void {
    const { life, attempt } = unit;
    if (life.termination?.attempt === attempt) return;
    const run = { name: unit.name, process: unit.entry.process, attempt, exitCode: exit.exitCode };
    const { policy } = unit.spec.life.terminationMessage;
    const message = terminationMessage(this.#context.state, run, policy);
    life.termination = makeTermination(attempt, exit, message);
  }

  care(unit: Unit, isResumed: boolean): void {
    // A failure of its own is told by the hook or the probe; the rest is the end of the pod.
    careFor(unit, this.#context.care, isResumed).catch(() => {});
  }

  async #carryOut(unit: Unit, after: number | undefined): Promise<void> {
    const { spec, launch, client } = this.#context;
    const { spec: container, kind, attempt, target } = unit;
    const { process } = unit.entry;
    const wish = { container, kind, process, attempt, ...(target !== undefined && { target }) };
    for (;;) {
      const launched = await launchContainer(spec, wish, await client(), launch, after);
      if (launched.kind === "busy") await Bun.sleep(busyMs);
      else return this.#take(unit, launched);
    }
  }

  #take(unit: Unit, launched: Exclude<Launched, { readonly kind: "busy" }>): void {
    const { tell, changed, onRun, directory, clock } = this.#context;
    switch (launched.kind) {
      case "running": {
        unit.stopSignal = launched.container.stopSignal;
        unit.run(clock.nowMs());
        tell(unit, {
          type: "Normal",
          reason: "Started",
          message: `Started container ${unit.name}`,
        });
        onRun(unit);
        void this.#removeLayers(unit, launched.container.attempt - 1);
        const { earlyExit } = unit;
        if (earlyExit) return this.onExited(unit, earlyExit);
        changed();
        return this.care(unit, false);
      }
      case "stale": {
        // An owner before this one had launched it, and it may have ended since.
        const record = readRecord(directory);
        resumeUnit(unit, record);
        const exit = record?.processes.get(unit.entry.process)?.exit;
        if (exit) this.writeExit(unit, exit);
        else this.care(unit, true);
        return changed();
      }
      case "failed":
        return this.#onLaunchFailed(unit, launched);
      default:
        return launched satisfies never;
    }
  }

  #onLaunchFailed(
    unit: Unit,
    { reason, error, isMade }: Extract<Launched, { readonly kind: "failed" }>,
  ): void {
    const { clock, tell, onFailed, changed } = this.#context;
    const { life } = unit;
    const nowMs = clock.nowMs();
    unit.isUnmade = !isMade;
    if (isMade) {
      life.attempt = unit.attempt;
      const at = new Date(nowMs);
      const exit = {
        ...{ exitCode: startErrorCode, signal: undefined, oomKilled: false },
        ...{ startedAt: at, finishedAt: at, cpuMs: 0, memoryPeakBytes: 0 },
      };
      life.termination = makeTermination(unit.attempt, exit, messageOf(error), "StartError");
    }
    life.backOff ??= nextBackOff(undefined, nowMs, nowMs, clock);
    life.waiting = { reason, message: messageOf(error), sinceMs: nowMs };
    tell(unit, { type: "Warning", reason: "Failed", message: `Error: ${messageOf(error)}` });
    unit.finish(startErrorCode, nowMs);
    onFailed(unit, error);
    changed();
  }

  /** Of the run before: nobody sees it any more. */
  async #removeLayers(unit: Unit, attempt: number): Promise<void> {
    if (attempt < 0) return;
    const { removeRun } = await import("./remove-run.ts");
    await removeRun(this.#context.state, unit.name, unit.entry.process, attempt).catch(() => {});
  }
}

/** The kubelet's, for a program that could not be executed. */
const startErrorCode = 128;

function messageOf({ message, step }: PodError): string {
  return step === undefined ? message : `${message} (${step})`;
}
