// The probes of one attempt of one container: when each is asked, and who hears what follows from
// the answers.

import type { ContainerLifeSpec, ProbeSpec } from "../../../spec/life.ts";
import type { Clock } from "../clock.ts";
import type { ProbeKind, ProbeState } from "./probe-state.ts";
import { mayProbe, newProbeState, nextProbeState, probeKinds, probeTitle } from "./probe-state.ts";
import { runHandler } from "./run-handler.ts";
import type { HandlerResult, ProbeTarget } from "./target.ts";
import type { Wheel } from "./wheel.ts";
import { probeWheel } from "./wheel.ts";

export interface ProbeEvents {
  /** The startup probe passed, or there is none. */
  onStarted(): void;
  onReady(isReady: boolean, message: string): void;
  /** The text of an event Unhealthy. */
  onUnhealthy(kind: ProbeKind, message: string): void;
  /** The text of an event ProbeWarning. */
  onWarning(kind: ProbeKind, message: string): void;
  /** The container has to be killed; `graceMs` replaces the pod's grace. */
  onFailed(kind: "startup" | "liveness", message: string, graceMs?: number): void;
}

export type ProbeSpecs = Pick<
  ContainerLifeSpec,
  "startupProbe" | "livenessProbe" | "readinessProbe"
>;

/** By kind, as the journal keeps them: the latest answer, and how many in a row said the same. */
export type ProbeMemories = Readonly<
  Record<string, { readonly result: ProbeState["last"]; readonly run: number }>
>;

/** What the owner before this one has left in the journal. */
export interface Resumed {
  readonly isStarted: boolean;
  readonly isReady: boolean;
  readonly memories: ProbeMemories;
}

interface Worker {
  readonly kind: ProbeKind;
  readonly spec: ProbeSpec;
  state: ProbeState;
  dueMs: number;
  /** In the wheel; undefined while it is being asked, or before its turn. */
  waiting: Disposable | undefined;
  isStopped: boolean;
}

/** A prober that could not ask tries again at once, and then lets it be. */
const attemptsMax = 3;

export class ContainerProbes implements Disposable {
  readonly #events: ProbeEvents;
  readonly #clock: Clock;
  readonly #wheel: Wheel;
  readonly #workers: readonly Worker[];
  readonly #abort = new AbortController();
  #target: ProbeTarget | undefined;
  #isStarted = false;

  constructor(specs: ProbeSpecs, events: ProbeEvents, clock: Clock, wheel: Wheel = probeWheel) {
    this.#events = events;
    this.#clock = clock;
    this.#wheel = wheel;
    const specOf = {
      startup: specs.startupProbe,
      liveness: specs.livenessProbe,
      readiness: specs.readinessProbe,
    };
    this.#workers = probeKinds.flatMap((kind) => {
      const spec = specOf[kind];
      const idle = { dueMs: 0, waiting: undefined, isStopped: false };
      return spec ? [{ kind, spec, state: newProbeState(kind), ...idle }] : [];
    });
  }

  get memories(): ProbeMemories {
    return Object.fromEntries(
      this.#workers.map(({ kind, state: { last, run } }) => [kind, { result: last, run }]),
    );
  }

  /** Once the container runs and its postStart hook is done. */
  start(target: ProbeTarget, resumed?: Resumed): void {
    this.#target = target;
    if (resumed) for (const worker of this.#workers) worker.state = remember(worker, resumed);
    const hasStartup = this.#workers.some(({ kind }) => kind === "startup");
    if (resumed?.isStarted || !hasStartup) return this.#started(resumed);
    this.#beginAll(resumed !== undefined);
  }

  /** A pod that is being ended is asked about its readiness to the end, and nothing else. */
  stop(kinds: readonly ProbeKind[] = probeKinds): void {
    for (const worker of this.#workers) {
      if (!kinds.includes(worker.kind)) continue;
      worker.isStopped = true;
      worker.waiting?.[Symbol.dispose]();
    }
  }

  [Symbol.dispose](): void {
    this.stop();
    this.#abort.abort();
  }

  /** Not told again to an owner that resumes. */
  #started(resumed?: Resumed): void {
    this.#isStarted = true;
    const isResumed = resumed?.isStarted ?? false;
    if (!isResumed) this.#events.onStarted();
    this.#beginAll(resumed !== undefined);
    const hasReadiness = this.#workers.some(({ kind }) => kind === "readiness");
    if (!hasReadiness && !isResumed) this.#events.onReady(true, "");
  }

  #beginAll(isResumed: boolean): void {
    for (const worker of this.#workers) {
      if (worker.isStopped || worker.state.isOnHold) continue;
      if (!mayProbe(worker.kind, this.#isStarted)) continue;
      // Owners that take over many pods at once do not ask all of them in the same moment; but who
      // was never asked is waited for.
      const isKnown = isResumed && worker.state.last !== "none";
      const spreadMs = isKnown ? Math.random() * worker.spec.periodMs : 0;
      const sinceMs = this.#clock.nowMs() - (this.#target?.startedMs ?? 0);
      const delayMs = this.#clock.scaled(worker.spec.initialDelayMs) - sinceMs;
      const waitMs = Math.max(delayMs, this.#clock.scaled(spreadMs), 0);
      this.#schedule(worker, performance.now() + waitMs);
    }
  }

  #schedule(worker: Worker, dueMs: number): void {
    worker.dueMs = dueMs;
    worker.waiting = this.#wheel.at(dueMs, () => {
      worker.waiting = undefined;
      void this.#turn(worker);
    });
  }

  async #turn(worker: Worker): Promise<void> {
    const result = await this.#ask(worker);
    if (worker.isStopped) return;
    if (result) this.#take(worker, result);
    // What the answer led to may have ended these probes.
    if (worker.isStopped || worker.state.isOnHold) return;
    this.#schedule(worker, nextTurn(worker.dueMs, this.#clock.scaled(worker.spec.periodMs)));
  }

  async #ask(worker: Worker): Promise<HandlerResult | undefined> {
    const { handler, timeoutMs } = worker.spec;
    const target = this.#target;
    let problem = "";
    for (let attempt = 0; target && attempt < attemptsMax && !worker.isStopped; attempt++) {
      try {
        const { signal } = this.#abort;
        const clock = this.#clock;
        return await runHandler(handler, target, { timeoutMs, clock, purpose: "probe", signal });
      } catch (error) {
        problem = error instanceof Error ? error.message : String(error);
      }
    }
    if (!worker.isStopped) {
      const title = probeTitle(worker.kind);
      const message = `${title} probe errored and resulted in unknown state: ${problem}`;
      this.#events.onUnhealthy(worker.kind, message);
    }
    return undefined;
  }

  #take(worker: Worker, { ok, message, warning }: HandlerResult): void {
    const { kind, spec, state } = worker;
    const title = probeTitle(kind);
    if (!ok) this.#events.onUnhealthy(kind, `${title} probe failed: ${message}`);
    else if (warning) {
      this.#events.onWarning(kind, `${title} probe warning: ${warning.message}`);
    }
    worker.state = nextProbeState(kind, spec, state, ok ? "success" : "failure");
    if (worker.state.result === state.result && worker.state.isOnHold === state.isOnHold) return;
    if (kind === "readiness") return this.#events.onReady(ok, message);
    if (!ok) return this.#events.onFailed(kind, message, spec.terminationGraceMs);
    if (kind === "startup") this.#started();
  }
}

/**
 * All probes fall into step after their first, so that many cost few wake-ups: a probe a second
 * that wakes the process alone costs three times one in company. A probe that took longer than its
 * period is asked again at once.
 */
function nextTurn(dueMs: number, periodMs: number): number {
  const stepMs = Math.min(periodMs / 2, stepMsMax);
  return Math.max(Math.ceil((dueMs + periodMs) / stepMs) * stepMs, performance.now());
}

const stepMsMax = 500;

function remember({ kind, state }: Worker, { isReady, memories }: Resumed): ProbeState {
  const { result: last, run } = memories[kind] ?? { result: state.last, run: state.run };
  const isDecided = kind === "readiness" && isReady;
  return { ...state, last, run, result: isDecided ? "success" : state.result };
}
