// A file or a directory tree as a tar archive. The tree is a stranger's, and alive: everything is
// opened by one name in a directory that is a descriptor, links stay links, and what is neither
// file, link nor directory is left out.

import {
  closeSync,
  fstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  statfsSync,
} from "node:fs";
import type { BigIntStats } from "node:fs";
import { closeFd, O_PATH } from "../../native/syscalls.ts";
import { tryOpenName } from "../../native/tree.ts";
import type { NewEntry } from "../../image/tar-writer.ts";
import { archiveEnd, encodeHeader, padding } from "../../image/tar-writer.ts";
import type { CopyPlace } from "./place.ts";
import { asPodError, openPlace } from "./place.ts";

export interface PackOptions {
  /** What it is called in the archive; empty for the content of a directory without itself. */
  readonly name: string;
  /** Where the path is a link: what it leads to. */
  readonly followLink?: boolean;
  /** Hears of what is left out. */
  readonly onSkip?: (path: string, why: string) => void;
}

const chunkBytes = 256 << 10;
/** Deeper than any tree that people make; a stranger's may have no bottom. */
const depthMax = 512;
const nobody = 65_534;
const noDevice = -1n;
/** What the kernel makes up as it is read has no size before. */
const unsizedBytesMax = 1 << 20;

export async function* packTree(
  place: CopyPlace,
  path: string,
  options: PackOptions,
): AsyncGenerator<Uint8Array> {
  let fd = -1;
  try {
    fd = openPlace(place, path, options.followLink ?? false);
    yield* new Packer(place, options).top(fd, path);
    yield archiveEnd();
  } catch (error) {
    throw asPodError(place, path, error);
  } finally {
    closeFd(fd);
  }
}

/** File systems that the kernel makes up: their files have no content to keep. */
const madeUp: ReadonlySet<number> = new Set([
  // include/uapi/linux/magic.h: proc, sysfs, cgroup2, devpts, mqueue, debugfs, tracefs, bpf.
  ...[0x9fa0, 0x62656572, 0x63677270, 0x1cd1, 0x19800202, 0x64626720, 0x74726163, 0xcafe4a11],
]);

class Packer {
  readonly #place: CopyPlace;
  readonly #options: PackOptions;
  /** Device and inode → the first name of a file that has several. */
  readonly #first = new Map<string, string>();

  constructor(place: CopyPlace, options: PackOptions) {
    this.#place = place;
    this.#options = options;
  }

  async *top(fd: number, path: string): AsyncGenerator<Uint8Array> {
    const { name } = this.#options;
    // Names are bytes, one to a character: what the user wrote is UTF-8.
    const bytes = Buffer.from(name).toString("latin1");
    const stat = fstatSync(fd, { bigint: true });
    if (stat.isDirectory()) return yield* this.#directory(fd, stat, bytes, noDevice, 0);
    if (name === "") throw new Error("it is not a directory");
    const link = stat.isSymbolicLink() ? this.#linkOf(path) : "";
    if (!stat.isFile() && !stat.isSymbolicLink()) throw new Error("it is no file or directory");
    yield* this.#leaf(fd, stat, bytes, link);
  }

  /** Of the link itself, which nothing can be read of by its descriptor. */
  #linkOf(path: string): string {
    const slash = path.replace(/\/+$/, "").lastIndexOf("/");
    const parent = openPlace(this.#place, path.slice(0, slash + 1) || "/", true);
    try {
      return readlinkSync(inProc(parent, path.slice(slash + 1)), "latin1");
    } finally {
      closeFd(parent);
    }
  }

  async *#directory(
    fd: number,
    stat: BigIntStats,
    path: string,
    parentDevice: bigint,
    depth: number,
  ): AsyncGenerator<Uint8Array> {
    if (path !== "") yield encodeHeader(this.#describe("directory", stat, `${path}/`));
    const place = `/proc/self/fd/${fd}`;
    if (stat.dev !== parentDevice && madeUp.has(statfsSync(place).type)) return;
    if (depth > depthMax) return this.#skip(path, `it is deeper than ${depthMax} directories`);
    for (const name of readdirSync(place, "latin1").toSorted()) {
      yield* this.#child(fd, name, path === "" ? name : `${path}/${name}`, stat.dev, depth + 1);
    }
  }

  async *#child(
    parent: number,
    name: string,
    path: string,
    device: bigint,
    depth: number,
  ): AsyncGenerator<Uint8Array> {
    const fd = tryOpenName(parent, name, O_PATH);
    if (fd < 0) return; // Gone since the directory was read.
    try {
      const stat = fstatSync(fd, { bigint: true });
      if (stat.isDirectory()) return yield* this.#directory(fd, stat, path, device, depth);
      if (stat.isSymbolicLink()) {
        const link = tryReadLink(parent, name);
        return link === undefined ? undefined : yield* this.#leaf(fd, stat, path, link);
      }
      if (stat.isFile()) return yield* this.#leaf(fd, stat, path, "");
      this.#skip(path, stat.isSocket() ? "it is a socket" : "it is a device or a FIFO");
    } finally {
      closeFd(fd);
    }
  }

  async *#leaf(
    fd: number,
    stat: BigIntStats,
    path: string,
    link: string,
  ): AsyncGenerator<Uint8Array> {
    const key = `${stat.dev}:${stat.ino}`;
    const first = stat.nlink > 1n && stat.isFile() ? this.#first.get(key) : undefined;
    if (first !== undefined) {
      yield encodeHeader({ ...this.#describe("hardlink", stat, path), target: first });
      return;
    }
    if (stat.nlink > 1n) this.#first.set(key, path);
    const entry = this.#describe(stat.isFile() ? "file" : "symlink", stat, path);
    if (entry.type === "symlink") return yield encodeHeader({ ...entry, target: link });
    let content: number;
    try {
      // The same file again, whatever its name has become.
      content = openSync(`/proc/self/fd/${fd}`, "r");
    } catch (error) {
      return this.#skip(path, error instanceof Error ? error.message : String(error));
    }
    try {
      const early = entry.size === 0 ? readUnsized(content) : Buffer.alloc(0);
      yield encodeHeader({ ...entry, size: entry.size + early.length });
      if (early.length > 0) yield* [early, padding(early.length)];
      yield* contentOf(content, entry.size);
    } finally {
      closeSync(content);
    }
  }

  #describe(type: NewEntry["type"], stat: BigIntStats, path: string): NewEntry {
    const { firstId } = this.#place;
    const inside = (id: bigint) => (Number(id) < firstId ? nobody : Number(id) - firstId);
    return {
      ...{ type, path },
      mode: Number(stat.mode & 0o7777n),
      uid: inside(stat.uid),
      gid: inside(stat.gid),
      size: type === "file" ? Number(stat.size) : 0,
      timeNs: stat.mtimeNs,
    };
  }

  #skip(path: string, why: string): void {
    this.#options.onSkip?.(Buffer.from(path, "latin1").toString(), why);
  }
}

function tryReadLink(parent: number, name: string): string | undefined {
  try {
    return readlinkSync(inProc(parent, Buffer.from(name, "latin1")), "latin1");
  } catch {
    return undefined; // Not a link any more.
  }
}

function inProc(parent: number, name: string | Buffer): Buffer {
  return Buffer.concat([Buffer.from(`/proc/self/fd/${parent}/`), Buffer.from(name)]);
}

function readUnsized(fd: number): Buffer {
  const buffer = Buffer.alloc(unsizedBytesMax);
  let length = 0;
  for (let read = -1; read !== 0 && length < buffer.length; length += read) {
    read = readSync(fd, buffer, length, buffer.length - length, null);
  }
  return Buffer.from(buffer.subarray(0, length));
}

/** As long as the header says: a file that grows is cut, one that shrinks ends in zeros. */
function* contentOf(fd: number, size: number): Generator<Uint8Array> {
  for (let done = 0; done < size;) {
    const buffer = Buffer.alloc(Math.min(chunkBytes, size - done));
    const read = readSync(fd, buffer, 0, buffer.length, done);
    yield read === 0 ? buffer : buffer.subarray(0, read);
    done += read === 0 ? buffer.length : read;
  }
  yield padding(size);
}
