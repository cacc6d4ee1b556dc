// Composing requests to the kernel's networking (man 7 netlink, man 7 rtnetlink): headers, nested
// attributes, numbers in the byte order that each wants. Pure; nothing is sent here.

import type { NetlinkBatch } from "../spec/network.ts";

export const flag = {
  request: 0x1,
  ack: 0x4,
  replace: 0x100,
  dump: 0x300,
  exclusive: 0x200,
  create: 0x400,
} as const;

const headBytes = 16;
const nested = 0x8000;
const encoder = new TextEncoder();

/** Grows as needed; one batch at a time is written. */
export class NetlinkWriter {
  #bytes = new Uint8Array(2048);
  #view = new DataView(this.#bytes.buffer);
  #end = 0;
  #message = 0;
  #pidAt = 0;
  readonly #labels: string[] = [];

  /** The one before it ends here. `label` says for people what it does; empty for framing. */
  begin(label: string, type: number, flags: number, sequence?: number): this {
    this.#close();
    this.#message = this.#end;
    if (label !== "") this.#labels.push(label);
    this.u32(0)
      .u16(type)
      .u16(flags | flag.request);
    return this.u32(sequence ?? this.#labels.length).u32(0);
  }

  u8(value: number): this {
    this.#reserve(1);
    this.#view.setUint8(this.#end, value);
    this.#end += 1;
    return this;
  }

  u16(value: number): this {
    this.#reserve(2);
    this.#view.setUint16(this.#end, value, true);
    this.#end += 2;
    return this;
  }

  u32(value: number): this {
    this.#reserve(4);
    this.#view.setUint32(this.#end, value >>> 0, true);
    this.#end += 4;
    return this;
  }

  bytes(value: Uint8Array): this {
    this.#reserve(value.length);
    this.#bytes.set(value, this.#end);
    this.#end += value.length;
    return this;
  }

  attribute(type: number, value: Uint8Array): this {
    return this.#attribute(type, value.length).bytes(value).#pad();
  }

  attributeU8(type: number, value: number): this {
    return this.#attribute(type, 1).u8(value).#pad();
  }

  attributeU32(type: number, value: number): this {
    return this.#attribute(type, 4).u32(value);
  }

  /** In network byte order, as all of nf_tables has it. */
  attributeBig32(type: number, value: number): this {
    this.#attribute(type, 4).u32(0);
    this.#view.setUint32(this.#end - 4, value >>> 0, false);
    return this;
  }

  /** Ends in NUL. */
  attributeText(type: number, value: string): this {
    return this.attribute(type, encoder.encode(`${value}\0`));
  }

  /** Whose value the keeper writes: its own pid. */
  attributePid(type: number): this {
    this.#attribute(type, 4);
    this.#pidAt = this.#end;
    return this.u32(0);
  }

  nest(type: number, inner: () => unknown): this {
    const start = this.#end;
    this.#attribute(type | nested, 0);
    inner();
    this.#view.setUint16(start, this.#end - start, true);
    return this;
  }

  /** What is not last is answered only when it fails. */
  finish(): NetlinkBatch {
    this.#close();
    return {
      labels: this.#labels,
      messages: this.#bytes.slice(0, this.#end),
      pidAt: this.#pidAt,
    };
  }

  /** Of the message begun last. */
  askForAnswer(): this {
    const at = this.#message + 6;
    this.#view.setUint16(at, this.#view.getUint16(at, true) | flag.ack, true);
    return this;
  }

  #attribute(type: number, bytes: number): this {
    return this.u16(bytes + 4).u16(type);
  }

  #pad(): this {
    const end = (this.#end + 3) & ~3;
    this.#reserve(end - this.#end);
    this.#bytes.fill(0, this.#end, end);
    this.#end = end;
    return this;
  }

  #close(): void {
    if (this.#end - this.#message < headBytes) return;
    this.#pad();
    this.#view.setUint32(this.#message, this.#end - this.#message, true);
  }

  #reserve(bytes: number): void {
    if (this.#end + bytes <= this.#bytes.length) return;
    const larger = new Uint8Array(this.#bytes.length * 2 + bytes);
    larger.set(this.#bytes);
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}
