// Requests to nf_tables as one transaction: all of it happens, or nothing. Elements of sets, which
// every pod has; tables and rules are in table.ts.

import type { NetlinkBatch } from "../spec/network.ts";
import { flag, NetlinkWriter } from "./netlink.ts";

/** include/uapi/linux/netfilter/nf_tables.h. */
export const request = {
  newTable: 0,
  getTable: 1,
  deleteTable: 2,
  newChain: 3,
  newRule: 6,
  newSet: 9,
  newElement: 12,
  getElement: 13,
  deleteElement: 14,
} as const;

const nfTables = 10;
const inetFamily = 1;

export class RulesBatch {
  readonly writer = new NetlinkWriter();
  readonly table: string;

  /** With a generation it is refused when rules of any table were changed since. */
  constructor(table: string, generation?: number) {
    this.table = table;
    this.#frame(0x10, 0);
    if (generation !== undefined) this.writer.attributeBig32(1, generation);
  }

  /** Every request names the table in its first attribute. */
  begin(label: string, type: number, flags: number): NetlinkWriter {
    this.writer.begin(label, (nfTables << 8) | type, flags);
    this.writer.u32(inetFamily);
    return this.writer.attributeText(1, this.table);
  }

  element(kind: "add" | "delete", { set, key, value, label }: SetElement): this {
    const [type, flags] =
      kind === "add"
        ? [request.newElement, flag.create | flag.exclusive]
        : [request.deleteElement, 0];
    const writer = this.begin(`${kind} ${label}`, type, flags);
    writer.attributeText(2, set).nest(3, () =>
      writer.nest(1, () => {
        writer.nest(1, () => writer.attribute(1, key));
        if (kind === "add" && value) writer.nest(2, () => writer.attribute(1, value));
      }),
    );
    return this;
  }

  finish(): NetlinkBatch {
    this.writer.askForAnswer();
    this.#frame(0x11, 0);
    return this.writer.finish();
  }

  #frame(type: number, sequence: number): void {
    // `struct nfgenmsg`; the subsystem in network byte order.
    this.writer
      .begin("", type, 0, sequence)
      .u16(0)
      .u16(nfTables << 8);
  }
}

export interface SetElement {
  readonly set: string;
  readonly key: Uint8Array;
  /** Of a map. */
  readonly value?: Uint8Array;
  readonly label: string;
}

/** All elements of a set, to be answered with a dump. */
export function composeSetQuestion(table: string, set: string): NetlinkBatch {
  const writer = new NetlinkWriter();
  writer.begin(`set ${set}`, (nfTables << 8) | request.getElement, flag.dump);
  writer.u32(inetFamily).attributeText(1, table).attributeText(2, set);
  return writer.finish();
}

/** An element as the kernel has it. */
export type Element = Readonly<Record<"key" | "value", Uint8Array>>;

/** Of one message of such a dump. */
export function readElements(body: Uint8Array): Element[] {
  const [familyBytes, elements, element, key, data, value] = [4, 3, 1, 1, 2, 1];
  return inner(inner(body.subarray(familyBytes), elements)[0], element).map((found) => ({
    key: inner(inner(found, key)[0], value)[0] ?? new Uint8Array(0),
    value: inner(inner(found, data)[0], value)[0] ?? new Uint8Array(0),
  }));
}

/** What attributes of this type hold. */
export function inner(bytes: Uint8Array | undefined, wanted: number): Uint8Array[] {
  const found: Uint8Array[] = [];
  const all = bytes ?? new Uint8Array(0);
  const view = new DataView(all.buffer, all.byteOffset, all.byteLength);
  for (let at = 0; at + 4 <= all.length;) {
    const size = Math.max(view.getUint16(at, true), 4);
    const type = view.getUint16(at + 2, true) & 0x3fff;
    if (type === wanted) found.push(all.subarray(at + 4, at + size));
    at += (size + 3) & ~3;
  }
  return found;
}

/** Fails with ENOENT where there is no such table. */
export function composeTableQuestion(table: string): NetlinkBatch {
  const writer = new NetlinkWriter();
  writer.begin(`table ${table}`, (nfTables << 8) | request.getTable, 0);
  writer.u32(inetFamily).attributeText(1, table);
  return writer.askForAnswer().finish();
}

/** With everything in it. */
export function composeTableRemoval(table: string): NetlinkBatch {
  const batch = new RulesBatch(table);
  batch.begin(`table ${table}`, request.deleteTable, 0);
  return batch.finish();
}

/** All of them, or none. */
export function composeElements(
  table: string,
  kind: "add" | "delete",
  elements: readonly SetElement[],
): NetlinkBatch {
  const batch = new RulesBatch(table);
  for (const element of elements) batch.element(kind, element);
  return batch.finish();
}
