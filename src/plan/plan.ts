// A plan as data: operations in order, each with the field of the manifest that asked for it. No
// I/O and no decisions here.

import type {
  attributeFlags,
  fileTypes,
  namespaceFlags,
  ops,
  planKinds,
  stages,
} from "./abi.gen.ts";
import { slotNone } from "./abi.gen.ts";

export type Stage = (typeof stages)[number];
export type PlanKind = (typeof planKinds)[number];
export type AttributeName = keyof typeof attributeFlags;
export type NamespaceName = keyof typeof namespaceFlags;
export type FileTypeName = (typeof fileTypes)[number];

/** A numbered descriptor; `noSlot` where an operation can do without. */
export type Slot = number & { readonly __slot: unique symbol };
export const noSlot = slotNone as Slot;

interface FieldTypes {
  u32: number;
  i32: number;
  u64: bigint;
  i64: bigint;
  slot: Slot;
  text: string;
  texts: readonly string[];
  bytes: Uint8Array;
  attributes: readonly AttributeName[];
  namespaces: readonly NamespaceName[];
  fileType: FileTypeName;
}

type Payload<Fields extends Readonly<Record<string, { readonly type: keyof FieldTypes }>>> = {
  readonly [Name in keyof Fields]: FieldTypes[Fields[Name]["type"]];
};

export type OpName = keyof typeof ops;

/** One operation. The name is the tag; everything else comes from zig/plan/schema.zig. */
export type Op = {
  [Name in OpName]: { readonly op: Name } & Payload<(typeof ops)[Name]["fields"]>;
}[OpName];

export interface Step {
  readonly stage: Stage;
  readonly op: Op;
  /** Field path in the manifest: `spec.containers[0].volumeMounts[2]`. */
  readonly origin: string;
}

/** Steps by who carries them out: the keeper, or the child. */
export interface Parts {
  readonly prepare: readonly Step[];
  readonly build: readonly Step[];
}

export interface Plan {
  readonly kind: PlanKind;
  readonly steps: readonly Step[];
  /** Who owns mount points that have to be made: the pod's root user on the host. */
  readonly rootUid: number;
  readonly rootGid: number;
  readonly deadlineMs: number;
  /** A source may never answer, so it is opened beside the keeper. */
  readonly mayHang: boolean;
}
