// A pod as Kubernetes would print it: a v1 Pod with its status, computed from the state, the record
// and the journal, and nothing else.

import type { ContainerKind } from "../spec/launches.ts";
import type { Journal } from "./life/journal.ts";
import { readJournal } from "./life/journal.ts";
import type { PodState } from "./read-state.ts";
import type { KeeperRecord } from "./record.ts";
import { isKeeperAlive, readRecord } from "./record.ts";
import { conditionsOf, dateConditions, noteConditions } from "./status/conditions.ts";
import type { DatedCondition } from "./status/conditions.ts";
import { containerStatus, timeText } from "./status/container-status.ts";
import type { Json } from "./status/manifest.ts";
import { asJson, viewManifest } from "./status/manifest.ts";
import type { Phase } from "./status/phase.ts";
import { phaseOf } from "./status/phase.ts";
import type { ContainerView, PodFacts } from "./status/views.ts";
import { viewContainers } from "./status/views.ts";

/** What a pod is at this moment, before it is put into Kubernetes' words. */
export interface PodView {
  readonly facts: PodFacts;
  readonly containers: readonly ContainerView[];
  readonly phase: Phase;
  readonly conditions: readonly DatedCondition[];
}

export function viewPod(
  state: PodState,
  record: KeeperRecord | undefined,
  journal: Journal | undefined,
): PodView {
  const manifest = viewManifest(state);
  const facts = { state, record, journal, manifest, isKeeperAlive: isKeeperAlive(record) };
  const containers = viewContainers(facts);
  const phase = phaseOf(facts, containers);
  const conditions = conditionsOf(facts, containers, phase);
  return { facts, containers, phase, conditions: dateConditions(facts, containers, conditions) };
}

export function readPodView(state: PodState, directory: string): PodView {
  return viewPod(state, readRecord(directory), readJournal(directory));
}

/** For the owner, whenever it writes its journal: since when each condition is what it is. */
export function noteStatus(
  journal: Journal,
  state: PodState,
  directory: string,
  nowMs: number,
): void {
  const { conditions, facts } = viewPod(state, readRecord(directory), journal);
  // Those of readiness gates are set from outside.
  const own = conditions.filter(({ type }) => !facts.manifest.readinessGates.includes(type));
  noteConditions(journal, own, nowMs);
}

export function readPodObject(state: PodState, directory: string): Json {
  return podObject(readPodView(state, directory));
}

export function podObject(view: PodView): Json {
  const { state, journal } = view.facts;
  const metadata = asJson(state.manifest["metadata"]);
  const end = journal?.termination?.cause === "down" ? journal.termination : undefined;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      ...metadata,
      name: state.name,
      namespace: state.namespace,
      uid: state.uid,
      creationTimestamp: timeText(state.createdMs),
      ...(end && {
        deletionTimestamp: timeText(end.startedMs + end.graceMs),
        deletionGracePeriodSeconds: Math.round(end.graceMs / 1000),
      }),
    },
    spec: state.manifest["spec"] ?? {},
    status: podStatus(view),
  };
}

function podStatus({ facts, containers, phase, conditions }: PodView): Json {
  const { state, journal, isKeeperAlive: isAlive } = facts;
  const { reason = "", message = "" } = journal?.outcome ?? journal?.termination ?? {};
  const isLost = !isAlive && phase === "Failed" && !journal?.outcome;
  const statuses = (...kinds: readonly ContainerKind[]) =>
    containers
      .filter(({ kind }) => kinds.includes(kind))
      .map((view) => containerStatus(view, facts.manifest.containers.get(view.entry.name)));
  const [init, ephemeral] = [statuses("init", "sidecar"), statuses("ephemeral")];
  const byName = (a: Json, b: Json) => (String(a["name"]) < String(b["name"]) ? -1 : 1);
  return {
    phase,
    conditions: conditions.map(({ sinceMs, ...condition }) => ({
      ...condition,
      lastProbeTime: null,
      lastTransitionTime: timeText(sinceMs),
    })),
    ...(reason !== "" && { reason }),
    ...(message !== "" && { message }),
    ...(isLost && { reason: "KeeperGone", message: "the pod's keeper died" }),
    ...addressStatus(state),
    startTime: timeText(state.createdMs),
    ...(init.length > 0 && { initContainerStatuses: init }),
    containerStatuses: statuses("container").toSorted(byName),
    ...(ephemeral.length > 0 && { ephemeralContainerStatuses: ephemeral.toSorted(byName) }),
    qosClass: state.qosClass,
  };
}

/** Left out for a pod that has only loopback, and with the host's network. */
function addressStatus({ network }: PodState): Json {
  if (!network) return {};
  const list = (addresses: readonly string[]) => addresses.map((ip) => ({ ip }));
  return {
    hostIP: network.hostIPs[0] ?? "",
    hostIPs: list(network.hostIPs),
    podIP: network.podIPs[0] ?? "",
    podIPs: list(network.podIPs),
  };
}
