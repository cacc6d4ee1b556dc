// Writes tar archives: ustar where it is enough, pax where it is not. Text is bytes, one to a
// character (latin1). The same entries give the same bytes.

import type { TarType } from "./tar-header.ts";
import { blockBytes } from "./tar-header.ts";

export interface NewEntry {
  readonly type: TarType;
  /** Relative; a directory's ends with a slash. */
  readonly path: string;
  readonly target?: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly timeNs: bigint;
  readonly major?: number;
  readonly minor?: number;
  readonly xattrs?: ReadonlyMap<string, Uint8Array>;
}

const flags: Readonly<Record<TarType, string>> = {
  file: "0",
  hardlink: "1",
  symlink: "2",
  character: "3",
  block: "4",
  directory: "5",
  fifo: "6",
};
const billion = 1_000_000_000n;

/** The blocks in front of an entry's content. */
export function encodeHeader(entry: NewEntry): Buffer {
  const records = recordsOf(entry);
  const own = headerBlock(entry, flags[entry.type], entry.path, entry.size);
  if (records.length === 0) return own;
  const extension = Buffer.concat(records);
  const head = headerBlock(
    { ...entry, mode: 0o644, uid: 0, gid: 0, timeNs: 0n, target: "" },
    "x",
    "pax",
    extension.length,
  );
  return Buffer.concat([head, extension, padding(extension.length), own]);
}

/** After the content. */
export function padding(size: number): Buffer {
  return Buffer.alloc((blockBytes - (size % blockBytes)) % blockBytes);
}

export function archiveEnd(): Buffer {
  return Buffer.alloc(2 * blockBytes);
}

function recordsOf(entry: NewEntry): Buffer[] {
  const { path, target = "", size, uid, gid, timeNs } = entry;
  const texts: [string, string | Uint8Array][] = [];
  if (path.length > 100) texts.push(["path", path]);
  if (target.length > 100) texts.push(["linkpath", target]);
  if (size >= 8 ** 11) texts.push(["size", `${size}`]);
  if (uid >= 8 ** 7) texts.push(["uid", `${uid}`]);
  if (gid >= 8 ** 7) texts.push(["gid", `${gid}`]);
  if (timeNs % billion !== 0n || timeNs < 0n) texts.push(["mtime", printTime(timeNs)]);
  for (const [name, value] of entry.xattrs ?? []) texts.push([`SCHILY.xattr.${name}`, value]);
  return texts.map(([key, value]) => record(key, value));
}

function printTime(timeNs: bigint): string {
  const size = timeNs < 0n ? -timeNs : timeNs;
  const fraction = `${size % billion}`.padStart(9, "0");
  return `${timeNs < 0n ? "-" : ""}${size / billion}.${fraction}`;
}

/** `LENGTH KEY=VALUE\n`, where the length counts itself. */
function record(key: string, value: string | Uint8Array): Buffer {
  const bytes = typeof value === "string" ? Buffer.from(value, "latin1") : value;
  const rest = Buffer.byteLength(key, "latin1") + bytes.length + 3;
  let length = rest + 1;
  while (length !== rest + `${length}`.length) length = rest + `${length}`.length;
  return Buffer.concat([Buffer.from(`${length} ${key}=`, "latin1"), bytes, Buffer.from("\n")]);
}

function headerBlock(entry: NewEntry, flag: string, path: string, size: number): Buffer {
  const block = Buffer.alloc(blockBytes);
  const octal = (value: number, at: number, length: number) =>
    block.write(
      value
        .toString(8)
        .padStart(length - 1, "0")
        .slice(1 - length),
      at,
      "latin1",
    );
  block.write(path.slice(0, 100), 0, "latin1");
  octal(entry.mode, 100, 8);
  octal(entry.uid, 108, 8);
  octal(entry.gid, 116, 8);
  octal(size, 124, 12);
  octal(Math.max(0, Number(entry.timeNs / billion)), 136, 12);
  block.write(flag, 156, "latin1");
  block.write((entry.target ?? "").slice(0, 100), 157, "latin1");
  block.write("ustar\x0000", 257, "latin1");
  octal(entry.major ?? 0, 329, 8);
  octal(entry.minor ?? 0, 337, 8);
  block.fill(" ", 148, 156);
  octal(
    block.reduce((sum, byte) => sum + byte, 0),
    148,
    7,
  );
  return block;
}
