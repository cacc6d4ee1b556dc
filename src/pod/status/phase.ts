// The phase of a pod (kubelet, `getPhase`).

import { judgeExit } from "../life/restart.ts";
import type { ManifestView } from "./manifest.ts";
import type { ContainerView, PodFacts } from "./views.ts";

export type Phase = "Pending" | "Running" | "Succeeded" | "Failed";

export function phaseOf(facts: PodFacts, views: readonly ContainerView[]): Phase {
  const { journal, manifest, isKeeperAlive } = facts;
  // Both are final.
  if (journal?.outcome) return journal.outcome.phase;
  const isOver = (view: ContainerView) => view.state.kind === "terminated";
  if (!isKeeperAlive && !views.every((view) => view.kind !== "container" || isClean(view))) {
    return "Failed";
  }
  const regular = views.filter(({ kind }) => kind === "container");
  const init = views.filter(({ kind }) => kind === "init");
  const sidecars = views.filter(({ kind }) => kind === "sidecar");
  const mayReturn = (view: ContainerView) => mayRestart(view, manifest);
  const hasRun = regular.some(hasEverRun);
  if (!hasRun && init.some((view) => isOver(view) && !isClean(view) && !mayReturn(view))) {
    return "Failed";
  }
  const isInitialized = init.every(isClean) && sidecars.every(({ isStarted }) => isStarted);
  if (!isInitialized && !hasRun) return "Pending";
  if (regular.some(({ state, last }) => state.kind === "waiting" && last === undefined)) {
    return "Pending";
  }
  if ([...regular, ...sidecars].some(({ state }) => state.kind === "running")) return "Running";
  // A crash loop waits with an end behind it: it counts as stopped.
  if (regular.some((view) => !isOver(view) || mayReturn(view))) return "Running";
  return regular.every(isClean) ? "Succeeded" : "Failed";
}

function isClean({ state }: ContainerView): boolean {
  return state.kind === "terminated" && state.exitCode === 0;
}

function hasEverRun({ state, last }: ContainerView): boolean {
  return state.kind !== "waiting" || last !== undefined;
}

export function mayRestart(view: ContainerView, manifest: ManifestView): boolean {
  const { state, kind, isProbeKill } = view;
  if (state.kind !== "terminated") return false;
  const container = manifest.containers.get(view.entry.name);
  const terms = {
    kind,
    podPolicy: manifest.policy,
    ownPolicy: container?.ownPolicy,
    rules: container?.rules ?? [],
  };
  return judgeExit(terms, { exitCode: state.exitCode, isProbeKill }) !== "no";
}
