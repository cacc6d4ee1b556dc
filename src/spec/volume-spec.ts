// The volumes of a pod and their places in a container, as the manifest has them.

import type { GuestPath, HostPath } from "./paths.ts";

export type VolumeSpec = {
  readonly name: string;
  /** Field path of this volume: `spec.volumes[0]`. */
  readonly field: string;
} & (
  | {
      readonly kind: "emptyDir";
      readonly medium: "" | "Memory" | `HugePages${string}`;
      readonly sizeLimitBytes?: number;
    }
  | { readonly kind: "hostPath"; readonly path: HostPath; readonly type: HostPathType }
  | {
      readonly kind: "image";
      readonly reference: string;
      /** Left out, it depends on the reference's tag. */
      readonly pullPolicy?: "Always" | "IfNotPresent" | "Never";
    }
  /** A directory of its own, kept when the pod goes. */
  | { readonly kind: "persistentVolumeClaim"; readonly claim: string; readonly readOnly: boolean }
  /** Everything whose files peapod writes: configMap, secret, downwardAPI and projected. */
  | {
      readonly kind: "projected";
      /** Of files that say nothing themselves. */
      readonly defaultMode: number;
      readonly sources: readonly ProjectedSource[];
      /** It holds a secret: kept in memory, and never shown. */
      readonly isSecret: boolean;
    }
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

export type ProjectedSource = { readonly field: string } & (
  | {
      readonly kind: "configMap" | "secret";
      readonly name: string;
      readonly optional: boolean;
      /** Left out: every key under its own name. */
      readonly items?: readonly KeyToPath[];
    }
  | { readonly kind: "downwardAPI"; readonly items: readonly DownwardFile[] }
);

export interface KeyToPath {
  readonly key: string;
  /** Relative and clean. */
  readonly path: string;
  readonly mode?: number;
}

export interface DownwardFile {
  readonly field: string;
  readonly path: string;
  readonly mode?: number;
  readonly value: FieldRef | ResourceFieldRef;
}

/** `metadata.labels['app']` and the like. */
export interface FieldRef {
  readonly kind: "fieldRef";
  readonly path: string;
}

export interface ResourceFieldRef {
  readonly kind: "resourceFieldRef";
  /** Left out in env: the container itself. */
  readonly container?: string;
  /** `limits.cpu`. */
  readonly resource: string;
  /** As written; undefined is 1. */
  readonly divisor?: string;
}

export interface VolumeMountSpec {
  /** Name of an entry of `volumes`. */
  readonly name: string;
  readonly field: string;
  readonly mountPath: GuestPath;
  readonly readOnly: boolean;
  /** Relative, without `..`; empty components removed. */
  readonly subPath?: string;
  /** With `$(VAR)`; never beside `subPath`. */
  readonly subPathExpr?: string;
  readonly propagation: "None" | "HostToContainer" | "Bidirectional";
  readonly recursiveReadOnly: "Disabled" | "IfPossible" | "Enabled";
}
