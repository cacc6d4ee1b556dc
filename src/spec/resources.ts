// What a pod needs as a whole, and each container of it: sums over init containers, sidecars and
// regular ones, what the pod itself says, and whom the kernel kills first. The rules are the
// kubelet's (component-helpers/resource; pkg/kubelet/cm; pkg/kubelet/qos).

import type { ContainerKind } from "./launches.ts";
import type { ContainerSpec, PodSpec, ResourceList } from "./pod-spec.ts";
import type { QosClass } from "./qos.ts";
import { qosClass } from "./qos.ts";

/** The part of a pod that its resources depend on. */
export type ResourceSpec = Pick<
  PodSpec,
  "containers" | "initContainers" | "resources" | "overhead"
>;

/** 0 is none, for all of them. */
export interface PodResources {
  readonly qos: QosClass;
  readonly cpuRequestMilli: number;
  readonly cpuLimitMilli: number;
  readonly memoryRequestBytes: number;
  readonly memoryLimitBytes: number;
  /** By page size, as the kernel names it: `2MB`. */
  readonly hugepages: Readonly<Record<string, number>>;
}

export interface ContainerResources {
  readonly cpuRequestMilli: number;
  readonly cpuLimitMilli: number;
  readonly memoryLimitBytes: number;
  readonly hugepages: Readonly<Record<string, number>>;
}

type Amounts = Readonly<Record<string, number>>;
const hugePrefix = "hugepages-";

/**
 * The pod's own amounts replace those of its containers. A limit of the pod is one only if all its
 * containers have it, or the pod says it: one without a limit may use whatever the node has.
 */
export function podResources(spec: ResourceSpec): PodResources {
  const own = withPodRequests(spec);
  const qos = qosClass([...spec.containers, ...spec.initContainers], own);
  const overhead = amountsOf(spec.overhead);
  const requests = add({ ...aggregate(spec, "requests"), ...own?.requests }, overhead);
  const sums: Amounts = { ...aggregate(spec, "limits"), ...own?.limits };
  const all = [...spec.containers, ...spec.initContainers];
  const limitOf = (key: "cpu" | "memory", field: "cpuMilli" | "memoryBytes") => {
    const isLimited =
      qos === "Guaranteed" ||
      Boolean(own?.limits[key]) ||
      all.every(({ resources }) => resources.limits[field]);
    const limit = sums[key] ?? 0;
    return qos !== "BestEffort" && isLimited && limit > 0 ? limit + (overhead[key] ?? 0) : 0;
  };
  return {
    qos,
    cpuRequestMilli: requests["cpu"] ?? 0,
    cpuLimitMilli: limitOf("cpu", "cpuMilli"),
    memoryRequestBytes: requests["memory"] ?? 0,
    memoryLimitBytes: limitOf("memory", "memoryBytes"),
    hugepages: hugePagesOf(requests),
  };
}

/** A container without a limit of its own has the pod's; one that asks for nothing, its limit. */
export function containerResources(
  spec: Pick<PodSpec, "resources">,
  { resources }: Pick<ContainerSpec, "resources">,
): ContainerResources {
  const pod = spec.resources?.limits ?? {};
  const { requests, limits } = resources;
  const cpuLimitMilli = limits.cpuMilli || pod.cpuMilli || 0;
  return {
    cpuRequestMilli: requests.cpuMilli ?? cpuLimitMilli,
    cpuLimitMilli,
    memoryLimitBytes: limits.memoryBytes || pod.memoryBytes || 0,
    hugepages: { ...pod.hugepages, ...limits.hugepages },
  };
}

/** Undefined where the pod itself says nothing. */
interface OwnAmounts {
  readonly requests: Amounts;
  readonly limits: Amounts;
}

/** What a pod leaves out of its requests is what its containers ask for, else its own limit. */
function withPodRequests(spec: ResourceSpec): OwnAmounts | undefined {
  if (!spec.resources) return undefined;
  const limits = amountsOf(spec.resources.limits);
  const written = amountsOf(spec.resources.requests);
  const asked = aggregate(spec, "requests");
  const missing = Object.keys(limits).filter((key) => written[key] === undefined);
  const filled = missing.map((key) => [key, asked[key] || (limits[key] ?? 0)] as const);
  return { requests: { ...written, ...Object.fromEntries(filled) }, limits };
}

/**
 * Init containers run one after another, beside the sidecars before them; when they are done, all
 * sidecars run beside the regular containers.
 */
function aggregate(spec: ResourceSpec, kind: "requests" | "limits"): Amounts {
  const of = (container: ContainerSpec) => amountsOf(container.resources[kind]);
  let running = spec.containers.map(of).reduce(add, {});
  let sidecars: Amounts = {};
  let starting: Amounts = {};
  for (const container of spec.initContainers) {
    const own = of(container);
    if (container.life.restartPolicy === "Always") {
      running = add(running, own);
      sidecars = add(sidecars, own);
      starting = largest(starting, sidecars);
    } else {
      starting = largest(starting, add(own, sidecars));
    }
  }
  return largest(running, starting);
}

function amountsOf(list: ResourceList): Amounts {
  const pages = Object.entries<number>(list.hugepages ?? {});
  return {
    ...(list.cpuMilli !== undefined && { cpu: list.cpuMilli }),
    ...(list.memoryBytes !== undefined && { memory: list.memoryBytes }),
    ...Object.fromEntries(pages.map(([size, bytes]) => [hugePrefix + size, bytes])),
  };
}

function hugePagesOf(amounts: Amounts): Amounts {
  const pages = Object.entries<number>(amounts).filter(([key]) => key.startsWith(hugePrefix));
  return Object.fromEntries(pages.map(([key, bytes]) => [key.slice(hugePrefix.length), bytes]));
}

function add(one: Amounts, other: Amounts): Amounts {
  return merge(one, other, (a, b) => a + b);
}

function largest(one: Amounts, other: Amounts): Amounts {
  return merge(one, other, Math.max);
}

function merge(one: Amounts, other: Amounts, by: (a: number, b: number) => number): Amounts {
  const keys = [...new Set([...Object.keys(one), ...Object.keys(other)])];
  return Object.fromEntries(keys.map((key) => [key, by(one[key] ?? 0, other[key] ?? 0)]));
}

/** Of the kubelet: after everything else, and before. */
const [lastToGo, firstToGo] = [-997, 1000];

/**
 * Whom the kernel kills first when the node's memory runs out. A Burstable container is the safer
 * the larger the part of the node's memory it asks for; what a pod asks for beyond its containers
 * is divided among them; a sidecar does not go before the containers that it serves.
 */
export function oomScoreAdj(
  spec: ResourceSpec & Pick<PodSpec, "manifest">,
  container: Pick<ContainerSpec, "resources">,
  kind: ContainerKind,
  nodeMemoryBytes: number,
): number {
  if (isNodeCritical(spec)) return lastToGo;
  const own = withPodRequests(spec);
  const { containers, initContainers } = spec;
  const qos = qosClass([...containers, ...initContainers], own);
  if (qos === "Guaranteed") return lastToGo;
  if (qos === "BestEffort") return firstToGo;
  const asked = aggregate(spec, "requests")["memory"] ?? 0;
  const unclaimed = Math.max(0, (own?.requests["memory"] ?? asked) - asked);
  const share = Math.floor(unclaimed / (containers.length + initContainers.length));
  const requestOf = ({ resources }: Pick<ContainerSpec, "resources">) =>
    (resources.requests.memoryBytes ?? 0) + share;
  const scoreOf = (bytes: number) =>
    1000 - Number((1000n * BigInt(bytes)) / BigInt(nodeMemoryBytes));
  const served = Math.min(...containers.map(requestOf));
  const score = scoreOf(requestOf(container));
  const fair = kind === "sidecar" ? Math.min(score, scoreOf(served)) : score;
  return Math.min(Math.max(fair, 1000 + lastToGo), firstToGo - 1);
}

/** As the API server would number `system-node-critical`. */
const nodeCriticalPriority = 2_000_000_000;

function isNodeCritical({ manifest }: Pick<PodSpec, "manifest">): boolean {
  const spec = (manifest["spec"] ?? {}) as Readonly<Record<string, unknown>>;
  const { priorityClassName, priority } = spec;
  if (priorityClassName !== "system-node-critical") return false;
  return priority === undefined || Number(priority) >= nodeCriticalPriority;
}
