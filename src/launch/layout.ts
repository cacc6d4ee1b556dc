// Structs of the keeper's protocol, packed and unpacked by the generated tables.

import type { FieldRow, FieldRows } from "../plan/encode.ts";

export interface StructLayout {
  readonly size: number;
  readonly fields: FieldRows;
}

type Values<Layout extends StructLayout> = {
  readonly [Name in keyof Layout["fields"]]: Layout["fields"][Name]["type"] extends "u64" | "i64"
    ? bigint
    : number;
};

/** Each layout's rows as a list, once: a launch walks them many times. */
const lists = new Map<FieldRows, readonly (readonly [name: string, row: FieldRow])[]>();

function rowsOf({ fields }: StructLayout): readonly (readonly [name: string, row: FieldRow])[] {
  let rows = lists.get(fields);
  if (!rows) lists.set(fields, (rows = Object.entries<FieldRow>(fields)));
  return rows;
}

export function packStruct<Layout extends StructLayout>(
  layout: Layout,
  values: Values<Layout>,
): Uint8Array {
  const bytes = new Uint8Array(layout.size);
  const view = new DataView(bytes.buffer);
  const named: Readonly<Record<string, number | bigint>> = values;
  for (const [name, { type, offset }] of rowsOf(layout)) {
    const value = named[name] ?? 0;
    if (type === "u64") view.setBigUint64(offset, BigInt(value), true);
    else if (type === "i64") view.setBigInt64(offset, BigInt(value), true);
    else if (type === "u16") view.setUint16(offset, Number(value), true);
    else if (type === "i32") view.setInt32(offset, Number(value), true);
    else view.setUint32(offset, Number(value), true);
  }
  return bytes;
}

export function unpackStruct<Layout extends StructLayout>(
  layout: Layout,
  bytes: Uint8Array,
): Values<Layout> {
  // An older keeper's messages end where its version did.
  const whole = bytes.length < layout.size ? new Uint8Array(layout.size) : bytes;
  if (whole !== bytes) whole.set(bytes);
  const view = new DataView(whole.buffer, whole.byteOffset, whole.byteLength);
  const values: Record<string, number | bigint> = {};
  for (const [name, { type, offset }] of rowsOf(layout)) {
    if (type === "u64") values[name] = view.getBigUint64(offset, true);
    else if (type === "i64") values[name] = view.getBigInt64(offset, true);
    else if (type === "u16") values[name] = view.getUint16(offset, true);
    else if (type === "i32") values[name] = view.getInt32(offset, true);
    else values[name] = view.getUint32(offset, true);
  }
  return values as Values<Layout>; // Every name of the table was just filled in.
}
