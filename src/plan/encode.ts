// A plan's bytes, by the layout that zig/plan/schema.zig defines. Pure: same plan, same bytes.

import {
  attributeFlags,
  fileTypes,
  layoutHash,
  namespaceFlags,
  ops,
  planBytesMax,
  planHeader,
  planKinds,
  planMagic,
  planRecord,
  stages,
} from "./abi.gen.ts";
import type { OpName, Plan, Step } from "./plan.ts";

export interface EncodeOptions {
  readonly trace?: boolean;
  /** One more than the index of the operation that is to fail before it acts; for tests. */
  readonly failAt?: number;
}

export class PlanTooLarge extends Error {}

/** A field as the generated tables describe it. */
export interface FieldRow {
  readonly type: string;
  readonly offset: number;
}

export type FieldRows = Readonly<Record<string, FieldRow>>;

export function encodePlan(plan: Plan, options: EncodeOptions = {}): Uint8Array<ArrayBuffer> {
  let start: number = planHeader.size;
  for (const { op } of plan.steps) start += planRecord.size + ops[op.op].size;
  const area = new PlanArea(start);
  try {
    let offset: number = planHeader.size;
    for (const step of plan.steps) offset = encodeRecord(step, offset, area);
    return encodeHeader(plan, options, area.finish());
  } catch (error) {
    area.discard(); // Too large: the next plan still finds zeros.
    throw error;
  }
}

function encodeHeader(
  plan: Plan,
  options: EncodeOptions,
  bytes: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> {
  const view = new DataView(bytes.buffer);
  const header = planHeader.fields;
  view.setUint32(header.magic.offset, planMagic, true);
  view.setUint32(header.bytes.offset, bytes.length, true);
  view.setUint32(header.operations.offset, plan.steps.length, true);
  view.setUint8(header.kind.offset, planKinds.indexOf(plan.kind));
  view.setUint8(header.flags.offset, Number(plan.mayHang) | (Number(options.trace ?? false) << 1));
  view.setUint32(header.root_uid.offset, plan.rootUid, true);
  view.setUint32(header.root_gid.offset, plan.rootGid, true);
  view.setUint32(header.deadline_ms.offset, plan.deadlineMs, true);
  view.setUint32(header.fail_at.offset, options.failAt ?? 0, true);
  view.setBigUint64(header.layout.offset, layoutHash, true);
  return bytes;
}

/** The tables as lists, once: a launch walks them for every operation. */
const rows = new Map<OpName, readonly (readonly [name: string, row: FieldRow])[]>(
  Object.entries(ops).map(([name, { fields }]) => [
    name as OpName, // The keys of `ops`.
    Object.entries<FieldRow>(fields),
  ]),
);

/** Where the next record starts. */
function encodeRecord({ stage, op }: Step, offset: number, area: PlanArea): number {
  const { tag, size } = ops[op.op];
  const { view } = area;
  view.setUint16(offset + planRecord.fields.tag.offset, tag, true);
  view.setUint8(offset + planRecord.fields.stage.offset, stages.indexOf(stage));
  view.setUint32(offset + planRecord.fields.bytes.offset, size, true);
  const payload = offset + planRecord.size;
  const values: Readonly<Record<string, unknown>> = op;
  for (const [name, row] of rows.get(op.op) ?? []) {
    encodeField(area, payload + row.offset, row.type, values[name]);
  }
  return payload + size;
}

/** The types of `Op` guarantee that each value fits its row; the casts say which. */
function encodeField(area: PlanArea, offset: number, type: string, value: unknown): void {
  const { view } = area;
  switch (type) {
    case "u32":
    case "slot":
      return view.setUint32(offset, value as number, true);
    case "i32":
      return view.setInt32(offset, value as number, true);
    case "u64":
      return view.setBigUint64(offset, value as bigint, true);
    case "attributes":
      return view.setUint32(offset, flagWord(attributeFlags, value as readonly string[]), true);
    case "namespaces":
      return view.setUint32(offset, flagWord(namespaceFlags, value as readonly string[]), true);
    case "fileType":
      return view.setUint32(offset, fileTypes.indexOf(value as (typeof fileTypes)[number]), true);
    case "text":
      return area.putText(offset, value as string);
    case "bytes":
      return area.putBytes(offset, value as Uint8Array);
    case "texts":
      return area.putTexts(offset, value as readonly string[]);
    default:
      throw new Error(`no encoding for a field of type ${type}`);
  }
}

export function flagWord(
  flags: Readonly<Record<string, number>>,
  names: readonly string[],
): number {
  let word = 0;
  for (const name of names) word |= flags[name] ?? 0;
  return word;
}

const encoder = new TextEncoder();

/** Where plans are written before they are copied out; it only grows. Zeroed behind every plan. */
let scratch = new Uint8Array(64 << 10);

/**
 * The bytes being written: records at their places, and behind them what they refer to. Equal texts
 * stand once.
 */
class PlanArea {
  view: DataView<ArrayBuffer>;
  #end: number;
  readonly #texts = new Map<string, readonly [start: number, bytes: number]>();

  constructor(start: number) {
    this.#end = 0;
    this.view = new DataView(scratch.buffer);
    this.#reserve(start);
    this.#end = start;
  }

  putText(field: number, text: string): void {
    let range = this.#texts.get(text);
    if (!range) {
      const start = this.#end;
      this.#reserve(text.length * 3 + 1);
      const { written } = encoder.encodeInto(text, scratch.subarray(start));
      this.#end = start + written + 1; // Its NUL is there: the area is zeroed.
      range = [start, written];
      this.#texts.set(text, range);
    }
    this.#putRange(field, range[0], range[1]);
  }

  putBytes(field: number, bytes: Uint8Array): void {
    const start = this.#align(bytes.length);
    scratch.set(bytes, start);
    this.#end = start + bytes.length;
    this.#putRange(field, start, bytes.length);
  }

  putTexts(field: number, texts: readonly string[]): void {
    const start = this.#align(texts.length * 8);
    this.#end = start + texts.length * 8;
    this.#putRange(field, start, texts.length);
    for (let index = 0; index < texts.length; index++) {
      this.putText(start + index * 8, texts[index] ?? "");
    }
  }

  /** Frames are whole multiples of 8 bytes, and a plan is the end of one. */
  finish(): Uint8Array<ArrayBuffer> {
    const bytes = scratch.slice(0, Math.ceil(this.#end / 8) * 8);
    this.discard();
    return bytes;
  }

  discard(): void {
    scratch.fill(0, 0, this.#end);
  }

  #align(bytes: number): number {
    const start = Math.ceil(this.#end / 8) * 8;
    this.#reserve(start - this.#end + bytes);
    return start;
  }

  #putRange(field: number, start: number, count: number): void {
    this.view.setUint32(field, start, true);
    this.view.setUint32(field + 4, count, true);
  }

  /** Some slack is kept for the last padding. */
  #reserve(bytes: number): void {
    const needed = this.#end + bytes + 8;
    if (needed > planBytesMax) {
      throw new PlanTooLarge(`a plan has more than the ${planBytesMax} bytes that a keeper takes`);
    }
    if (needed <= scratch.length) return;
    const larger = new Uint8Array(Math.min(needed * 2, planBytesMax + 8));
    larger.set(scratch);
    scratch = larger;
    this.view = new DataView(larger.buffer);
  }
}
