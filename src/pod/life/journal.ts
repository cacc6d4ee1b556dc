// `STATE/pods/UID/life.json`: what the owner knows of a pod's life and the keeper's record does
// not. Written whole by its owner, off every path; read by the next owner, and by who shows a
// status.

import { readFileSync, renameSync, writeFileSync } from "node:fs";
import type { Static } from "typebox";
import Type from "typebox";
import { Compile } from "typebox/compile";

const Text = Type.String();
const Integer = Type.Integer();
/** Epoch milliseconds. */
const Time = Type.Number();

/** How one attempt ended, with what the record cannot say: why. */
const Termination = Type.Object({
  attempt: Integer,
  exitCode: Integer,
  /** `SIGKILL`. */
  signal: Type.Optional(Text),
  /** Kubernetes': Completed, Error, OOMKilled, StartError, … */
  reason: Text,
  /** The container's termination message, or why it could not start. */
  message: Text,
  startedMs: Time,
  finishedMs: Time,
});

/** Why a container does not run at this moment. */
const Waiting = Type.Object({
  /** CrashLoopBackOff, CreateContainerConfigError, RunContainerError, ErrImagePull, … */
  reason: Text,
  message: Text,
  sinceMs: Time,
  /** The end of the back-off. */
  untilMs: Type.Optional(Time),
});

const ProbeMemory = Type.Object({
  result: Type.Union([Type.Literal("none"), Type.Literal("success"), Type.Literal("failure")]),
  /** Answers in a row that were the same. */
  run: Integer,
});

const ContainerLife = Type.Object({
  /** Of the last launch that was tried; the record has the last that ran. */
  attempt: Integer,
  /** Attempts up to this one do not count for the order of start; -1 for none. */
  discarded: Integer,
  /** postStart is done and the startup probe has passed. */
  started: Type.Boolean(),
  /** What the readiness probe says; without one, `started`. */
  ready: Type.Boolean(),
  waiting: Type.Optional(Waiting),
  /** Of this attempt, when it has ended. */
  termination: Type.Optional(Termination),
  /** Of the attempt before this one. */
  lastTermination: Type.Optional(Termination),
  /** Grows with each restart; the delay is the next one's. */
  backOff: Type.Optional(Type.Object({ delayMs: Integer, updatedMs: Time })),
  postStart: Type.Optional(Type.Union([Type.Literal("running"), Type.Literal("done")])),
  preStop: Type.Optional(Type.Union([Type.Literal("running"), Type.Literal("done")])),
  /** It is being ended while the pod lives on: a probe failed, its image changed, … */
  killing: Type.Optional(
    Type.Object({ reason: Text, message: Text, startedMs: Time, graceMs: Integer }),
  ),
  /** By kind: startup, liveness, readiness. */
  probes: Type.Optional(Type.Record(Text, ProbeMemory)),
});

const Condition = Type.Object({
  status: Type.Union([Type.Literal("True"), Type.Literal("False"), Type.Literal("Unknown")]),
  reason: Type.Optional(Text),
  message: Type.Optional(Text),
  transitionMs: Time,
});

/** One of Kubernetes' events; equal ones are counted. */
const LifeEvent = Type.Object({
  type: Type.Union([Type.Literal("Normal"), Type.Literal("Warning")]),
  reason: Text,
  message: Text,
  /** Empty for the pod's own. */
  container: Text,
  count: Integer,
  firstMs: Time,
  lastMs: Time,
});

const Journal = Type.Object({
  version: Type.Literal(1),
  startedMs: Time,
  containers: Type.Record(Text, ContainerLife),
  /** The pod is being ended, or its containers are. */
  termination: Type.Optional(
    Type.Object({
      /** `down`: everything goes. The others leave a pod that has finished. */
      cause: Type.Union([Type.Literal("down"), Type.Literal("finished"), Type.Literal("failed")]),
      startedMs: Time,
      graceMs: Integer,
      /** Of the pod: DeadlineExceeded, Evicted; empty for none. */
      reason: Text,
      message: Text,
    }),
  ),
  /** Final. */
  outcome: Type.Optional(
    Type.Object({
      phase: Type.Union([Type.Literal("Succeeded"), Type.Literal("Failed")]),
      reason: Text,
      message: Text,
      atMs: Time,
    }),
  ),
  /** RestartAllContainers is under way. */
  restartingAll: Type.Optional(Type.Object({ source: Text, sinceMs: Time })),
  /** By type. Those of `readinessGates` are set from outside. */
  conditions: Type.Record(Text, Condition),
  events: Type.Array(LifeEvent),
});

export type Journal = Static<typeof Journal>;
export type ContainerLife = Static<typeof ContainerLife>;
export type Termination = Static<typeof Termination>;
export type Waiting = Static<typeof Waiting>;
export type LifeEvent = Static<typeof LifeEvent>;
export type ConditionState = Static<typeof Condition>;

export const journalName = "life.json";

export function newJournal(startedMs: number, containers: readonly string[]): Journal {
  return {
    version: 1,
    startedMs,
    containers: Object.fromEntries(containers.map((name) => [name, newContainerLife()])),
    conditions: {},
    events: [],
  };
}

export function newContainerLife(): ContainerLife {
  return { attempt: 0, discarded: -1, started: false, ready: false };
}

let validator: ReturnType<typeof Compile<typeof Journal>> | undefined;

/** Undefined before there is one, and when it is no journal: then the record alone counts. */
export function readJournal(directory: string): Journal | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(`${directory}/${journalName}`, "utf8"));
    validator ??= Compile(Journal);
    return validator.Check(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Whole or not at all: whoever reads it sees the one before, or this one. */
export function writeJournal(directory: string, journal: Journal): void {
  const path = `${directory}/${journalName}`;
  writeFileSync(`${path}.new`, JSON.stringify(journal), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}
