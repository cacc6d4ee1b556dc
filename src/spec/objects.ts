// The objects beside a pod in its manifest files that the pod may name.

import type { NetworkPolicySpec } from "./network-policy.ts";

/** By name, those of the pod's own namespace. */
export interface ObjectTable {
  readonly configMaps: ReadonlyMap<string, DataObject>;
  readonly secrets: ReadonlyMap<string, DataObject>;
  readonly claims: ReadonlyMap<string, ClaimObject>;
  /** Of all namespaces, beside the pod that is being read. */
  readonly policies?: readonly NetworkPolicySpec[];
}

/** A ConfigMap, or a Secret with its values decoded. */
export interface DataObject {
  readonly name: string;
  /** A Secret's type; empty for a ConfigMap. */
  readonly type: string;
  /** Of `data` and `stringData`: usable as environment. */
  readonly texts: ReadonlyMap<string, string>;
  /** Of `binaryData`, and of a Secret's values that are no text: files only. */
  readonly binaries: ReadonlyMap<string, Uint8Array>;
}

export interface ClaimObject {
  readonly name: string;
  /** `resources.requests.storage`. */
  readonly storageBytes: number;
}

export const noObjects: ObjectTable = {
  configMaps: new Map(),
  secrets: new Map(),
  claims: new Map(),
};
