// A pod's quality-of-service class, by the kubelet's rule. It names the pod's parent group and
// weighs the out-of-memory killer.

import type { ContainerSpec } from "./pod-spec.ts";

export type QosClass = "Guaranteed" | "Burstable" | "BestEffort";

/** The part of a container that its cgroup depends on. */
export type Resources = ContainerSpec["resources"];

/** Only CPU and memory count, and only amounts above 0. */
export function qosClass(containers: readonly Resources[]): QosClass {
  const amounts = containers.flatMap(({ requests, limits }) => [requests, limits]);
  if (!amounts.some(({ cpuMilli, memoryBytes }) => cpuMilli || memoryBytes)) return "BestEffort";
  const guaranteed = (["cpuMilli", "memoryBytes"] as const).every((kind) => {
    const limit = sumIfAllLimited(containers.map(({ limits }) => limits[kind]));
    return limit !== undefined && limit === sum(containers.map((c) => c.requests[kind] ?? 0));
  });
  return guaranteed ? "Guaranteed" : "Burstable";
}

/** Undefined unless every one has a limit. */
export function sumIfAllLimited(limits: readonly (number | undefined)[]): number | undefined {
  return limits.every((limit) => limit) ? sum(limits.map((limit) => limit ?? 0)) : undefined;
}

export function sum(amounts: readonly number[]): number {
  return amounts.reduce((total, amount) => total + amount, 0);
}
