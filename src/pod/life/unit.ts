// One container under its owner's eyes: what the journal keeps of it, and what only lives as long
// as the owner does.

import type { ExitedEvent } from "../../launch/keeper-client.ts";
import type { ContainerKind } from "../../spec/launches.ts";
import type { ContainerSpec, PodSpec } from "../../spec/pod-spec.ts";
import type { ContainerEntry } from "../read-state.ts";
import type { ContainerLife } from "./journal.ts";
import type { ContainerView } from "./order.ts";
import type { ContainerProbes } from "./probes/container-probes.ts";
import { judgeExit } from "./restart.ts";

export type UnitState = ContainerView["state"];

export class Unit {
  readonly entry: ContainerEntry;
  readonly kind: ContainerKind;
  spec: ContainerSpec;
  /** Of the journal, which is written when it has changed. */
  readonly life: ContainerLife;
  state: UnitState = "none";
  /** Of the run that is, or of the last; -1 before there was one. */
  attempt = -1;
  startedMs = 0;
  finishedMs = 0;
  exitCode = 0;
  /** There was nothing that could have exited: its image or its configuration was not to be had. */
  isUnmade = false;
  stopSignal = sigterm;
  /** Whose PID namespace an ephemeral one joins. */
  target: number | undefined;
  probes: ContainerProbes | undefined;
  /** Heard before the launch was. */
  earlyExit: ExitedEvent | undefined;
  /** Settles with the launch that is under way. */
  launching: Promise<void> = Promise.resolve();
  stopping: Promise<void> | undefined;
  #exited = Promise.withResolvers<void>();

  constructor(entry: ContainerEntry, spec: ContainerSpec, life: ContainerLife) {
    this.entry = entry;
    this.kind = entry.kind ?? "container";
    this.spec = spec;
    this.life = life;
  }

  /** It was ended to be run again, by hand: no policy is asked, and nothing waited for. */
  get isOrdered(): boolean {
    return this.life.killing?.reason === "Asked";
  }

  get name(): string {
    return this.entry.name;
  }

  /** The end of the run that is. */
  get exited(): Promise<void> {
    return this.#exited.promise;
  }

  /** A run of its own, with nothing of the one before. */
  beginLaunch(attempt: number): void {
    this.state = "launching";
    this.attempt = attempt;
    this.isUnmade = false;
    this.earlyExit = undefined;
    this.stopping = undefined;
    this.#exited = Promise.withResolvers();
    const { life } = this;
    if (life.termination) life.lastTermination = life.termination;
    delete life.termination;
    delete life.postStart;
    delete life.preStop;
    delete life.killing;
    delete life.probes;
  }

  run(startedMs: number): void {
    this.state = "running";
    this.startedMs = startedMs;
    this.life.attempt = this.attempt;
    delete this.life.waiting;
  }

  finish(exitCode: number, finishedMs: number): void {
    this.state = "exited";
    this.exitCode = exitCode;
    this.finishedMs = finishedMs;
    this.life.started = false;
    this.life.ready = false;
    this.forgetProbes();
    this.#exited.resolve();
  }

  forgetProbes(): void {
    this.probes?.[Symbol.dispose]();
    this.probes = undefined;
  }

  /** A run that does not count any more: everything starts over. */
  discard(): void {
    this.life.discarded = this.attempt;
    this.state = "none";
  }

  view(podPolicy: PodSpec["restartPolicy"]): ContainerView {
    const { kind, life, state, exitCode } = this;
    const { postStart, restartPolicy, restartRules } = this.spec.life;
    const terms = { kind, podPolicy, ownPolicy: restartPolicy, rules: restartRules };
    const isProbeKill = life.killing?.reason === "Probe";
    const mustRun = this.isUnmade || this.isOrdered;
    return {
      name: this.name,
      kind: kind === "ephemeral" ? "container" : kind,
      state,
      isStarted: life.started,
      isHookDue: postStart !== undefined && life.postStart !== "done",
      exitCode,
      verdict: mustRun ? "restart" : judgeExit(terms, { exitCode, isProbeKill }),
    };
  }
}

const sigterm = 15;
