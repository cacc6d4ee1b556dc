// Reads a tar archive as its bytes come, in bounded memory: each entry is handed over once, then
// its content piece by piece. It opens nothing and trusts nothing.

import type { Piece, RawHeader, TarEntry, TarType } from "./tar-header.ts";
import {
  BadArchive,
  blockBytes,
  number,
  parseHeader,
  paxNumber,
  paxRecords,
  paxTimeNs,
  show,
  text,
} from "./tar-header.ts";

export interface TarSink {
  entry(entry: TarEntry): void;
  /** Content of the last entry; `position` counts from the start of the file. */
  data(bytes: Uint8Array, position: number): void;
  /** The last entry is whole. */
  end(): void;
}

/** Extended headers of one entry together: long names, xattrs. Linux bounds xattrs by 64 KiB. */
const extensionBytesMax = 1 << 20;
const piecesMax = 100_000;

const types: Readonly<Record<string, TarType>> = {
  "0": "file",
  "\0": "file",
  "1": "hardlink",
  "2": "symlink",
  "3": "character",
  "4": "block",
  "5": "directory",
  "6": "fifo",
  // Contiguous files are files (POSIX), and so are GNU's old sparse ones.
  "7": "file",
  S: "file",
};

/** What extended headers say of the next entry. */
interface Extension {
  readonly pax: Map<string, string>;
  readonly xattrs: Map<string, string>;
  readonly sparse: number[];
  path?: string;
  target?: string;
  bytes: number;
}

type State =
  | { readonly at: "header" }
  | { readonly at: "extension"; readonly flag: string; readonly buffer: Buffer; filled: number }
  /** More of an old sparse map. */
  | {
      readonly at: "map";
      readonly header: RawHeader;
      readonly pieces: Piece[];
      readonly real: number;
    }
  /** The map that pax 1.0 puts before the content. */
  | {
      readonly at: "prefix";
      readonly header: RawHeader;
      readonly numbers: number[];
      text: string;
      read: number;
    }
  | { readonly at: "data"; left: number; piece: number; done: number }
  | { readonly at: "over" };

export class TarReader {
  readonly #sink: TarSink;
  readonly #block = Buffer.alloc(blockBytes);
  #blockFilled = 0;
  #state: State = { at: "header" };
  #extension = noExtension();
  /** Zeros up to the next block. */
  #padding = 0;
  #pieces: readonly Piece[] = [];
  #zeros = 0;

  constructor(sink: TarSink) {
    this.#sink = sink;
  }

  push(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length;) at += this.#take(chunk.subarray(at));
  }

  /** Throws where the archive stops in the middle. Many archives end without their two zeros. */
  finish(): void {
    const isBetween = this.#state.at === "header" && this.#blockFilled === 0;
    if (this.#state.at === "over" || (isBetween && this.#padding === 0)) return;
    throw new BadArchive("the archive is cut off");
  }

  /** How many bytes were used: at least one. */
  #take(bytes: Uint8Array): number {
    if (this.#state.at === "over") return bytes.length; // Padding of tapes.
    if (this.#state.at === "data") return this.#takeData(bytes, this.#state);
    if (this.#padding > 0) {
      const used = Math.min(this.#padding, bytes.length);
      this.#padding -= used;
      return used;
    }
    if (this.#state.at === "extension") return this.#takeExtension(bytes, this.#state);
    const used = Math.min(blockBytes - this.#blockFilled, bytes.length);
    this.#block.set(bytes.subarray(0, used), this.#blockFilled);
    this.#blockFilled += used;
    if (this.#blockFilled === blockBytes) {
      this.#blockFilled = 0;
      this.#takeBlock();
    }
    return used;
  }

  #takeBlock(): void {
    const state = this.#state;
    switch (state.at) {
      case "header":
        return this.#takeHeader();
      case "map": {
        readPieces(this.#block, 0, 21, state.pieces);
        const isLast = this.#block[504] === 0;
        return isLast ? this.#open(state.header, state.pieces, state.real) : undefined;
      }
      case "prefix":
        return this.#takePrefix(state);
      default:
        throw new Error(`a block in the state ${state.at}`);
    }
  }

  #takeHeader(): void {
    const header = parseHeader(this.#block);
    if (header === undefined) {
      this.#zeros += 1;
      if (this.#zeros === 2) this.#state = { at: "over" };
      return;
    }
    if (this.#zeros > 0) throw new BadArchive("the archive goes on after its end");
    if ("xgLK".includes(header.flag)) {
      this.#extension.bytes += header.size;
      if (this.#extension.bytes > extensionBytesMax) {
        throw new BadArchive(`an extended header is longer than ${extensionBytesMax} bytes`);
      }
      const { flag, size } = header;
      this.#state = { at: "extension", flag, buffer: Buffer.alloc(size), filled: 0 };
      if (size === 0) this.#endExtension(this.#state);
      return;
    }
    this.#startEntry(header);
  }

  #takeExtension(bytes: Uint8Array, state: State & { readonly at: "extension" }): number {
    const used = Math.min(state.buffer.length - state.filled, bytes.length);
    state.buffer.set(bytes.subarray(0, used), state.filled);
    state.filled += used;
    if (state.filled === state.buffer.length) this.#endExtension(state);
    return used;
  }

  #endExtension({ flag, buffer }: State & { readonly at: "extension" }): void {
    const extension = this.#extension;
    if (flag === "L") extension.path = text(buffer, 0, buffer.length);
    if (flag === "K") extension.target = text(buffer, 0, buffer.length);
    if (flag === "x") readPax(buffer, extension);
    // Global headers carry a commit or a comment; what they would say of files, layers do not use.
    this.#padding = paddingOf(buffer.length);
    this.#state = { at: "header" };
  }

  #startEntry(header: RawHeader): void {
    const { pax, sparse } = this.#extension;
    if (types[header.flag] === undefined) {
      throw new BadArchive(`${show(header.name)} is of the unknown type ${show(header.flag)}`);
    }
    if (header.flag === "S") return this.#startOldSparse(header);
    const size = pax.has("size") ? paxNumber("size", pax.get("size") ?? "") : header.size;
    const sized = { ...header, size };
    if (pax.get("GNU.sparse.major") === "1") {
      this.#state = { at: "prefix", header: sized, numbers: [], text: "", read: 0 };
      return;
    }
    const map = pax.get("GNU.sparse.map");
    const numbers = map === undefined ? sparse : map.split(",").map((n) => paxNumber("map", n));
    if (numbers.length === 0) return this.#open(sized, undefined, size);
    const real = paxNumber("size", pax.get("GNU.sparse.size") ?? "");
    this.#open(sized, pairs(numbers), real);
  }

  #startOldSparse(header: RawHeader): void {
    const real = number(this.#block, 483, 12, "size");
    const pieces: Piece[] = [];
    readPieces(this.#block, 386, 4, pieces);
    if (this.#block[482] === 0) return this.#open(header, pieces, real);
    this.#state = { at: "map", header, pieces, real };
  }

  #takePrefix(state: State & { readonly at: "prefix" }): void {
    state.read += blockBytes;
    state.text += this.#block.toString("latin1").replace(/\0+$/, "");
    if (state.text.length > piecesMax * 40 || state.read > state.header.size) {
      throw new BadArchive("a sparse map does not end");
    }
    const lines = state.text.split("\n");
    const count = lines.length > 1 ? paxNumber("map", lines[0] ?? "") : Infinity;
    if (count > piecesMax && count !== Infinity) throw new BadArchive("a sparse map is too long");
    if (lines.length <= count * 2 + 1) return;
    const numbers = lines.slice(1, count * 2 + 1).map((line) => paxNumber("map", line));
    const { pax } = this.#extension;
    const real = paxNumber("size", pax.get("GNU.sparse.realsize") ?? "");
    this.#open({ ...state.header, size: state.header.size - state.read }, pairs(numbers), real);
  }

  #open(header: RawHeader, pieces: readonly Piece[] | undefined, size: number): void {
    const entry = makeEntry(header, this.#extension, pieces, size);
    // Only files have content; a link's size is that of the file it stands for (POSIX).
    const content = entry.type === "file" ? header.size : 0;
    if (pieces !== undefined) checkPieces(pieces, content, size);
    this.#extension = noExtension();
    this.#pieces = pieces ?? [{ offset: 0, size: content }];
    this.#padding = paddingOf(content);
    this.#sink.entry(entry);
    this.#state = { at: "data", left: content, piece: 0, done: 0 };
    if (content === 0) this.#endEntry();
  }

  #takeData(bytes: Uint8Array, state: State & { readonly at: "data" }): number {
    let piece = this.#pieces[state.piece];
    while (piece !== undefined && state.done === piece.size) {
      state.piece += 1;
      state.done = 0;
      piece = this.#pieces[state.piece];
    }
    const room = piece === undefined ? state.left : piece.size - state.done;
    const used = Math.min(bytes.length, state.left, room);
    if (piece !== undefined) this.#sink.data(bytes.subarray(0, used), piece.offset + state.done);
    state.done += used;
    state.left -= used;
    if (state.left === 0) this.#endEntry();
    return used;
  }

  #endEntry(): void {
    this.#sink.end();
    this.#state = { at: "header" };
  }
}

function noExtension(): Extension {
  return { pax: new Map(), xattrs: new Map(), sparse: [], bytes: 0 };
}

function paddingOf(size: number): number {
  return (blockBytes - (size % blockBytes)) % blockBytes;
}

const xattrPrefix = "SCHILY.xattr.";

function readPax(buffer: Buffer, extension: Extension): void {
  for (const [key, value] of paxRecords(buffer)) {
    if (key.startsWith(xattrPrefix)) {
      extension.xattrs.set(key.slice(xattrPrefix.length), value);
    } else if (key === "GNU.sparse.offset" || key === "GNU.sparse.numbytes") {
      extension.sparse.push(paxNumber(key, value));
      if (extension.sparse.length > 2 * piecesMax) throw new BadArchive("a sparse map is too long");
    } else {
      extension.pax.set(key, value);
    }
  }
}

function makeEntry(
  header: RawHeader,
  { pax, xattrs, path, target }: Extension,
  pieces: readonly Piece[] | undefined,
  size: number,
): TarEntry {
  const id = (key: string, value: number) =>
    pax.has(key) ? paxNumber(key, pax.get(key) ?? "") : value;
  const name = pax.get("GNU.sparse.name") ?? pax.get("path") ?? path ?? header.name;
  const type = types[header.flag] ?? "file";
  const time = pax.get("mtime");
  return {
    // Before POSIX a slash at the end was all that told a directory.
    type: type === "file" && header.flag !== "S" && name.endsWith("/") ? "directory" : type,
    path: name,
    target: pax.get("linkpath") ?? target ?? header.linkName,
    mode: header.mode & 0o7777,
    uid: id("uid", header.uid),
    gid: id("gid", header.gid),
    size,
    timeNs: time === undefined ? BigInt(header.timeSeconds) * 1_000_000_000n : paxTimeNs(time),
    major: header.major,
    minor: header.minor,
    xattrs,
    pieces,
  };
}

function readPieces(block: Buffer, start: number, count: number, pieces: Piece[]): void {
  for (let index = 0; index < count; index += 1) {
    const at = start + index * 24;
    if (block[at] === 0) break;
    pieces.push({
      offset: number(block, at, 12, "offset"),
      size: number(block, at + 12, 12, "size"),
    });
  }
  if (pieces.length > piecesMax) throw new BadArchive("a sparse map is too long");
}

function pairs(numbers: readonly number[]): Piece[] {
  if (numbers.length % 2 !== 0) throw new BadArchive("a sparse map has an odd number of entries");
  const pieces: Piece[] = [];
  for (let index = 0; index < numbers.length; index += 2) {
    pieces.push({ offset: numbers[index] ?? 0, size: numbers[index + 1] ?? 0 });
  }
  return pieces;
}

/** In order, apart, inside the file, and as long together as the content. */
function checkPieces(pieces: readonly Piece[], content: number, size: number): void {
  let [end, total] = [0, 0];
  for (const piece of pieces) {
    if (piece.offset < end) throw new BadArchive("the pieces of a sparse file overlap");
    end = piece.offset + piece.size;
    total += piece.size;
  }
  if (end > size || total !== content) {
    throw new BadArchive("the pieces of a sparse file do not add up");
  }
}
