// The kinds of objects that people keep in one file with their pods, and what becomes of each.

import { invalid } from "./flaw.ts";
import type { Flaw } from "./flaw.ts";
import { isMap, show } from "./tree.ts";
import type { Tree } from "./tree.ts";

/** `object`: pods may name it, or it selects pods. `workload`: pods are made from its template. */
export type KindUse = "pod" | "object" | "workload" | "inert" | "refused";

export interface Kind {
  readonly apiVersion: string;
  readonly use: KindUse;
  /** Of those that are inert or refused. */
  readonly reason: string;
}

const used = (apiVersion: string, use: KindUse): Kind => ({ apiVersion, use, reason: "" });
const inert = (apiVersion: string, reason: string): Kind => ({ apiVersion, use: "inert", reason });
const refused = (apiVersion: string, reason: string): Kind => ({
  apiVersion,
  use: "refused",
  reason,
});

const noServices =
  "there is no cluster network; hostPort publishes a port, and containers of a pod share localhost";
const noRoutes = "nothing routes requests here; hostPort publishes a port of a pod";
const noApiServer = "there is no API server to have rights on";
const noStorage = "a claim is a directory of its own on this host";
const noQuota = "a namespace is part of a name here, and has no limits";

/** What stands here beside a pod must not keep it from running, and is never silently dropped. */
export const kinds: Readonly<Record<string, Kind>> = {
  Pod: used("v1", "pod"),

  Deployment: used("apps/v1", "workload"),
  ReplicaSet: used("apps/v1", "workload"),
  StatefulSet: used("apps/v1", "workload"),
  DaemonSet: used("apps/v1", "workload"),
  Job: used("batch/v1", "workload"),

  ConfigMap: used("v1", "object"),
  Secret: used("v1", "object"),
  PersistentVolumeClaim: used("v1", "object"),
  NetworkPolicy: used("networking.k8s.io/v1", "object"),

  ClusterRole: inert("rbac.authorization.k8s.io/v1", noApiServer),
  ClusterRoleBinding: inert("rbac.authorization.k8s.io/v1", noApiServer),
  EndpointSlice: inert("discovery.k8s.io/v1", noServices),
  Endpoints: inert("v1", noServices),
  HorizontalPodAutoscaler: inert("autoscaling/v2", "nothing is scaled; replicas says how many"),
  Ingress: inert("networking.k8s.io/v1", noRoutes),
  IngressClass: inert("networking.k8s.io/v1", noRoutes),
  LimitRange: inert("v1", noQuota),
  Namespace: inert("v1", "a namespace is part of a name here; it need not exist"),
  PersistentVolume: inert("v1", noStorage),
  PodDisruptionBudget: inert("policy/v1", "nothing is evicted"),
  PriorityClass: inert("scheduling.k8s.io/v1", "there is one host; nothing is scheduled"),
  ResourceQuota: inert("v1", noQuota),
  Role: inert("rbac.authorization.k8s.io/v1", noApiServer),
  RoleBinding: inert("rbac.authorization.k8s.io/v1", noApiServer),
  Service: inert("v1", noServices),
  ServiceAccount: inert("v1", noApiServer),
  StorageClass: inert("storage.k8s.io/v1", noStorage),

  CronJob: refused("batch/v1", "nothing starts by the clock; write its jobTemplate as a Job"),
  PodTemplate: refused("v1", "write a Pod, or a Deployment with the template"),
  ReplicationController: refused("v1", "write a ReplicaSet, which has replaced it"),
};

const onlyPods = "peapod runs Pods and the workloads that make them";

/** What the object says it is; flaws where that is nothing. */
export function kindOf(
  tree: Tree,
): { readonly name: string; readonly kind: Kind } | { readonly flaws: readonly Flaw[] } {
  if (!isMap(tree)) {
    return { flaws: [invalid("", `invalid value ${show(tree)}: a manifest is a mapping`)] };
  }
  const { apiVersion, kind: name } = tree;
  const absent = ["apiVersion", "kind"].filter((key) => typeof tree[key] !== "string");
  const flaws = absent.map((key) => invalid(key, "required value"));
  if (typeof name !== "string") return { flaws };
  const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
  const version = typeof apiVersion === "string" ? apiVersion : kind?.apiVersion;
  // A group of somebody else's may have a Service, too.
  const isForeign = kind?.use === "inert" && groupOf(kind.apiVersion) !== groupOf(version ?? "");
  if (!kind || isForeign) {
    const whole = version?.includes("/") ? `${name} of ${version}` : name;
    return { flaws: [unsupported(whole, onlyPods)] };
  }
  if (kind.use === "refused") return { flaws: [unsupported(name, kind.reason)] };
  if (flaws.length > 0) return { flaws };
  if (kind.use === "inert" || kind.apiVersion === apiVersion) return { name, kind };
  const message = `unsupported value ${show(apiVersion)}: supported values: ${show(kind.apiVersion)}`;
  return { flaws: [invalid("apiVersion", message)] };
}

function groupOf(apiVersion: string): string {
  return apiVersion.includes("/") ? apiVersion.slice(0, apiVersion.indexOf("/")) : "";
}

function unsupported(name: string, reason: string): Flaw {
  const message = `${show(name)} is not supported; ${reason}`;
  return { code: "manifest.unsupported-kind", field: "kind", message };
}
