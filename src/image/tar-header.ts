// One header of a tar archive: ustar, GNU and pax. Text is bytes, one to a character (latin1).

export type TarType =
  "file" | "hardlink" | "symlink" | "character" | "block" | "directory" | "fifo";

export interface TarEntry {
  readonly type: TarType;
  readonly path: string;
  /** Of links; empty for others. */
  readonly target: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Of the file when it is made; holes count. */
  readonly size: number;
  /** Nanoseconds since the epoch. */
  readonly timeNs: bigint;
  readonly major: number;
  readonly minor: number;
  readonly xattrs: ReadonlyMap<string, string>;
  /** Where the bytes of a sparse file go, in order; undefined for one piece. */
  readonly pieces: readonly Piece[] | undefined;
}

export interface Piece {
  readonly offset: number;
  readonly size: number;
}

/** A layer that breaks the rules of archives or of this store, in words. */
export class BadArchive extends Error {
  constructor(why: string) {
    super(why);
    this.name = "BadArchive";
  }
}

export interface RawHeader {
  readonly flag: string;
  readonly name: string;
  readonly linkName: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly timeSeconds: number;
  readonly major: number;
  readonly minor: number;
  readonly isGnu: boolean;
}

export const blockBytes = 512;

/** `undefined` for a block of zeros, which ends an archive. */
export function parseHeader(block: Buffer): RawHeader | undefined {
  if (block[0] === 0 && block.every((byte) => byte === 0)) return undefined;
  checkSum(block);
  const magic = block.toString("latin1", 257, 265);
  const isGnu = magic === "ustar  \0";
  const isUstar = magic.startsWith("ustar\0");
  // GNU keeps other things where ustar has the first part of a long name.
  const prefix = isUstar ? text(block, 345, 155) : "";
  const name = text(block, 0, 100);
  return {
    flag: String.fromCharCode(block[156] ?? 0),
    name: prefix === "" ? name : `${prefix}/${name}`,
    linkName: text(block, 157, 100),
    mode: number(block, 100, 8, "mode"),
    uid: number(block, 108, 8, "uid"),
    gid: number(block, 116, 8, "gid"),
    size: number(block, 124, 12, "size"),
    timeSeconds: number(block, 136, 12, "time"),
    major: isUstar || isGnu ? number(block, 329, 8, "major") : 0,
    minor: isUstar || isGnu ? number(block, 337, 8, "minor") : 0,
    isGnu,
  };
}

export function text(block: Buffer, start: number, length: number): string {
  const end = block.indexOf(0, start);
  const limit = start + length;
  return block.toString("latin1", start, end < 0 || end > limit ? limit : end);
}

/** Octal digits, or GNU's base 256 where the first bit is set. */
export function number(block: Buffer, start: number, length: number, what: string): number {
  const first = block[start] ?? 0;
  if ((first & 0x80) !== 0) return base256(block, start, length, what);
  const digits = text(block, start, length).trim();
  if (digits === "") return 0;
  if (!/^[0-7]+$/.test(digits)) throw new BadArchive(`a header has the ${what} ${show(digits)}`);
  return Number.parseInt(digits, 8);
}

function base256(block: Buffer, start: number, length: number, what: string): number {
  const bytes = block.subarray(start, start + length);
  const isNegative = ((bytes[0] ?? 0) & 0x40) !== 0;
  let value = BigInt((bytes[0] ?? 0) & 0x7f);
  for (const byte of bytes.subarray(1)) value = (value << 8n) | BigInt(byte);
  if (isNegative) value -= 1n << BigInt(length * 8 - 1);
  const result = Number(value);
  const isSmall = Number.isSafeInteger(result) && (result >= 0 || what === "time");
  if (!isSmall) throw new BadArchive(`a header has a ${what} that no file has`);
  return result;
}

/** Old programs summed signed bytes. */
function checkSum(block: Buffer): void {
  const wanted = number(block, 148, 8, "checksum");
  let [unsigned, signed] = [0, 0];
  for (let index = 0; index < blockBytes; index += 1) {
    const isSum = index >= 148 && index < 156;
    const byte = isSum ? 0x20 : (block[index] ?? 0);
    unsigned += byte;
    signed += byte > 127 ? byte - 256 : byte;
  }
  if (wanted !== unsigned && wanted !== signed) {
    throw new BadArchive("a header's checksum is wrong: this is no tar archive, or a damaged one");
  }
}

/** `LENGTH KEY=VALUE\n`, one after the other. Repeated keys are handed over one by one. */
export function* paxRecords(bytes: Buffer): Generator<readonly [key: string, value: string]> {
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(0x20, at);
    const length = Number(bytes.toString("latin1", at, Math.min(space, at + 20)));
    const end = at + length;
    const isSound = space > at && length > space - at + 2 && end <= bytes.length;
    const equals = isSound ? bytes.indexOf(0x3d, space) : -1;
    if (equals < 0 || equals >= end || bytes[end - 1] !== 0x0a) {
      throw new BadArchive("a pax header is damaged");
    }
    yield [
      bytes.toString("latin1", space + 1, equals),
      bytes.toString("latin1", equals + 1, end - 1),
    ];
    at = end;
  }
}

/** `1700000000.123456789`, also negative, to nanoseconds. */
export function paxTimeNs(value: string): bigint {
  const [, sign, seconds = "0", fraction = ""] = /^(-?)(\d{1,18})(?:\.(\d*))?$/.exec(value) ?? [];
  if (sign === undefined) throw new BadArchive(`a pax header has the time ${show(value)}`);
  const ns = BigInt(seconds) * 1_000_000_000n + BigInt(fraction.slice(0, 9).padEnd(9, "0"));
  return sign === "-" ? -ns : ns;
}

export function paxNumber(key: string, value: string): number {
  const result = Number(value);
  if (/^\d{1,16}$/.test(value) && Number.isSafeInteger(result)) return result;
  throw new BadArchive(`a pax header has the ${key} ${show(value)}`);
}

/** For messages: what an archive says may be long, and may steer a terminal. */
export function show(latin1: string): string {
  const readable = Buffer.from(latin1, "latin1").toString("utf8");
  return JSON.stringify(readable.length > 200 ? `${readable.slice(0, 200)}…` : readable);
}
