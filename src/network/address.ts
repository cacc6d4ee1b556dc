// IP addresses and ranges: text to bytes and back.

import { isIPv4, isIPv6 } from "node:net";

export interface Range {
  /** First address of the range, 4 or 16 bytes. */
  readonly base: Uint8Array;
  readonly prefix: number;
}

/** 4 or 16 bytes; undefined for what is no address. */
export function parseAddress(text: string): Uint8Array | undefined {
  if (isIPv4(text)) return Uint8Array.from(text.split("."), Number);
  if (!isIPv6(text) || text.includes("%")) return undefined;
  const [head = "", tail] = text.split("::");
  const before = parseGroups(head);
  const after = parseGroups(tail ?? "");
  const zeros = 16 - before.length - after.length;
  return Uint8Array.from([...before, ...Array<number>(Math.max(zeros, 0)).fill(0), ...after]);
}

function parseGroups(text: string): number[] {
  if (text === "") return [];
  return text.split(":").flatMap((group) => {
    if (group.includes(".")) return group.split(".").map(Number);
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 255];
  });
}

/** IPv6 as RFC 5952 writes it. */
export function formatAddress(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  const groups = Array.from({ length: 8 }, (_, index) =>
    (((bytes[2 * index] ?? 0) << 8) | (bytes[2 * index + 1] ?? 0)).toString(16),
  );
  const runs = groups.join(":").match(/(?<![^:])0(:0)+(?![^:])/g) ?? [];
  const longest = runs.reduce((best, run) => (run.length > best.length ? run : best), "");
  if (longest === "") return groups.join(":");
  const text = groups.join(":");
  const at = text.search(new RegExp(`(?<![^:])${longest}(?![^:])`));
  return `${text.slice(0, at).replace(/:$/, "")}::${text
    .slice(at + longest.length)
    .replace(/^:/, "")}`;
}

/** `10.0.0.0/8`, with no bit set after the prefix; undefined for anything else. */
export function parseRange(text: string): Range | undefined {
  const [address = "", prefixText = "", ...others] = text.split("/");
  const base = parseAddress(address);
  if (!base || others.length > 0 || !/^\d{1,3}$/.test(prefixText)) return undefined;
  const prefix = Number(prefixText);
  if (prefix > base.length * 8) return undefined;
  const isClean = base.every((byte, index) => (byte & ~maskByte(prefix, index) & 255) === 0);
  return isClean ? { base, prefix } : undefined;
}

export function formatRange({ base, prefix }: Range): string {
  return `${formatAddress(base)}/${prefix}`;
}

/** Whether two ranges of one family share an address. */
export function overlap(a: Range, b: Range): boolean {
  if (a.base.length !== b.base.length) return false;
  const prefix = Math.min(a.prefix, b.prefix);
  return a.base.every((byte, index) => {
    const mask = maskByte(prefix, index);
    return (byte & mask) === ((b.base[index] ?? 0) & mask);
  });
}

/** The range's nth address; the number goes into its last 32 bits. */
export function nthAddress({ base }: Range, number: number): Uint8Array {
  const bytes = Uint8Array.from(base);
  const view = new DataView(bytes.buffer);
  const at = bytes.length - 4;
  view.setUint32(at, (view.getUint32(at) | number) >>> 0);
  return bytes;
}

function maskByte(prefix: number, index: number): number {
  const bits = Math.min(Math.max(prefix - index * 8, 0), 8);
  return (0xff00 >> bits) & 255;
}
