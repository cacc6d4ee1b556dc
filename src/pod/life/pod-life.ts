// A pod's owner at work: starts, restarts, and the end. It acts when something has happened or is
// due; what to do, order.ts, restart.ts and back-off.ts say.

import { PodError } from "../../errors/pod-error.ts";
import type { Ask, ExitedEvent, KeeperClient } from "../../launch/keeper-client.ts";
import { firstLaunches } from "../../spec/launches.ts";
import type { ContainerSpec, PodSpec } from "../../spec/pod-spec.ts";
import type { ContainerEntry, PodState } from "../read-state.ts";
import { readRecord } from "../record.ts";
import type { Pod } from "../types.ts";
import { nextBackOff } from "./back-off.ts";
import { runHook } from "./care.ts";
import type { Clock } from "./clock.ts";
import { Deadline } from "./deadline.ts";
import { isDue } from "./due.ts";
import type { EventText } from "./events.ts";
import type { Journal } from "./journal.ts";
import { newContainerLife, newJournal, readJournal } from "./journal.ts";
import { JournalKeeper } from "./journal-keeper.ts";
import type { LaunchContext } from "./launcher.ts";
import type { ContainerView } from "./order.ts";
import { decide, outcomeOf } from "./order.ts";
import { isPodReady } from "./ready.ts";
import { killForRestart } from "./restart-all.ts";
import { resumeUnit } from "./resume.ts";
import { Runs } from "./runs.ts";
import type { StopContext } from "./stop.ts";
import { ignoreGone, stopUnit, Winding } from "./stop.ts";
import { exitText } from "./texts.ts";
import { Unit } from "./unit.ts";

export interface LifeParts {
  readonly spec: PodSpec;
  readonly state: PodState;
  readonly directory: string;
  readonly clock: Clock;
  readonly podIp: string;
  /** The connection that owns the pod. */
  readonly client: () => Promise<KeeperClient>;
  readonly exec: Pod["exec"];
  readonly launch: LaunchContext;
  readonly readContainer: (container: PodState["manifest"]) => Promise<ContainerSpec>;
  /** A container runs, for the first time or anew. */
  readonly onRun: (container: string) => void;
  readonly onAdded: (entry: ContainerEntry) => void;
}

export type Outcome = NonNullable<Journal["outcome"]>;
type TerminationState = NonNullable<Journal["termination"]>;
type Cause = TerminationState["cause"];

const timerMsMax = 0x7fff_ffff;

export class PodLife implements Disposable {
  readonly journal: Journal;
  readonly units: Unit[];
  readonly parts: LifeParts;
  readonly #keeper: JournalKeeper;
  readonly #runs: Runs;
  readonly #stop: StopContext;
  readonly #startup = Promise.withResolvers<void>();
  readonly #ready = Promise.withResolvers<void>();
  readonly #finished = Promise.withResolvers<Outcome>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #winding: Winding | undefined;
  /** A first launch that fails takes the whole pod back. */
  #isStarting = false;
  /** Nothing is begun any more: the pod has gone, or another owns it. */
  #isOver = false;

  constructor(parts: LifeParts) {
    this.parts = parts;
    const { spec, state, directory, clock, client } = parts;
    const names = state.containers.map(({ name }) => name);
    this.journal = readJournal(directory) ?? newJournal(state.createdMs, names);
    const specs = new Map(firstLaunches(spec).map((each) => [each.process, each.container]));
    this.units = state.containers.flatMap((entry) => {
      const container = specs.get(entry.process);
      const life = (this.journal.containers[entry.name] ??= newContainerLife());
      return container ? [new Unit(entry, container, life)] : [];
    });
    this.#keeper = new JournalKeeper(parts, this.journal);
    const tell = (unit: Unit, event: EventText) => this.tell({ ...event, container: unit.name });
    const source = { pod: state.name, podIp: parts.podIp, client, exec: parts.exec };
    const warn = (unit: Unit, reason: string, message: string) =>
      tell(unit, { type: "Warning", reason, message });
    this.#runs = new Runs({
      ...parts,
      tell,
      care: {
        source,
        clock,
        events: {
          changed: () => this.step(),
          warn,
          condemn: (...words) => void this.restart(...words),
        },
      },
      changed: () => this.step(),
      onRun: ({ name }) => parts.onRun(name),
      onFailed: (unit, error) => this.#onLaunchFailed(unit, error),
    });
    this.#stop = {
      clock,
      client,
      save: () => this.save(),
      runPreStop: async (unit, signal) => {
        const problem = await runHook(unit, "preStop", { source, clock, warn }, signal);
        if (problem) warn(unit, "FailedPreStopHook", `PreStopHook failed: ${problem}`);
      },
    };
    this.#startup.promise.catch(() => {});
    this.#ready.promise.catch(() => {});
  }

  /** Begins with a pod of which nothing runs: rejects when a container could not be started. */
  start(): Promise<void> {
    this.#isStarting = true;
    this.step();
    return this.#startup.promise.finally(() => {
      this.#isStarting = false;
    });
  }

  /** Goes on from what the keeper and an earlier owner have written down. */
  resume(): void {
    const record = readRecord(this.parts.directory);
    for (const unit of this.units) {
      resumeUnit(unit, record);
      const exit = record?.processes.get(unit.entry.process)?.exit;
      if (exit && exit.finishedAt.getTime() === unit.finishedMs) this.#runs.writeExit(unit, exit);
    }
    for (const unit of this.units) if (unit.state === "running") this.#runs.care(unit, true);
    const { outcome, termination } = this.journal;
    if (outcome) this.#settleOutcome(outcome);
    const source = this.units.find(({ name }) => name === this.journal.restartingAll?.source);
    if (termination && !outcome) void this.#resumeEnd(termination);
    else if (source) void this.#restartAll(source).catch(ignoreGone);
    else this.step();
    for (const unit of this.units) {
      const { killing } = unit.life;
      if (killing) void this.restart(unit, killing.reason, killing.message, killing.graceMs);
    }
  }

  /** The pod is Ready for the first time; rejects when it has failed. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  /** The pod has done its work. It stays until it is taken down. */
  get finished(): Promise<Outcome> {
    return this.#finished.promise;
  }

  exited(event: ExitedEvent): void {
    const unit = this.units.find(({ entry }) => entry.process === event.process);
    if (unit) this.#runs.onExited(unit, event);
  }

  asked(ask: Ask): void {
    void import("./asks.ts").then(({ answerAsk }) => answerAsk(this, ask)).catch(() => {});
  }

  /** Whatever is due. */
  step(): void {
    const ordered = this.#ordered;
    const { outcome, restartingAll } = this.journal;
    if (this.#isOver) return;
    if (this.#winding || outcome || restartingAll) return this.save();
    const views = this.#views();
    const decision = decide(views);
    if (decision.end === "finished") return void this.#finish("finished", outcomeOf(views));
    if (decision.end === "init-failed") return void this.#finish("failed", "Failed");
    const chosen = decision.restartAll === undefined ? decision.run : [decision.restartAll];
    const due = chosen.flatMap((index) => ordered[index] ?? []).filter((unit) => this.#isDue(unit));
    this.#arm(ordered);
    this.save();
    if (decision.restartAll === undefined) this.#launch(due);
    else if (due[0]) void this.#restartAll(due[0]).catch(ignoreGone);
    this.#settle(ordered);
  }

  /** Ends one container, whose policy then decides. */
  restart(unit: Unit, reason: string, message: string, graceMs?: number): Promise<void> {
    if (unit.state !== "running") return Promise.resolve();
    const { clock, spec } = this.parts;
    unit.life.killing ??= {
      ...{ reason, message, startedMs: clock.nowMs() },
      graceMs: graceMs ?? spec.terminationGraceMs,
    };
    const { killing } = unit.life;
    this.tell({ type: "Normal", reason: "Killing", message, container: unit.name });
    unit.probes?.stop(["startup", "liveness"]);
    const deadline = new Deadline(killing.startedMs + clock.scaled(killing.graceMs), clock);
    unit.stopping ??= stopUnit(unit, deadline, this.#stop).catch(ignoreGone);
    this.save();
    return unit.stopping;
  }

  /** Ends all containers. Again it only shortens the grace. */
  async terminate(cause: Cause, graceMs: number, reason = "", message = ""): Promise<void> {
    const { journal } = this;
    const [{ clock }, known] = [this.parts, journal.termination];
    const nowMs = clock.nowMs();
    if (!known) journal.termination = { cause, startedMs: nowMs, graceMs, reason, message };
    else if (cause === "down") {
      const endMs = clock.unscaled(nowMs - known.startedMs) + graceMs;
      journal.termination = { ...known, cause, graceMs: Math.min(known.graceMs, endMs) };
    }
    await this.#wind();
  }

  tell(event: EventText): void {
    this.#keeper.tell(event);
  }

  save(): void {
    this.#keeper.save();
  }

  /** Lets go of a pod that goes on, or has gone. */
  [Symbol.dispose](): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#keeper[Symbol.dispose]();
    for (const unit of this.units) unit.forgetProbes();
  }

  get #ordered(): readonly Unit[] {
    return this.units.filter(({ kind }) => kind !== "ephemeral");
  }

  #views(): readonly ContainerView[] {
    return this.#ordered.map((unit) => unit.view(this.parts.spec.restartPolicy));
  }

  #launch(due: readonly Unit[]): void {
    let before: Unit | undefined;
    for (const unit of due) {
      // The first time in the order of the manifest.
      const isFirst = unit.kind === "container" && unit.attempt < 0;
      this.#runs.launch(unit, isFirst ? before?.entry.process : undefined);
      if (isFirst) before = unit;
    }
  }

  #isDue(unit: Unit): boolean {
    return isDue(unit, this.parts.clock, this.parts.state, (event) => this.tell(event));
  }

  /** One timer, for the next container that is due and the deadline of the pod. */
  #arm(units: readonly Unit[]): void {
    clearTimeout(this.#timer);
    const { clock, spec } = this.parts;
    const { activeDeadlineMs } = spec;
    const deadlineMs =
      activeDeadlineMs === undefined
        ? Infinity
        : this.journal.startedMs + clock.scaled(activeDeadlineMs);
    const waits = units.map(({ life, state }) =>
      state === "exited" ? (life.waiting?.untilMs ?? Infinity) : Infinity,
    );
    const leftMs = Math.min(deadlineMs, ...waits) - clock.nowMs();
    if (leftMs === Infinity) return;
    const waitMs = Math.min(Math.max(0, leftMs), timerMsMax);
    this.#timer = setTimeout(() => {
      if (clock.nowMs() >= deadlineMs) this.#exceed();
      else this.step();
    }, Math.ceil(waitMs));
  }

  #exceed(): void {
    const message = "Pod was active on the node longer than the specified deadline";
    this.tell({ type: "Normal", reason: "DeadlineExceeded", message });
    this.fail("DeadlineExceeded", message);
  }

  fail(reason: string, message: string, graceMs?: number): void {
    void this.#finish("failed", "Failed", reason, message, graceMs);
  }

  /** Whatever still runs is ended in its order, then the outcome stands. */
  async #finish(
    cause: "finished" | "failed",
    phase: Outcome["phase"],
    reason = "",
    message = "",
    graceMs = this.parts.spec.terminationGraceMs,
  ): Promise<void> {
    const { journal, parts } = this;
    await this.terminate(cause, graceMs, reason, message);
    if (journal.outcome || journal.termination?.cause === "down") return;
    journal.outcome = { phase, reason, message, atMs: parts.clock.nowMs() };
    this.save();
    this.#settleOutcome(journal.outcome);
  }

  /** Ends the pod itself. */
  async down(graceMs: number): Promise<void> {
    if (graceMs > 0) await this.terminate("down", graceMs);
    await this.#endPod();
  }

  async #endPod(): Promise<void> {
    this[Symbol.dispose]();
    await (await this.parts.client()).end(0).catch(ignoreGone);
  }

  /** Those that another owner has added; they come after all others. */
  async addEphemeral(): Promise<void> {
    for (const entry of this.parts.state.containers) {
      const isKnown = this.units.some((unit) => unit.entry === entry);
      if (!isKnown && entry.ephemeral) this.addUnit(entry, await this.#readEphemeral(entry));
    }
  }

  addUnit(entry: ContainerEntry, spec: ContainerSpec): Unit {
    const life = (this.journal.containers[entry.name] ??= newContainerLife());
    const unit = new Unit(entry, spec, life);
    const target = this.units.find(({ name }) => name === entry.ephemeral?.target);
    unit.target = target?.entry.process;
    this.units.push(unit);
    return unit;
  }

  /** Beside the order of start: an ephemeral container, or one that has been changed. */
  launchNow(unit: Unit): Promise<void> {
    this.#runs.launch(unit);
    return unit.launching;
  }

  #readEphemeral({ ephemeral }: ContainerEntry): Promise<ContainerSpec> {
    return this.parts.readContainer(ephemeral?.container ?? {});
  }

  #onLaunchFailed(unit: Unit, error: unknown): void {
    if (!this.#isStarting || unit.attempt > 0) return;
    this[Symbol.dispose]();
    this.#startup.reject(error);
  }

  async #restartAll(source: Unit): Promise<void> {
    const { journal, parts } = this;
    const { clock, client } = parts;
    if (!journal.restartingAll) {
      const message = `Container ${source.name} exited, all containers will be restarted`;
      this.tell({ type: "Normal", reason: "RestartingAllContainers", message });
    }
    journal.restartingAll = { source: source.name, sinceMs: clock.nowMs() };
    this.save();
    const { backOff } = source.life;
    await killForRestart(this.#ordered, await client());
    source.life.backOff = nextBackOff(backOff, source.finishedMs, clock.nowMs(), clock);
    delete journal.restartingAll;
    this.step();
  }

  #settle(units: readonly Unit[]): void {
    const regular = units.filter(({ kind }) => kind === "container");
    const hasRun = ({ attempt, state }: Unit) => attempt >= 0 && state !== "launching";
    if (regular.every(hasRun)) this.#startup.resolve();
    if (isPodReady(this.parts.spec, units, this.journal)) this.#ready.resolve();
  }

  #settleOutcome(outcome: Outcome): void {
    this.#startup.resolve();
    this.#finished.resolve(outcome);
    if (outcome.phase === "Succeeded") return this.#ready.resolve();
    const { name } = this.parts.state;
    const why = outcome.message || exitText(this.units);
    this.#ready.reject(new PodError({ code: "pod.failed", message: `pod ${name} failed: ${why}` }));
  }

  /** What another owner had begun to end. */
  async #resumeEnd({ cause, reason, message }: TerminationState): Promise<void> {
    if (cause === "down") return this.#wind().then(() => this.#endPod());
    const phase = cause === "failed" ? "Failed" : outcomeOf(this.#views());
    await this.#finish(cause, phase, reason, message);
  }

  #wind(): Promise<void> {
    const { clock } = this.parts;
    const { termination } = this.journal;
    if (!termination) return Promise.resolve();
    clearTimeout(this.#timer);
    const deadlineMs = termination.startedMs + clock.scaled(termination.graceMs);
    for (const unit of this.units) unit.probes?.stop(["startup", "liveness"]);
    this.save();
    this.#winding ??= new Winding(this.units, deadlineMs, this.#stop);
    this.#winding.deadline.lower(deadlineMs);
    return this.#winding.done;
  }
}
