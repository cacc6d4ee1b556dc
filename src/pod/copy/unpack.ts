// Makes the files of a tar archive beneath a directory. Neither the archive nor the tree is
// trusted: the tree may be a container's, whose processes exchange names while we work. So no link
// is followed, and owner, mode and time are set by descriptors of what was just made.

import {
  closeSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  ftruncateSync,
  futimesSync,
  openSync,
  writeSync,
} from "node:fs";
import { cleanPath, WriteFailed } from "../../image/layer-writer.ts";
import type { TarEntry } from "../../image/tar-header.ts";
import { BadArchive, show } from "../../image/tar-header.ts";
import type { TarSink } from "../../image/tar-reader.ts";
import { TarReader } from "../../image/tar-reader.ts";
import { errnoName } from "../../native/errno.ts";
import { closeFd, O_DIRECTORY, O_PATH } from "../../native/syscalls.ts";
import * as tree from "../../native/tree.ts";
import type { CopyPlace } from "./place.ts";
import { asPodError, openPlace } from "./place.ts";

export interface UnpackOptions {
  /** Owners as the archive has them; else root of the container, or who runs this on the host. */
  readonly keepOwner?: boolean;
  /** Hears of what is left out. */
  readonly onSkip?: (path: string, why: string) => void;
}

const [ENOENT, EEXIST, ENOTDIR, ENOTEMPTY, EISDIR, ELOOP] = [2, 17, 20, 39, 21, 40];

/** `directory` must exist; links on the way to it are followed within the root. */
export async function unpackTree(
  place: CopyPlace,
  directory: string,
  archive: AsyncIterable<Uint8Array>,
  options: UnpackOptions = {},
): Promise<void> {
  let root = -1;
  try {
    root = openPlace(place, directory, true);
    if (!fstatSync(root).isDirectory()) throw new Error("it is not a directory");
    using writer = new TreeWriter(root, place, options);
    const reader = new TarReader(writer);
    for await (const chunk of archive) reader.push(chunk);
    reader.finish();
    writer.finish();
  } catch (error) {
    throw asPodError(place, directory, error);
  } finally {
    closeFd(root);
  }
}

class TreeWriter implements TarSink {
  readonly #root: number;
  readonly #place: CopyPlace;
  readonly #options: UnpackOptions;
  /** The directory of the last entry: the next one is mostly in the same. */
  #parentPath = "";
  #parent: number;
  #file: { readonly fd: number; readonly entry: TarEntry } | undefined;
  /** New directories; what is made in one changes its time. */
  readonly #times: { readonly fd: number; readonly timeNs: bigint }[] = [];

  constructor(root: number, place: CopyPlace, options: UnpackOptions) {
    this.#root = root;
    this.#parent = root;
    this.#place = place;
    this.#options = options;
  }

  entry(entry: TarEntry): void {
    const parts = cleanPath(entry.path, "a path");
    const name = parts.pop();
    if (name === undefined) return; // The directory itself is there.
    const parent = this.#openParent(parts, entry.path);
    switch (entry.type) {
      case "directory":
        return this.#directory(parent, name, entry);
      case "file":
        return this.#open(parent, name, entry);
      case "symlink":
        return this.#link(parent, name, entry);
      case "hardlink":
        return this.#hardLink(parent, name, entry);
      case "character":
      case "block":
      case "fifo":
        return this.#options.onSkip?.(shown(entry.path), "it is a device or a FIFO");
      default:
        return entry.type satisfies never;
    }
  }

  data(bytes: Uint8Array, position: number): void {
    if (this.#file === undefined) return;
    for (let done = 0; done < bytes.length;) {
      done += writeSync(this.#file.fd, bytes, done, bytes.length - done, position + done);
    }
  }

  end(): void {
    if (this.#file === undefined) return;
    const { fd, entry } = this.#file;
    if (entry.pieces !== undefined) ftruncateSync(fd, entry.size);
    this.#describe(fd, entry);
    setTime(fd, entry.timeNs);
    closeSync(fd);
    this.#file = undefined;
  }

  finish(): void {
    for (const { fd, timeNs } of this.#times.toReversed()) setTime(fd, timeNs);
  }

  [Symbol.dispose](): void {
    if (this.#file !== undefined) closeSync(this.#file.fd);
    this.#closeParent();
    for (const { fd } of this.#times) closeSync(fd);
  }

  #closeParent(): void {
    if (this.#parent !== this.#root) closeFd(this.#parent);
    this.#parent = this.#root;
    this.#parentPath = "";
  }

  #openParent(parts: readonly string[], subject: string): number {
    const path = parts.join("/");
    if (path === this.#parentPath) return this.#parent;
    this.#closeParent();
    let parent = tree.tryOpenDirectoryBeneath(this.#root, path, true);
    if (parent === -ENOENT) parent = this.#makeParents(parts, subject);
    if (parent < 0) throw refusal(-parent, subject);
    this.#parent = parent;
    this.#parentPath = path;
    return parent;
  }

  /** Archives may leave out the directories on the way. */
  #makeParents(parts: readonly string[], subject: string): number {
    for (const [index, part] of parts.entries()) {
      const before = parts.slice(0, index).join("/");
      const parent =
        before === "" ? this.#root : tree.tryOpenDirectoryBeneath(this.#root, before, true);
      if (parent < 0) throw refusal(-parent, subject);
      const made = tree.tryMakeDirectory(parent, part);
      if (made >= 0) closeSync(this.#claim(parent, part, { mode: 0o755, uid: 0, gid: 0 }, subject));
      if (parent !== this.#root) closeFd(parent);
      if (made < 0 && made !== -EEXIST) throw refusal(-made, subject);
    }
    return tree.tryOpenDirectoryBeneath(this.#root, parts.join("/"), true);
  }

  /** One that is there stays as it is. */
  #directory(parent: number, name: string, entry: TarEntry): void {
    const made = tree.tryMakeDirectory(parent, name);
    if (made === -EEXIST) {
      const there = tree.tryOpenName(parent, name, O_PATH | O_DIRECTORY);
      if (there < 0) throw refusal(ENOTDIR, entry.path);
      return closeFd(there);
    }
    if (made < 0) throw refusal(-made, entry.path);
    const fd = this.#claim(parent, name, entry, entry.path);
    const rememberedMax = 10_000;
    if (this.#times.length < rememberedMax) this.#times.push({ fd, timeNs: entry.timeNs });
    else closeSync(fd);
  }

  /** A directory that was just made, now with its owner and mode. */
  #claim(
    parent: number,
    name: string,
    entry: Pick<TarEntry, "mode" | "uid" | "gid">,
    subject: string,
  ): number {
    const place = tree.tryOpenName(parent, name, O_PATH | O_DIRECTORY);
    if (place < 0) throw refusal(-place, subject);
    try {
      const fd = openSync(`/proc/self/fd/${place}`, "r");
      this.#describe(fd, entry);
      return fd;
    } finally {
      closeFd(place);
    }
  }

  #open(parent: number, name: string, entry: TarEntry): void {
    const fd = this.#replacing(parent, name, entry, () => tree.tryCreateFile(parent, name));
    this.#file = { fd, entry };
  }

  #link(parent: number, name: string, entry: TarEntry): void {
    this.#replacing(parent, name, entry, () => tree.trySymlink(parent, name, entry.target));
    const { uid, gid } = this.#ownerOf(entry) ?? {};
    if (uid !== undefined && gid !== undefined) tree.tryChown(parent, name, uid, gid);
  }

  #hardLink(parent: number, name: string, entry: TarEntry): void {
    const parts = cleanPath(entry.target, "the target of a hard link");
    const source = parts.pop();
    if (source === undefined) throw new BadArchive(`${show(entry.path)} is a link to a directory`);
    const path = parts.join("/");
    const from = path === "" ? this.#root : tree.tryOpenDirectoryBeneath(this.#root, path, true);
    if (from < 0) throw refusal(-from, entry.path);
    try {
      this.#replacing(parent, name, entry, () => tree.tryHardLink(from, source, parent, name));
    } finally {
      if (from !== this.#root) closeFd(from);
    }
  }

  /** An old file gives way, a directory does not. */
  #replacing(parent: number, name: string, entry: TarEntry, make: () => number): number {
    let made = make();
    if (made === -EEXIST) {
      const removed = tree.tryRemove(parent, name, false);
      if (removed < 0 && removed !== -ENOENT) throw refusal(-removed, entry.path);
      made = make();
    }
    if (made < 0) throw refusal(-made, entry.path);
    return made;
  }

  /** The owner first: a change of it takes away set-id bits. */
  #describe(fd: number, entry: Pick<TarEntry, "mode" | "uid" | "gid">): void {
    const owner = this.#ownerOf(entry);
    if (owner) fchownSync(fd, owner.uid, owner.gid);
    // On the host a program that a container marked must not run as its owner.
    const bits = this.#options.keepOwner ? 0o7777 : 0o777;
    fchmodSync(fd, entry.mode & bits);
  }

  /** Undefined for whoever runs this. */
  #ownerOf({ uid, gid }: Pick<TarEntry, "uid" | "gid">): { uid: number; gid: number } | undefined {
    const { firstId, root } = this.#place;
    if (this.#options.keepOwner) return { uid: firstId + uid, gid: firstId + gid };
    return root === "/" ? undefined : { uid: firstId, gid: firstId };
  }
}

function setTime(fd: number, timeNs: bigint): void {
  const seconds = Number(timeNs) / 1e9;
  futimesSync(fd, seconds, seconds);
}

function shown(path: string): string {
  return Buffer.from(path, "latin1").toString();
}

function refusal(errno: number, path: string): Error {
  const what = show(path);
  if (errno === ELOOP || errno === ENOTDIR) {
    return new BadArchive(`${what} would go through a link, or through what is no directory`);
  }
  if (errno === EISDIR || errno === ENOTEMPTY) {
    return new BadArchive(`${what} is a directory, and a file would take its place`);
  }
  return new WriteFailed(`cannot make ${what}: ${errnoName(errno)}`);
}
