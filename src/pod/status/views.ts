// Each container as its status shows it: what the keeper's record says happened, and what the
// owner's journal says it means.

import type { ContainerKind } from "../../spec/launches.ts";
import type { ContainerLife, Journal, Termination } from "../life/journal.ts";
import type { ContainerEntry, PodState } from "../read-state.ts";
import type { KeeperRecord, ProcessRecord } from "../record.ts";
import { containerId } from "../state.ts";
import type { ExitStatus } from "../types.ts";
import type { ManifestView } from "./manifest.ts";

export type ShownState =
  | {
      readonly kind: "waiting";
      readonly reason: string;
      readonly message: string;
      /** The end of the back-off. */
      readonly untilMs?: number;
    }
  | { readonly kind: "running"; readonly startedMs: number }
  | ({ readonly kind: "terminated" } & Termination);

export interface ContainerView {
  readonly entry: ContainerEntry;
  readonly kind: ContainerKind;
  readonly state: ShownState;
  /** The end before this state. */
  readonly last: Termination | undefined;
  /** How often it was launched anew. */
  readonly restarts: number;
  readonly isStarted: boolean;
  readonly isReady: boolean;
  /** A probe had it killed: its exit code says nothing. */
  readonly isProbeKill: boolean;
  /** Empty for one that was never made. */
  readonly id: string;
}

export interface PodFacts {
  readonly state: PodState;
  readonly record: KeeperRecord | undefined;
  /** Missing before anything has happened that needs an owner. */
  readonly journal: Journal | undefined;
  readonly isKeeperAlive: boolean;
  readonly manifest: ManifestView;
}

export function viewContainers(facts: PodFacts): ContainerView[] {
  const hasInit = facts.state.containers.some(({ kind }) => kind === "init" || kind === "sidecar");
  const before = hasInit ? "PodInitializing" : "ContainerCreating";
  return facts.state.containers.map((entry) => viewContainer(facts, entry, before));
}

function viewContainer(facts: PodFacts, entry: ContainerEntry, before: string): ContainerView {
  const { record, journal, manifest } = facts;
  const kind = entry.kind ?? "container";
  const known = record?.processes.get(entry.process);
  const life = journal?.containers[entry.name];
  const attempt = Math.max(known?.attempt ?? 0, life?.attempt ?? 0);
  const ends = endsOf(facts, known, life, attempt);
  const state = shownState(facts, known, life, ends.current, before);
  const isRunning = state.kind === "running";
  const wanted = manifest.containers.get(entry.name);
  // A run that the owner has not heard of yet is not what its journal tells of.
  const told = life?.attempt === attempt ? life : undefined;
  const isStarted = isRunning && (told?.started ?? wanted?.hasStartup !== true);
  const isServing = kind === "container" || kind === "sidecar";
  const isReady = isStarted && (told?.ready ?? wanted?.hasReadiness !== true);
  return {
    ...{ entry, kind, state, restarts: attempt, isStarted },
    last: state.kind === "waiting" ? (ends.current ?? ends.before) : ends.before,
    isReady: isServing ? isReady : kind === "init" && ends.current?.exitCode === 0,
    isProbeKill: life?.killing?.reason === "Probe",
    id: known || ends.current ? containerId(entry.id, attempt) : "",
  };
}

/** The end of the run that is the last, and of the one before it. */
function endsOf(
  { record, isKeeperAlive }: PodFacts,
  known: ProcessRecord | undefined,
  life: ContainerLife | undefined,
  attempt: number,
): { readonly current: Termination | undefined; readonly before: Termination | undefined } {
  const ends = [life?.termination, life?.lastTermination].filter((end) => end !== undefined);
  const told = ends.find((end) => end.attempt === attempt);
  const before = ends.find((end) => end.attempt < attempt);
  if (told) return { current: told, before };
  if (!known || known.attempt < attempt) return { current: undefined, before };
  if (known.exit) return { current: terminationOf(attempt, known.exit), before };
  // A container whose keeper died has died with it, and nobody saw how.
  const isLost = record !== undefined && !isKeeperAlive;
  return { current: isLost ? lostTermination(attempt, known) : undefined, before };
}

function shownState(
  { isKeeperAlive }: PodFacts,
  known: ProcessRecord | undefined,
  life: ContainerLife | undefined,
  current: Termination | undefined,
  before: string,
): ShownState {
  const isRunning = known?.state === "running" && !current;
  // Before its postStart hook is done the kubelet does not call it running.
  const isHooked = life?.postStart === "running" && life.attempt === known?.attempt;
  if (isRunning && !isHooked) {
    return { kind: "running", startedMs: Number(known.startedNs / 1_000_000n) };
  }
  const waiting = isRunning || !isKeeperAlive ? undefined : life?.waiting;
  if (waiting) {
    const { reason, untilMs } = waiting;
    const until = untilMs === undefined ? {} : { untilMs };
    return { kind: "waiting", reason, message: wordWaiting(waiting.message, current), ...until };
  }
  if (current) return { kind: "terminated", ...current };
  return { kind: "waiting", reason: before, message: "" };
}

/** A container that does its work and exits is restarted too, which surprises people. */
function wordWaiting(message: string, current: Termination | undefined): string {
  if (current?.exitCode !== 0 || message === "") return message;
  return `${message} (it exited with 0, and its restart policy is Always)`;
}

export function terminationOf(attempt: number, exit: ExitStatus): Termination {
  return {
    attempt,
    exitCode: exit.exitCode,
    ...(exit.signal !== undefined && { signal: exit.signal }),
    reason: exit.oomKilled ? "OOMKilled" : exit.exitCode === 0 ? "Completed" : "Error",
    message: "",
    startedMs: exit.startedAt.getTime(),
    finishedMs: exit.finishedAt.getTime(),
  };
}

function lostTermination(attempt: number, { startedNs }: ProcessRecord): Termination {
  const startedMs = Number(startedNs / 1_000_000n);
  return {
    ...{ attempt, exitCode: 137, signal: "SIGKILL", reason: "ContainerStatusUnknown" },
    message: "the pod's keeper died, and the container with it",
    ...{ startedMs, finishedMs: startedMs },
  };
}
