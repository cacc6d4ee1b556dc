// The conditions of a pod (kubelet, `pkg/kubelet/status/generate.go`).

import type { Journal } from "../life/journal.ts";
import type { Phase } from "./phase.ts";
import type { ContainerView, PodFacts } from "./views.ts";

export interface Condition {
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  readonly reason?: string;
  readonly message?: string;
}

export interface DatedCondition extends Condition {
  readonly sinceMs: number;
}

const yes = (type: string, reason?: string): Condition => ({
  ...{ type, status: "True" },
  ...(reason !== undefined && { reason }),
});

const no = (type: string, reason: string, message = ""): Condition => ({
  ...{ type, status: "False", reason },
  ...(message !== "" && { message }),
});

/** In the kubelet's order. */
export function conditionsOf(
  facts: PodFacts,
  views: readonly ContainerView[],
  phase: Phase,
): Condition[] {
  const { journal, isKeeperAlive, manifest } = facts;
  const containersReady = readyContainers(views, phase);
  const gates = manifest.readinessGates;
  const { outcome, restartingAll } = journal ?? {};
  return [
    isKeeperAlive
      ? yes("PodReadyToStartContainers")
      : no("PodReadyToStartContainers", "KeeperGone", "the pod's keeper died"),
    initialized(views, phase),
    readyPod(containersReady, gates, journal),
    containersReady,
    yes("PodScheduled"),
    ...(restartingAll ? [yes("AllContainersRestarting")] : []),
    ...(outcome?.reason === "Evicted" ? [yes("DisruptionTarget", "TerminationByKubelet")] : []),
    ...gates.map((type) => {
      const { status = "Unknown", reason, message } = journal?.conditions[type] ?? {};
      return { type, status, ...(reason && { reason }), ...(message && { message }) } as const;
    }),
  ];
}

function initialized(views: readonly ContainerView[], phase: Phase): Condition {
  const type = "Initialized";
  if (phase === "Succeeded") return yes(type, "PodCompleted");
  const hasRun = views.some(
    ({ kind, state, last }) => kind === "container" && (state.kind !== "waiting" || last),
  );
  const incomplete = views.filter(
    ({ kind, isReady, isStarted }) =>
      (kind === "init" && !isReady) || (kind === "sidecar" && !isStarted),
  );
  if (hasRun || incomplete.length === 0) return yes(type);
  const message = `containers with incomplete status: [${namesOf(incomplete)}]`;
  return no(type, "ContainersNotInitialized", message);
}

function readyContainers(views: readonly ContainerView[], phase: Phase): Condition {
  const type = "ContainersReady";
  if (phase === "Succeeded") return no(type, "PodCompleted");
  if (phase === "Failed") return no(type, "PodFailed");
  const unready = views.filter(
    ({ kind, isReady }) => (kind === "container" || kind === "sidecar") && !isReady,
  );
  if (unready.length === 0) return yes(type);
  const message = `containers with unready status: [${namesOf(unready)}]`;
  return no(type, "ContainersNotReady", message);
}

function readyPod(
  containers: Condition,
  gates: readonly string[],
  journal: Journal | undefined,
): Condition {
  if (containers.status !== "True") return { ...containers, type: "Ready" };
  const problems = gates.flatMap((gate) => {
    const status = journal?.conditions[gate]?.status;
    if (status === "True") return [];
    return status === undefined
      ? [`corresponding condition of pod readiness gate "${gate}" does not exist.`]
      : [`the status of pod readiness gate "${gate}" is not "True", but ${status}`];
  });
  if (problems.length === 0) return yes("Ready");
  return no("Ready", "ReadinessGatesNotReady", problems.join(", "));
}

function namesOf(views: readonly ContainerView[]): string {
  return views.map(({ entry }) => entry.name).join(" ");
}

/** Since when each is what it is: as the owner has noted, else as far as the containers tell. */
export function dateConditions(
  { state, journal }: PodFacts,
  views: readonly ContainerView[],
  conditions: readonly Condition[],
): DatedCondition[] {
  const times = views.map(({ state: shown }) =>
    shown.kind === "running"
      ? shown.startedMs
      : shown.kind === "terminated"
        ? shown.finishedMs
        : state.createdMs,
  );
  const changedMs = Math.max(state.createdMs, ...times);
  const early = ["PodScheduled", "PodReadyToStartContainers"];
  return conditions.map((condition) => {
    const noted = journal?.conditions[condition.type];
    const isNoted = noted?.status === condition.status;
    const guessedMs = early.includes(condition.type) ? state.createdMs : changedMs;
    return { ...condition, sinceMs: isNoted ? noted.transitionMs : guessedMs };
  });
}

/** For the owner, whenever it writes its journal. */
export function noteConditions(
  journal: Journal,
  conditions: readonly Condition[],
  nowMs: number,
): void {
  for (const { type, status, reason, message } of conditions) {
    const known = journal.conditions[type];
    const transitionMs = known?.status === status ? known.transitionMs : nowMs;
    const why = { ...(reason && { reason }), ...(message && { message }) };
    journal.conditions[type] = { status, ...why, transitionMs };
  }
}
