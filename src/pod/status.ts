// A pod as Kubernetes would print it: a v1 Pod with its status, computed from the state, the record
// and nothing else.

import { logName } from "../spec/resolved.ts";
import type { PodState } from "./read-state.ts";
import type { KeeperRecord, ProcessRecord } from "./record.ts";
import { isKeeperAlive } from "./record.ts";
import { containerId } from "./state.ts";
import type { ContainerState, ExitStatus } from "./types.ts";

type Json = Readonly<Record<string, unknown>>;

export function containerStates(
  state: PodState,
  record: KeeperRecord | undefined,
  cgroupOf: (name: string) => string,
): ContainerState[] {
  return state.containers.map((container) => {
    const known = record?.processes.get(container.process);
    const exit = known?.exit ?? lostExit(known, record);
    return {
      name: container.name,
      id: containerId(container.id, known?.attempt ?? 0),
      phase: exit ? "terminated" : known?.state === "running" ? "running" : "waiting",
      pid: exit ? 0 : (known?.pid ?? 0),
      startedAt: known && known.startedNs > 0n ? dateOf(known.startedNs) : undefined,
      exit,
      logPath: `${state.places.logsParent}/${state.places.logsName}/${container.name}/${logName(known?.attempt ?? 0)}`,
      cgroup: cgroupOf(container.name),
      linesDropped: known?.linesDropped ?? 0,
    };
  });
}

/** A container whose keeper died has died with it, and nobody saw how. */
function lostExit(
  known: ProcessRecord | undefined,
  record: KeeperRecord | undefined,
): ExitStatus | undefined {
  if (!known || !record || isKeeperAlive(record)) return undefined;
  return {
    exitCode: 137,
    signal: "SIGKILL",
    oomKilled: false,
    startedAt: dateOf(known.startedNs),
    finishedAt: dateOf(known.startedNs),
    cpuMs: 0,
    memoryPeakBytes: 0,
  };
}

function dateOf(timeNs: bigint): Date {
  return new Date(Number(timeNs / 1_000_000n));
}

export function podObject(
  state: PodState,
  containers: readonly ContainerState[],
  isAlive: boolean,
): Json {
  const metadata = asJson(state.manifest["metadata"]);
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      ...metadata,
      name: state.name,
      namespace: state.namespace,
      uid: state.uid,
      creationTimestamp: time(new Date(state.createdMs)),
    },
    spec: state.manifest["spec"] ?? {},
    status: podStatus(state, containers, isAlive),
  };
}

function podStatus(state: PodState, containers: readonly ContainerState[], isAlive: boolean): Json {
  const images = imagesOf(state);
  const phase = phaseOf(containers, isAlive);
  const created = time(new Date(state.createdMs));
  const isReady = containers.every((container) => container.phase === "running");
  const finished = phase === "Succeeded" || phase === "Failed";
  const reason = phase === "Succeeded" ? "PodCompleted" : "ContainersNotReady";
  const condition = (type: string, ok: boolean, why: string): Json => ({
    type,
    status: ok ? "True" : "False",
    lastTransitionTime: created,
    ...(!ok && { reason: why }),
  });
  return {
    phase,
    conditions: [
      condition("PodReadyToStartContainers", isAlive, "KeeperGone"),
      condition("Initialized", true, ""),
      condition("Ready", isReady, reason),
      condition("ContainersReady", isReady, reason),
      condition("PodScheduled", true, ""),
    ],
    ...addressStatus(state),
    startTime: created,
    qosClass: state.qosClass,
    ...(!isAlive && !finished && { reason: "KeeperGone", message: "the pod's keeper died" }),
    containerStatuses: containers
      .map((container) => containerStatus(container, images.get(container.name) ?? "", isAlive))
      .toSorted((a, b) => (String(a["name"]) < String(b["name"]) ? -1 : 1)),
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

function imagesOf(state: PodState): ReadonlyMap<string, string> {
  const containers = asJson(state.manifest["spec"])["containers"];
  const list: readonly unknown[] = Array.isArray(containers) ? containers : [];
  return new Map(
    list.map(asJson).map(({ name, image }) => [String(name ?? ""), String(image ?? "")]),
  );
}

/** The kubelet's getPhase, for pods whose containers are not restarted (docs/support.md). */
function phaseOf(containers: readonly ContainerState[], isAlive: boolean): string {
  if (!isAlive && containers.some(({ phase }) => phase !== "terminated")) return "Failed";
  if (containers.some(({ phase }) => phase === "waiting")) return "Pending";
  if (containers.some(({ phase }) => phase === "running")) return "Running";
  return containers.every(({ exit }) => exit?.exitCode === 0) ? "Succeeded" : "Failed";
}

function containerStatus(container: ContainerState, image: string, isAlive: boolean): Json {
  const isRunning = container.phase === "running";
  return {
    name: container.name,
    containerID: `peapod://${container.id}`,
    image,
    imageID: image,
    ready: isRunning,
    started: isRunning,
    restartCount: 0,
    state: stateOf(container, isAlive),
    lastState: {},
  };
}

function stateOf(container: ContainerState, isAlive: boolean): Json {
  const { exit, startedAt } = container;
  if (exit) {
    return {
      terminated: {
        exitCode: exit.exitCode,
        ...(exit.signal !== undefined && { signal: exit.exitCode - 128 }),
        reason: reasonOf(exit, isAlive),
        startedAt: time(exit.startedAt),
        finishedAt: time(exit.finishedAt),
        containerID: `peapod://${container.id}`,
      },
    };
  }
  if (container.phase === "running")
    return { running: { startedAt: time(startedAt ?? new Date(0)) } };
  return { waiting: { reason: "ContainerCreating" } };
}

function reasonOf(exit: ExitStatus, isAlive: boolean): string {
  if (exit.oomKilled) return "OOMKilled";
  if (exit.exitCode === 0) return "Completed";
  return !isAlive && exit.finishedAt.getTime() === exit.startedAt.getTime()
    ? "ContainerStatusUnknown"
    : "Error";
}

/** Kubernetes' times have whole seconds. */
function time(date: Date): string {
  return date.toISOString().replace(/\.[0-9]+Z$/, "Z");
}

function asJson(value: unknown): Json {
  return typeof value === "object" && value !== null ? (value as Json) : {};
}
