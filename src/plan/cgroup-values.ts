// What a pod's requests and limits become in cgroup v2: contents of files. The formulas are the
// kubelet's, but for one: see cpuWeight.

import type { ContainerResources, PodResources } from "../spec/resources.ts";
import { sum } from "../spec/qos.ts";

/** Contents by file name: of every group that peapod makes. Large pages come beside them. */
export interface CgroupValues {
  readonly "cpu.weight": string;
  readonly "cpu.max": string;
  readonly "memory.max": string;
  readonly "memory.swap.max": string;
  readonly "memory.oom.group": string;
  readonly "pids.max": string;
}

/** What a group that was just made already has; writing it again is a system call for nothing. */
export const freshCgroupValues: Readonly<Record<string, string>> = {
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
export function containerCgroupValues(container: ContainerResources): CgroupValues {
  return {
    "cpu.weight": String(cpuWeight(container.cpuRequestMilli)),
    "cpu.max": cpuMax(container.cpuLimitMilli),
    "memory.max": bytesOrMax(container.memoryLimitBytes),
    "memory.swap.max": "0",
    "memory.oom.group": "1",
    "pids.max": "max",
  };
}

/** `pidsMax` undefined means no limit. */
export function podCgroupValues(pod: PodResources, pidsMax: number | undefined): CgroupValues {
  return {
    "cpu.weight": String(cpuWeight(pod.cpuRequestMilli)),
    "cpu.max": cpuMax(pod.cpuLimitMilli),
    "memory.max": bytesOrMax(pod.memoryLimitBytes),
    "memory.swap.max": "max",
    "memory.oom.group": "0",
    "pids.max": pidsMax === undefined ? "max" : String(pidsMax),
  };
}

/**
 * Nothing of every size of page that nobody asked for: the host's are set aside for those that did.
 * What was asked for bounds reservations too, so that an mmap fails rather than a later access.
 */
export function hugePageValues(
  asked: Readonly<Record<string, number>>,
  sizes: readonly string[],
): Readonly<Record<string, string>> {
  const entries = sizes.flatMap((size): [string, string][] => {
    const bytes = asked[size] ?? 0;
    const limit: [string, string] = [`hugetlb.${size}.max`, String(bytes)];
    return bytes > 0 ? [limit, [`hugetlb.${size}.rsvd.max`, String(bytes)]] : [limit];
  });
  return Object.fromEntries(entries);
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

function bytesOrMax(bytes: number | undefined): string {
  return bytes ? String(bytes) : "max";
}
