// What a user asked for, whatever document said it. Values are parsed (quantities are numbers,
// durations milliseconds) but nothing is looked up: that is resolve/. No I/O and no policy belong
// here.

import type { Origin } from "../errors/pod-error.ts";
import type { GuestPath, HostPath } from "./paths.ts";

/** Whose namespace a container lives in, as the CRI's NamespaceMode names it. */
export type NamespaceMode = "POD" | "CONTAINER" | "NODE";

export interface PodSpec {
  readonly name: string;
  /** A Kubernetes namespace: part of the name, and nothing more. */
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** `spec.hostname`; resolve/ derives one from the name when it is left out. */
  readonly hostname?: string;
  readonly namespaces: {
    readonly network: "POD" | "NODE";
    readonly ipc: "POD" | "NODE";
    readonly pid: NamespaceMode;
    /** POD means `hostUsers: false`. */
    readonly user: "POD" | "NODE";
  };
  readonly terminationGraceMs: number;
  readonly restartPolicy: "Always" | "OnFailure" | "Never";
  readonly volumes: readonly VolumeSpec[];
  readonly containers: readonly ContainerSpec[];
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

export type VolumeSpec = {
  readonly name: string;
  /** Field path of this volume: `spec.volumes[0]`. */
  readonly field: string;
} & (
  | {
      readonly kind: "emptyDir";
      readonly medium: "" | "Memory";
      readonly sizeLimitBytes?: number;
    }
  | { readonly kind: "hostPath"; readonly path: HostPath; readonly type: HostPathType }
);

export type HostPathType =
  | ""
  | "Directory"
  | "DirectoryOrCreate"
  | "File"
  | "FileOrCreate"
  | "Socket"
  | "CharDevice"
  | "BlockDevice";

export interface ContainerSpec {
  readonly name: string;
  /** Field path of this container: `spec.containers[0]`. */
  readonly field: string;
  readonly image: string;
  /** Left out, it depends on the image's tag. */
  readonly imagePullPolicy?: "Always" | "IfNotPresent" | "Never";
  /** Already expanded with `$(VAR)`; undefined means the image's. */
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly workingDir?: GuestPath;
  /** In order, expanded, later duplicates already folded into the first place. */
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly resources: {
    readonly requests: ResourceList;
    readonly limits: ResourceList;
  };
  readonly volumeMounts: readonly VolumeMountSpec[];
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
  readonly readOnlyRoot: boolean;
  readonly tty: boolean;
}

/** Requests are copied from limits where missing, as the API server does. */
export interface ResourceList {
  /** Thousandths of a CPU, rounded up. */
  readonly cpuMilli?: number;
  /** Bytes, rounded up. */
  readonly memoryBytes?: number;
}

export interface VolumeMountSpec {
  /** Name of an entry of `volumes`. */
  readonly name: string;
  readonly field: string;
  readonly mountPath: GuestPath;
  readonly readOnly: boolean;
  /** Relative, without `..`; empty components removed. */
  readonly subPath?: string;
}

/** The place of a field, or of its nearest parent that has one. */
export function originOf(spec: Pick<PodSpec, "origins">, field: string): Origin {
  for (let path = field; path !== ""; path = parentField(path)) {
    const found = spec.origins.get(path);
    if (found) return { ...found, field };
  }
  return { field, file: "", line: 0, column: 0 };
}

/** `spec.containers[0].name` → `spec.containers[0]` → `spec.containers` → `spec` → ``. */
function parentField(field: string): string {
  return field.slice(0, Math.max(field.lastIndexOf("."), field.lastIndexOf("["), 0));
}
