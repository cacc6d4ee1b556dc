// The columns READY, STATUS and RESTARTS, computed from a v1 Pod as kubectl's printer does
// (`printPod`, pkg/printers).

import type { ContainerStatus, PodObject } from "./pod-object.ts";
import { formatAge } from "./time.ts";

export interface PodColumns {
  readonly ready: string;
  readonly status: string;
  readonly restarts: string;
  readonly age: string;
}

interface Tally {
  reason: string;
  ready: number;
  restarts: number;
  /** Epoch milliseconds of the last end that a restart followed; 0 for never. */
  restartedMs: number;
}

export function podColumns(pod: PodObject, nowMs: number): PodColumns {
  const { status = {}, spec = {}, metadata = {} } = pod;
  const sidecars = sidecarNames(pod);
  const tally: Tally = {
    reason: status.reason || status.phase || "Unknown",
    ready: 0,
    restarts: 0,
    restartedMs: 0,
  };
  const isInitializing = tallyInit(tally, pod, sidecars);
  if (!isInitializing || hasCondition(pod, "Initialized")) {
    // A finished initialization no longer matters; a sidecar's restarts do.
    const init = status.initContainerStatuses ?? [];
    tally.restarts = 0;
    tally.restartedMs = 0;
    for (const one of init) if (sidecars.has(one.name)) addRestarts(tally, one);
    tallyContainers(tally, pod);
  }
  const isFinal = status.phase === "Succeeded" || status.phase === "Failed";
  if (metadata.deletionTimestamp !== undefined && !isFinal) tally.reason = "Terminating";
  const total = (spec.containers ?? []).length + sidecars.size;
  const created = metadata.creationTimestamp ?? status.startTime;
  return {
    ready: `${tally.ready}/${total}`,
    status: tally.reason,
    restarts: printRestarts(tally, nowMs),
    age: created === undefined ? "<unknown>" : formatAge(nowMs - Date.parse(created)),
  };
}

/** Sidecars are init containers that go on running. */
function sidecarNames(pod: PodObject): ReadonlySet<string> {
  const init = pod.spec?.initContainers ?? [];
  return new Set(
    init.filter(({ restartPolicy }) => restartPolicy === "Always").map(({ name }) => name),
  );
}

/** True when an init container is not done; the first such gives the reason. */
function tallyInit(tally: Tally, pod: PodObject, sidecars: ReadonlySet<string>): boolean {
  const total = (pod.spec?.initContainers ?? []).length;
  for (const [index, one] of (pod.status?.initContainerStatuses ?? []).entries()) {
    addRestarts(tally, one);
    const { terminated, waiting } = one.state ?? {};
    if (terminated?.exitCode === 0) continue;
    if (sidecars.has(one.name) && one.started) {
      if (one.ready) tally.ready += 1;
      continue;
    }
    if (terminated) tally.reason = `Init:${endReason(terminated)}`;
    else if (waiting?.reason && waiting.reason !== "PodInitializing") {
      tally.reason = `Init:${waiting.reason}`;
    } else tally.reason = `Init:${index}/${total}`;
    return true;
  }
  return false;
}

/** From last to first, each overwriting: the first container's trouble is what shows. */
function tallyContainers(tally: Tally, pod: PodObject): void {
  let hasRunning = false;
  let errorReason = "";
  for (const one of (pod.status?.containerStatuses ?? []).toReversed()) {
    addRestarts(tally, one);
    const { waiting, terminated, running } = one.state ?? {};
    if (waiting?.reason) tally.reason = waiting.reason;
    else if (terminated) {
      tally.reason = endReason(terminated);
      if (tally.reason !== "Completed") errorReason = tally.reason;
    } else if (one.ready && running) {
      hasRunning = true;
      tally.ready += 1;
    }
  }
  if (tally.reason !== "Completed") return;
  if (hasRunning && hasCondition(pod, "Ready")) tally.reason = "Running";
  else if (errorReason !== "") tally.reason = errorReason;
  else if (hasRunning) tally.reason = "NotReady";
}

function endReason(end: { reason?: string; signal?: number; exitCode?: number }): string {
  if (end.reason) return end.reason;
  return end.signal ? `Signal:${end.signal}` : `ExitCode:${end.exitCode ?? 0}`;
}

function addRestarts(tally: Tally, one: ContainerStatus): void {
  tally.restarts += one.restartCount ?? 0;
  const finishedAt = one.lastState?.terminated?.finishedAt;
  if (finishedAt !== undefined) {
    tally.restartedMs = Math.max(tally.restartedMs, Date.parse(finishedAt) || 0);
  }
}

function printRestarts({ restarts, restartedMs }: Tally, nowMs: number): string {
  if (restarts === 0 || restartedMs === 0) return `${restarts}`;
  return `${restarts} (${formatAge(nowMs - restartedMs)} ago)`;
}

function hasCondition(pod: PodObject, type: string): boolean {
  return (pod.status?.conditions ?? []).some((one) => one.type === type && one.status === "True");
}
