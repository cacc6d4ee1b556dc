// What a pod's requests and limits become in cgroup v2: file contents, the QoS class, the OOM
// score. The formulas are the kubelet's, but for one: see cpuWeight.

import type { QosClass, Resources } from "../spec/qos.ts";
import { sum, sumIfAllLimited } from "../spec/qos.ts";

/** Contents by file name, all files of a group that peapod ever sets. */
export interface CgroupValues {
  readonly "cpu.weight": string;
  readonly "cpu.max": string;
  readonly "memory.max": string;
  readonly "memory.swap.max": string;
  readonly "memory.oom.group": string;
  readonly "pids.max": string;
}

/** What a group that was just made already has; writing it again is a system call for nothing. */
export const freshCgroupValues: CgroupValues = {
  "cpu.weight": "100",
  "cpu.max": "max 100000",
  "memory.max": "max",
  "memory.swap.max": "max",
  "memory.oom.group": "0",
  "pids.max": "max",
};

/** The kubelet's, and the kernel's own default. */
const cpuPeriodUs = 100_000;
/** The kernel refuses a smaller quota. */
const cpuQuotaUsMin = 1_000;
const cpuSharesMin = 2;
const cpuSharesMax = 262_144;

/**
 * One out-of-memory kill ends the whole container, as the kubelet does on cgroup v2, and nothing is
 * swapped: a limit on memory would otherwise only slow a container down.
 */
export function containerCgroupValues({ requests, limits }: Resources): CgroupValues {
  return {
    "cpu.weight": String(cpuWeight(requests.cpuMilli)),
    "cpu.max": cpuMax(limits.cpuMilli),
    "memory.max": bytesOrMax(limits.memoryBytes),
    "memory.swap.max": "0",
    "memory.oom.group": "1",
    "pids.max": "max",
  };
}

/**
 * The pod's group holds its containers to the sum of their limits, but only if all of them have
 * one: a container without a limit may use whatever the node has. `pidsMax` undefined means no
 * limit.
 */
export function podCgroupValues(
  containers: readonly Resources[],
  pidsMax: number | undefined,
): CgroupValues {
  const requests = sum(containers.map(({ requests }) => requests.cpuMilli ?? 0));
  const cpuMilli = sumIfAllLimited(containers.map(({ limits }) => limits.cpuMilli));
  const memoryBytes = sumIfAllLimited(containers.map(({ limits }) => limits.memoryBytes));
  return {
    "cpu.weight": String(cpuWeight(requests)),
    "cpu.max": cpuMax(cpuMilli),
    "memory.max": bytesOrMax(memoryBytes),
    "memory.swap.max": "max",
    "memory.oom.group": "0",
    "pids.max": pidsMax === undefined ? "max" : String(pidsMax),
  };
}

/**
 * Weight of the groups between the root and the pods: Burstable competes with the sum of its pods'
 * requests.
 */
export function qosParentCpuWeight(podRequestsCpuMilli: readonly number[]): number {
  return cpuWeight(sum(podRequestsCpuMilli));
}

/** Milli-CPU → cgroup v1 shares, the scale in which Kubernetes thinks. */
export function cpuShares(cpuMilli: number | undefined): number {
  const shares = Math.floor(((cpuMilli ?? 0) * 1024) / 1000);
  return Math.min(Math.max(shares, cpuSharesMin), cpuSharesMax);
}

/**
 * Milli-CPU → cpu.weight on the quadratic scale of runc and crun, for containers *and* pods. The
 * kubelet uses a linear one for pods, where a whole CPU weighs 39 and loses to any system service
 * with the default of 100; here it weighs 100.
 */
export function cpuWeight(cpuMilli: number | undefined): number {
  const shares = cpuShares(cpuMilli);
  if (shares <= cpuSharesMin) return 1;
  if (shares >= cpuSharesMax) return 10_000;
  const log = Math.log2(shares);
  return Math.ceil(10 ** ((log * log + 125 * log) / 612 - 7 / 34));
}

/** A limit of 0 is none, as in Kubernetes. */
export function cpuMax(cpuMilli: number | undefined): string {
  if (!cpuMilli) return `max ${cpuPeriodUs}`;
  const quotaUs = Math.floor((cpuMilli * cpuPeriodUs) / 1000);
  return `${Math.max(quotaUs, cpuQuotaUsMin)} ${cpuPeriodUs}`;
}

/**
 * Whom the kernel kills first when the node's memory runs out: 1000 before all others, -997 after
 * them. A Burstable container is the safer the larger the part of the node's memory it asked for.
 */
export function oomScoreAdj(
  qos: QosClass,
  { requests }: Resources,
  nodeMemoryBytes: number,
): number {
  switch (qos) {
    case "Guaranteed":
      return -997;
    case "BestEffort":
      return 1000;
    case "Burstable": {
      const asked = (1000n * BigInt(requests.memoryBytes ?? 0)) / BigInt(nodeMemoryBytes);
      // Between the two other classes, whatever was asked for.
      return Math.min(Math.max(1000 - Number(asked), 3), 999);
    }
    default:
      return qos satisfies never;
  }
}

function bytesOrMax(bytes: number | undefined): string {
  return bytes ? String(bytes) : "max";
}
