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
import type { Op, Plan } from "./plan.ts";

export interface EncodeOptions {
  readonly trace?: boolean;
  /** One more than the index of the operation that is to fail before it acts; for tests. */
  readonly failAt?: number;
}

export class PlanTooLarge extends Error {}

/** `struct` fields as the generated tables describe them. */
export interface FieldRow {
  readonly type: string;
  readonly offset: number;
}

export type FieldRows = Readonly<Record<string, FieldRow>>;

const encoder = new TextEncoder();

export function encodePlan(plan: Plan, options: EncodeOptions = {}): Uint8Array<ArrayBuffer> {
  const recordsBytes = plan.steps.reduce(
    (sum, { op }) => sum + planRecord.size + ops[op.op].size,
    0,
  );
  const area = new DataArea(planHeader.size + recordsBytes);
  const records = plan.steps.map(({ stage, op }) => encodeRecord(stage, op, area));
  // Frames are whole multiples of 8 bytes, and a plan is the end of one.
  const bytes = new Uint8Array(Math.ceil(area.end / 8) * 8);
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
  let offset = planHeader.size;
  for (const record of records) {
    bytes.set(record, offset);
    offset += record.length;
  }
  area.copyTo(bytes);
  return bytes;
}

function encodeRecord(stage: Plan["steps"][number]["stage"], op: Op, area: DataArea): Uint8Array {
  const { tag, size, fields } = ops[op.op];
  const record = new Uint8Array(planRecord.size + size);
  const view = new DataView(record.buffer);
  view.setUint16(planRecord.fields.tag.offset, tag, true);
  view.setUint8(planRecord.fields.stage.offset, stages.indexOf(stage));
  view.setUint32(planRecord.fields.bytes.offset, size, true);
  const payload = new DataView(record.buffer, planRecord.size);
  const values: Readonly<Record<string, unknown>> = op;
  for (const [name, row] of Object.entries<FieldRow>(fields)) {
    encodeField(payload, row, values[name], area);
  }
  return record;
}

/** The types of `Op` guarantee that each value fits its row; the casts say which. */
function encodeField(view: DataView, { type, offset }: FieldRow, value: unknown, area: DataArea) {
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
      return view.setUint32(
        offset,
        (fileTypes as readonly string[]).indexOf(value as string),
        true,
      );
    case "text":
      return setRange(view, offset, area.text(value as string));
    case "bytes":
      return setRange(view, offset, area.bytes(value as Uint8Array));
    case "texts":
      return setRange(view, offset, area.texts(value as readonly string[]));
    default:
      throw new Error(`no encoding for a field of type ${type}`);
  }
}

export function flagWord(
  flags: Readonly<Record<string, number>>,
  names: readonly string[],
): number {
  return names.reduce((word, name) => word | (flags[name] ?? 0), 0);
}

type Range = readonly [offset: number, count: number];

function setRange(view: DataView, offset: number, [start, count]: Range): void {
  view.setUint32(offset, start, true);
  view.setUint32(offset + 4, count, true);
}

/** What records refer to, behind them. Equal texts are stored once. */
class DataArea {
  end: number;
  readonly #chunks: { readonly offset: number; readonly bytes: Uint8Array }[] = [];
  readonly #texts = new Map<string, Range>();

  constructor(start: number) {
    this.end = start;
  }

  text(value: string): Range {
    const known = this.#texts.get(value);
    if (known) return known;
    const bytes = encoder.encode(`${value}\0`);
    const range = [this.#add(bytes, 1), bytes.length - 1] as const;
    this.#texts.set(value, range);
    return range;
  }

  bytes(value: Uint8Array): Range {
    return [this.#add(value, 8), value.length];
  }

  texts(values: readonly string[]): Range {
    const entries = new Uint8Array(values.length * 8);
    const view = new DataView(entries.buffer);
    values.forEach((value, index) => setRange(view, index * 8, this.text(value)));
    return [this.#add(entries, 8), values.length];
  }

  copyTo(target: Uint8Array): void {
    for (const { offset, bytes } of this.#chunks) target.set(bytes, offset);
  }

  #add(bytes: Uint8Array, alignment: number): number {
    const offset = Math.ceil(this.end / alignment) * alignment;
    this.#chunks.push({ offset, bytes });
    this.end = offset + bytes.length;
    if (this.end > planBytesMax)
      throw new PlanTooLarge(`a plan is larger than ${planBytesMax} bytes`);
    return offset;
  }
}
