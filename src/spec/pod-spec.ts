// What a user asked for, whatever document said it. Values are parsed (quantities are numbers,
// durations milliseconds) but nothing is looked up: that is resolve/. No I/O and no policy belong
// here.

import type { Origin } from "../errors/pod-error.ts";
import type { ContainerLifeSpec } from "./life.ts";
import type { Bandwidth } from "./network.ts";
import type { NetworkPolicySpec } from "./network-policy.ts";
import type { ObjectTable } from "./objects.ts";
import type { GuestPath } from "./paths.ts";
import type { ContainerSecuritySpec, PodSecuritySpec } from "./security.ts";
import type { FieldRef, ResourceFieldRef, VolumeMountSpec, VolumeSpec } from "./volume-spec.ts";

export type { HostPathType, VolumeMountSpec, VolumeSpec } from "./volume-spec.ts";

/** Whose namespace a container lives in, as the CRI's NamespaceMode names it. */
export type NamespaceMode = "POD" | "CONTAINER" | "NODE";

export interface PodSpec {
  readonly name: string;
  /** A Kubernetes namespace: part of the name, and nothing more. */
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Bits a second that annotations allow the pod to take in, and to send. */
  readonly bandwidth?: Bandwidth;
  /** `spec.hostname`; resolve/ derives one from the name when it is left out. */
  readonly hostname?: string;
  readonly subdomain?: string;
  /** Wins over all other host names. */
  readonly hostnameOverride?: string;
  readonly setHostnameAsFqdn: boolean;
  readonly hostAliases: readonly { readonly ip: string; readonly hostnames: readonly string[] }[];
  readonly dns: DnsSpec;
  readonly namespaces: {
    readonly network: "POD" | "NODE";
    readonly ipc: "POD" | "NODE";
    readonly pid: NamespaceMode;
    /** POD means `hostUsers: false`. */
    readonly user: "POD" | "NODE";
  };
  readonly terminationGraceMs: number;
  readonly restartPolicy: "Always" | "OnFailure" | "Never";
  /** From the pod's start. */
  readonly activeDeadlineMs?: number;
  /** Types of conditions that somebody else has to set before the pod is Ready. */
  readonly readinessGates: readonly string[];
  /** `spec.resources`; undefined where the containers' own count. */
  readonly resources?: { readonly requests: ResourceList; readonly limits: ResourceList };
  readonly overhead: ResourceList;
  /** Names of Secrets. */
  readonly pullSecrets: readonly string[];
  readonly volumes: readonly VolumeSpec[];
  /** In order; those that restart always are sidecars. */
  readonly initContainers: readonly ContainerSpec[];
  readonly containers: readonly ContainerSpec[];
  readonly objects: ObjectTable;
  /** Those of the same files, whichever pods they select. */
  readonly policies?: readonly NetworkPolicySpec[];
  readonly security: PodSecuritySpec;
  readonly workload?: WorkloadRef;
  /**
   * The manifest as written, with Kubernetes' defaults untouched: what `-o yaml` prints as
   * `metadata` and `spec`.
   */
  readonly manifest: Readonly<Record<string, unknown>>;
  /** Field path → place in the document. Look up with `originOf`. */
  readonly origins: ReadonlyMap<string, Origin>;
  /** What the reader accepted and will not act on, each with its reason. */
  readonly inert: readonly { readonly origin: Origin; readonly reason: string }[];
}

/** `spec.dnsPolicy` and `spec.dnsConfig`. */
export interface DnsSpec {
  readonly policy: "ClusterFirst" | "ClusterFirstWithHostNet" | "Default" | "None";
  readonly nameservers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly { readonly name: string; readonly value?: string }[];
}

/** The object whose template a pod was made from. */
export interface WorkloadRef {
  readonly kind: "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" | "Job";
  readonly name: string;
  /** Its place among the pods of the template, from 0. */
  readonly index: number;
}

export interface ContainerSpec {
  readonly name: string;
  /** Field path of this container: `spec.containers[0]`. */
  readonly field: string;
  readonly image: string;
  /** Left out, it depends on the image's tag. */
  readonly imagePullPolicy?: "Always" | "IfNotPresent" | "Never";
  /** Undefined means the image's. */
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly workingDir?: GuestPath;
  /** In order; a later one of the same name wins. Nothing is expanded yet. */
  readonly env: readonly EnvSource[];
  readonly resources: {
    readonly requests: ResourceList;
    readonly limits: ResourceList;
  };
  /** Resources whose change restarts the container; others change in place. */
  readonly restartOnResize: readonly ("cpu" | "memory")[];
  readonly volumeMounts: readonly VolumeMountSpec[];
  readonly ports: readonly PortSpec[];
  readonly life: ContainerLifeSpec;
  readonly security: ContainerSecuritySpec;
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
  readonly readOnlyRoot: boolean;
  readonly tty: boolean;
}

export interface PortSpec {
  readonly field: string;
  /** Empty for none. */
  readonly name: string;
  readonly containerPort: number;
  /** 0 for one that is not published. */
  readonly hostPort: number;
  /** Empty for every address. */
  readonly hostIP: string;
  readonly protocol: "TCP" | "UDP" | "SCTP";
}

/** A variable of `env`, or with `envFrom` all keys of an object. */
export type EnvSource = { readonly field: string } & (
  | { readonly kind: "value"; readonly name: string; readonly value: string }
  | { readonly kind: "ref"; readonly name: string; readonly ref: FieldRef | ResourceFieldRef }
  | {
      readonly kind: "key";
      readonly name: string;
      readonly object: "configMap" | "secret";
      readonly objectName: string;
      readonly key: string;
      readonly optional: boolean;
    }
  | {
      readonly kind: "file";
      readonly name: string;
      readonly volume: string;
      readonly path: string;
      readonly key: string;
      readonly optional: boolean;
    }
  | {
      readonly kind: "all";
      readonly prefix: string;
      readonly object: "configMap" | "secret";
      readonly objectName: string;
      readonly optional: boolean;
    }
);

/** Requests are copied from limits where missing, as the API server does. */
export interface ResourceList {
  /** Thousandths of a CPU, rounded up. */
  readonly cpuMilli?: number;
  /** Bytes, rounded up. */
  readonly memoryBytes?: number;
  readonly ephemeralStorageBytes?: number;
  /** Page size as the kernel names it (`2MB`, `1GB`) → bytes. */
  readonly hugepages?: Readonly<Record<string, number>>;
}

/** What needs no store: the host's own files, or a directory of it. */
export function isBuiltIn(image: string): boolean {
  return image === "host" || image.startsWith("rootfs:/");
}

/**
 * The place of a field, or of its nearest parent that has one. The field is called what it is in
 * the file: that of a workload's pod stands in the template.
 */
export function originOf(spec: Pick<PodSpec, "origins">, field: string): Origin {
  for (let path = field; path !== ""; path = parentField(path)) {
    const found = spec.origins.get(path);
    if (found) return { ...found, field: found.field + field.slice(path.length) };
  }
  return { field, file: "", line: 0, column: 0 };
}

/** `spec.containers[0].name` → `spec.containers[0]` → `spec.containers` → `spec` → ``. */
function parentField(field: string): string {
  return field.slice(0, Math.max(field.lastIndexOf("."), field.lastIndexOf("["), 0));
}
