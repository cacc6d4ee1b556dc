// A pod's quality-of-service class, by the kubelet's rule. It names the pod's parent group and
// weighs the out-of-memory killer.

import type { ContainerSpec } from "./pod-spec.ts";

export type QosClass = "Guaranteed" | "Burstable" | "BestEffort";

type Amounts = Readonly<Record<string, number>>;
const kinds = ["cpu", "memory"] as const;

/**
 * Only CPU and memory count, and only amounts above 0; containers of all kinds but ephemeral ones.
 * What the pod itself says (`pod`) counts alone.
 */
export function qosClass(
  containers: readonly Pick<ContainerSpec, "resources">[],
  pod?: { readonly requests: Amounts; readonly limits: Amounts },
): QosClass {
  const lists = pod
    ? [pod]
    : containers.map(({ resources: { requests, limits } }) => ({
        requests: { cpu: requests.cpuMilli ?? 0, memory: requests.memoryBytes ?? 0 },
        limits: { cpu: limits.cpuMilli ?? 0, memory: limits.memoryBytes ?? 0 },
      }));
  const amounts = lists.flatMap(({ requests, limits }): Amounts[] => [requests, limits]);
  if (!amounts.some((list) => kinds.some((kind) => list[kind]))) return "BestEffort";
  const guaranteed = kinds.every((kind) => {
    const limits = lists.map((list) => list.limits[kind] ?? 0);
    const requests = lists.map((list) => list.requests[kind] ?? 0);
    return limits.every((limit) => limit > 0) && sum(limits) === sum(requests);
  });
  return guaranteed ? "Guaranteed" : "Burstable";
}

export function sum(amounts: readonly number[]): number {
  return amounts.reduce((total, amount) => total + amount, 0);
}
