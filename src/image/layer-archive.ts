// What a container changed, as the archive of a layer: its upper directory, with overlayfs's marks
// turned back into whiteouts. The tree is a stranger's: no link is followed.

import { closeSync, fstatSync, lstatSync, readdirSync, readlinkSync, readSync } from "node:fs";
import { closeFd, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, tryOpenStrictly } from "../native/syscalls.ts";
import * as tree from "../native/tree.ts";
import type { TarType } from "./tar-header.ts";
import type { NewEntry } from "./tar-writer.ts";
import { archiveEnd, encodeHeader, padding } from "./tar-writer.ts";

export interface UpperOptions {
  /** Names that are somebody else's inside the container: mounts, and what was made for them. */
  readonly excluded: ReadonlySet<string>;
  /** Of the pod's user namespace; a count of 0 is none. */
  readonly ids: { readonly firstId: number; readonly count: number };
  /** Roots of the layers below, the topmost first. */
  readonly below: readonly string[];
}

const chunkBytes = 256 << 10;
const nobody = 65_534;

/** Its bytes in order. The tree must not change meanwhile. */
export function* archiveUpper(upper: string, options: UpperOptions): Generator<Uint8Array> {
  const root = tree.openDirectory(upper);
  const below = options.below.map((path) => tree.openDirectory(path));
  try {
    yield* new UpperWalk(options, below).directory(root, "");
    yield archiveEnd();
  } finally {
    for (const fd of [root, ...below]) closeFd(fd);
  }
}

class UpperWalk {
  readonly #options: UpperOptions;
  readonly #below: readonly number[];
  /** Inode → the first name of a file with several. */
  readonly #first = new Map<bigint, string>();

  constructor(options: UpperOptions, below: readonly number[]) {
    this.#options = options;
    this.#below = below;
  }

  *directory(fd: number, path: string): Generator<Uint8Array> {
    for (const name of readdirSync(`/proc/self/fd/${fd}`, "latin1").toSorted()) {
      const inner = path === "" ? name : `${path}/${name}`;
      if (this.#options.excluded.has(`/${inner}`)) continue;
      yield* this.#entry(fd, name, inner);
    }
  }

  *#entry(parent: number, name: string, path: string): Generator<Uint8Array> {
    const place = Buffer.from(`/proc/self/fd/${parent}/${name}`, "latin1");
    const stat = lstatSync(place, { bigint: true });
    if (stat.isSocket()) return; // Lives with the process that listens.
    if (stat.isCharacterDevice() && stat.rdev === 0n) {
      yield encodeHeader({ ...plain, path: whiteoutOf(path), timeNs: stat.mtimeNs });
      return;
    }
    const type = typeOf(stat);
    const isLater = type !== "directory" && stat.nlink > 1n && this.#first.has(stat.ino);
    if (!isLater && stat.nlink > 1n) this.#first.set(stat.ino, path);
    const xattrs = tree.readXattrs(parent, name);
    const isOpaque = xattrs.get("trusted.overlay.opaque")?.[0] === 0x79;
    for (const key of xattrs.keys()) if (key.startsWith("trusted.overlay.")) xattrs.delete(key);
    const entry: NewEntry = {
      type: isLater ? "hardlink" : type,
      path: type === "directory" ? `${path}/` : path,
      target: isLater
        ? (this.#first.get(stat.ino) ?? "")
        : type === "symlink"
          ? readlinkSync(place, "latin1")
          : "",
      mode: Number(stat.mode & 0o7777n),
      uid: this.#idOf(stat.uid),
      gid: this.#idOf(stat.gid),
      size: type === "file" && !isLater ? Number(stat.size) : 0,
      timeNs: stat.mtimeNs,
      major: Number((stat.rdev >> 8n) & 0xfffn),
      minor: Number((stat.rdev & 0xffn) | ((stat.rdev >> 12n) & 0xfff00n)),
      xattrs: isLater ? new Map() : xattrs,
    };
    if (type === "directory") yield* this.#walkInto(parent, name, path, entry, isOpaque);
    else yield encodeHeader(entry);
    if (entry.type === "file") yield* contentOf(parent, name, entry.size);
  }

  /** A directory that was only walked through, to a file that is not taken, is no change. */
  *#walkInto(
    parent: number,
    name: string,
    path: string,
    entry: NewEntry,
    isOpaque: boolean,
  ): Generator<Uint8Array> {
    const fd = tree.tryOpenDirectoryBeneath(parent, name);
    if (fd < 0) return;
    try {
      let isTold = false;
      if (isOpaque || !this.#isForMounts(path, entry)) {
        yield encodeHeader(entry);
        isTold = true;
      }
      if (isOpaque) yield encodeHeader({ ...plain, path: `${path}/.wh..wh..opq`, timeNs: 0n });
      for (const bytes of this.directory(fd, path)) {
        if (!isTold) yield encodeHeader(entry);
        isTold = true;
        yield bytes;
      }
    } finally {
      closeFd(fd);
    }
  }

  /** On the way to a mount, and as it is below, or not there at all. */
  #isForMounts(path: string, entry: NewEntry): boolean {
    const isOnTheWay = [...this.#options.excluded].some((name) => name.startsWith(`/${path}/`));
    if (!isOnTheWay) return false;
    for (const root of this.#below) {
      const fd = tree.tryOpenDirectoryBeneath(root, path);
      if (fd < 0) continue;
      const stat = fstatSync(fd);
      closeFd(fd);
      return (stat.mode & 0o7777) === entry.mode && stat.uid === entry.uid;
    }
    return true;
  }

  #idOf(id: bigint): number {
    const { firstId, count } = this.#options.ids;
    if (count === 0) return Number(id);
    const inside = Number(id) - firstId;
    return inside >= 0 && inside < count ? inside : nobody;
  }
}

const plain = { type: "file", mode: 0o644, uid: 0, gid: 0, size: 0 } as const;

function whiteoutOf(path: string): string {
  const slash = path.lastIndexOf("/") + 1;
  return `${path.slice(0, slash)}.wh.${path.slice(slash)}`;
}

function typeOf(stat: ReturnType<typeof lstatSync> & {}): TarType {
  if (stat.isDirectory()) return "directory";
  if (stat.isSymbolicLink()) return "symlink";
  if (stat.isFIFO()) return "fifo";
  if (stat.isCharacterDevice()) return "character";
  return stat.isBlockDevice() ? "block" : "file";
}

/** As long as the header says, whatever has happened since. */
function* contentOf(parent: number, name: string, size: number): Generator<Uint8Array> {
  const path = Buffer.from(name, "latin1").toString("utf8");
  const fd = tryOpenStrictly(parent, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) throw new Error(`${path} cannot be read any more`);
  try {
    for (let done = 0; done < size;) {
      const buffer = Buffer.alloc(Math.min(chunkBytes, size - done));
      const read = readSync(fd, buffer, 0, buffer.length, done);
      // It became shorter: the rest is zeros.
      yield read === 0 ? buffer : buffer.subarray(0, read);
      done += read === 0 ? buffer.length : read;
    }
    yield padding(size);
  } finally {
    closeSync(fd);
  }
}
