// Weights of the groups that Burstable and BestEffort pods share, by the kubelet's rule. Recomputed
// when pods come and go, off every path that somebody waits on.

import { readFileSync, writeFileSync } from "node:fs";
import { qosParentCpuWeight } from "../plan/cgroup-values.ts";
import type { HostFacts } from "../spec/host-facts.ts";
import type { PodState } from "./read-state.ts";
import { names } from "./state.ts";

export function updateQosWeights(podsDirectory: string, facts: HostFacts): void {
  if (!facts.cgroup.controllers.has("cpu")) return;
  const requests = names(podsDirectory).flatMap((uid) =>
    burstableRequest(`${podsDirectory}/${uid}`),
  );
  setWeight(`${facts.cgroup.root}/burstable`, qosParentCpuWeight(requests));
  setWeight(`${facts.cgroup.root}/besteffort`, qosParentCpuWeight([]));
}

/** None for pods of another class, and for one that is starting or going at this moment. */
function burstableRequest(directory: string): number[] {
  try {
    const state: Partial<PodState> = JSON.parse(readFileSync(`${directory}/pod.json`, "utf8"));
    const { qosClass, cpuRequestMilli } = state;
    const isCounted = qosClass === "Burstable" && typeof cpuRequestMilli === "number";
    return isCounted ? [cpuRequestMilli] : [];
  } catch {
    return [];
  }
}

function setWeight(group: string, weight: number): void {
  try {
    writeFileSync(`${group}/cpu.weight`, String(weight));
  } catch {
    // The group was withdrawn; the next pod's start says what is wrong with the root.
  }
}
