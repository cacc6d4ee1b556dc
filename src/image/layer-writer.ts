// Turns the entries of a layer into files that overlayfs can stack: whiteouts become its devices,
// opaque directories its attribute. Everything happens beneath one directory that nobody else sees
// yet, and what would leave it, or cannot be honest, is refused.

import { closeSync, ftruncateSync, lstatSync, writeSync } from "node:fs";
import { errnoName } from "../native/errno.ts";
import { closeFd } from "../native/syscalls.ts";
import * as tree from "../native/tree.ts";
import type { TarEntry } from "./tar-header.ts";
import { BadArchive, show } from "./tar-header.ts";
import type { TarSink } from "./tar-reader.ts";

const pathBytesMax = 4095;
const nameBytesMax = 255;
/** Removing a tree costs the square of its depth; no image comes near this. */
const depthMax = 256;
const entriesMax = 2_000_000;
/** Directories whose times are set at the end are remembered; this bounds what that takes. */
const rememberedBytesMax = 64 << 20;
/** Larger than any file of an image, smaller than what ext4 refuses. */
const fileBytesMax = 2 ** 40;

const S_IFIFO = 0o010000;
const S_IFCHR = 0o020000;
const S_IFBLK = 0o060000;
const [ENOENT, EEXIST, EXDEV, ENOTDIR, ENOTEMPTY, ELOOP] = [2, 17, 18, 20, 39, 40];
const [EPERM, EOPNOTSUPP] = [1, 95];

const whiteoutPrefix = ".wh.";
const opaqueName = ".wh..wh..opq";
const opaqueAttribute = "trusted.overlay.opaque";
const yes = Uint8Array.of(0x79);

export class LayerWriter implements TarSink {
  readonly #root: number;
  #entries = 0;
  /** The directory of the last entry: the next one is mostly in the same. */
  #parentPath: string | undefined;
  #parent = -1;
  #file = -1;
  #current:
    { readonly entry: TarEntry; readonly parent: number; readonly name: string } | undefined;
  readonly #times = new Map<string, bigint>();
  #remembered = 0;
  /** Directories that the layer uses without describing them. */
  readonly implicit = new Set<string>();

  /** `root` is an open directory; it stays the caller's. */
  constructor(root: number) {
    this.#root = root;
  }

  entry(entry: TarEntry): void {
    this.#entries += 1;
    if (this.#entries > entriesMax) throw new BadArchive(`it has more than ${entriesMax} entries`);
    const parts = cleanPath(entry.path, "a path");
    const name = parts.pop();
    if (name === undefined) {
      if (entry.type !== "directory") throw new BadArchive("its root is not a directory");
      this.#describe(this.#root, ".", entry);
      this.#remember("", entry.timeNs);
      return;
    }
    const parentPath = parts.join("/");
    const parent = this.#openParent(parentPath, entry.path);
    if (name.startsWith(whiteoutPrefix)) return this.#whiteout(parent, name, entry.path);
    const path = parentPath === "" ? name : `${parentPath}/${name}`;
    this.#create(parent, name, path, entry);
    if (entry.type !== "hardlink") this.#current = { entry, parent, name };
  }

  data(bytes: Uint8Array, position: number): void {
    if (this.#file < 0) return; // Of a whiteout: its name is all there is to it.
    for (let done = 0; done < bytes.length;) {
      done += writeSync(this.#file, bytes, done, bytes.length - done, position + done);
    }
  }

  end(): void {
    const current = this.#current;
    this.#current = undefined;
    if (this.#file >= 0) {
      const isSparse = current?.entry.pieces !== undefined;
      if (isSparse) ftruncateSync(this.#file, current?.entry.size);
      closeSync(this.#file);
      this.#file = -1;
    }
    if (current === undefined) return;
    const { entry, parent, name } = current;
    this.#describe(parent, name, entry);
    if (entry.type !== "directory") {
      this.#must(tree.trySetTime(parent, name, entry.timeNs), "set the time of", entry.path);
    }
  }

  /** After the last entry: until now every new file changed the times of its directory. */
  finish(): void {
    this.#closeParent();
    for (const [path, timeNs] of this.#times) {
      const directory = path === "" ? this.#root : this.#openDirectory(path, path);
      try {
        this.#must(tree.trySetTime(directory, ".", timeNs), "set the time of", path);
      } finally {
        if (path !== "") closeFd(directory);
      }
    }
  }

  /** Whatever is open; the caller removes what was made. */
  [Symbol.dispose](): void {
    this.#closeParent();
    if (this.#file >= 0) closeSync(this.#file);
    this.#file = -1;
  }

  #closeParent(): void {
    if (this.#parent !== this.#root) closeFd(this.#parent);
    this.#parent = -1;
    this.#parentPath = undefined;
  }

  #openParent(path: string, subject: string): number {
    if (path === this.#parentPath) return this.#parent;
    this.#closeParent();
    let parent = path === "" ? this.#root : tree.tryOpenDirectoryBeneath(this.#root, path);
    if (parent === -ENOENT) parent = this.#makeParents(path, subject);
    if (parent < 0) throw this.#refuse(-parent, path, subject);
    this.#parent = parent;
    this.#parentPath = path;
    return parent;
  }

  #makeParents(path: string, subject: string): number {
    let at = "";
    for (const part of path.split("/")) {
      const parent = at === "" ? this.#root : this.#openDirectory(at, subject);
      at = at === "" ? part : `${at}/${part}`;
      const made = tree.tryMakeDirectory(parent, part);
      if (made >= 0) {
        this.#must(tree.tryChmod(parent, part, 0o755), "set the mode of", at);
        this.implicit.add(at);
      }
      if (parent !== this.#root) closeFd(parent);
      if (made < 0 && made !== -EEXIST) throw this.#refuse(-made, at, subject);
    }
    return this.#openDirectory(path, subject);
  }

  #openDirectory(path: string, subject: string): number {
    const directory = tree.tryOpenDirectoryBeneath(this.#root, path);
    if (directory < 0) throw this.#refuse(-directory, path, subject);
    return directory;
  }

  #create(parent: number, name: string, path: string, entry: TarEntry): void {
    if (entry.type === "directory") return this.#makeDirectory(parent, name, path, entry);
    let result = this.#tryCreate(parent, name, entry);
    if (result === -EEXIST) {
      this.#removeOld(parent, name, path);
      result = this.#tryCreate(parent, name, entry);
    }
    if (result < 0) throw this.#refuse(-result, path, entry.path);
    if (entry.type === "file") this.#file = result;
  }

  /** A descriptor for files, otherwise 0; or a negative errno. */
  #tryCreate(parent: number, name: string, entry: TarEntry): number {
    const { type, target, major, minor } = entry;
    switch (type) {
      case "file":
        if (entry.size > fileBytesMax) {
          throw new BadArchive(`${show(entry.path)} says that it has ${entry.size} bytes`);
        }
        return tree.tryCreateFile(parent, name);
      case "symlink":
        if (target === "" || target.length > pathBytesMax || target.includes("\0")) {
          throw new BadArchive(`${show(entry.path)} is a link to no possible name`);
        }
        return tree.trySymlink(parent, name, target);
      case "hardlink":
        return this.#hardLink(parent, name, entry);
      case "fifo":
        return tree.tryMakeNode(parent, name, S_IFIFO | 0o600, 0, 0);
      case "character":
      case "block":
        if (type === "character" && major === 0 && minor === 0) {
          throw new BadArchive(`${show(entry.path)} is a device 0:0, overlayfs's own mark`);
        }
        if (major > 0xfff || minor > 0xfffff) {
          throw new BadArchive(`${show(entry.path)} is a device ${major}:${minor}`);
        }
        return tree.tryMakeNode(
          parent,
          name,
          (type === "block" ? S_IFBLK : S_IFCHR) | 0o600,
          major,
          minor,
        );
      case "directory":
        throw new Error("directories are made elsewhere");
      default:
        return type satisfies never;
    }
  }

  #makeDirectory(parent: number, name: string, path: string, entry: TarEntry): void {
    let made = tree.tryMakeDirectory(parent, name);
    if (made === -EEXIST) {
      const old = kindOf(parent, name);
      if (old !== "directory") {
        made = this.#remove(parent, name) ?? tree.tryMakeDirectory(parent, name);
        // What was below a whiteout of this name must not shine through.
        if (made >= 0 && old === "whiteout") this.#markOpaque(parent, name, path);
      } else {
        made = 0;
      }
    }
    if (made < 0) throw this.#refuse(-made, path, entry.path);
    this.implicit.delete(path);
    this.#remember(path, entry.timeNs);
  }

  #hardLink(parent: number, name: string, entry: TarEntry): number {
    const parts = cleanPath(entry.target, "the target of a hard link");
    const source = parts.pop();
    const at = `${show(entry.path)} is a hard link to ${show(entry.target)}`;
    if (source === undefined) throw new BadArchive(`${at}, a directory`);
    const path = parts.join("/");
    const directory = path === "" ? this.#root : tree.tryOpenDirectoryBeneath(this.#root, path);
    try {
      const linked = directory < 0 ? directory : tree.tryHardLink(directory, source, parent, name);
      if (linked === -ENOENT) throw new BadArchive(`${at}, which the layer does not hold`);
      if (linked === -EPERM) throw new BadArchive(`${at}, which cannot be linked`);
      return linked;
    } finally {
      if (directory !== this.#root) closeFd(directory);
    }
  }

  #removeOld(parent: number, name: string, path: string): void {
    const removed = this.#remove(parent, name);
    if (removed !== undefined) throw this.#refuse(-removed, path, path);
  }

  /** Undefined when it is gone; else a negative errno. */
  #remove(parent: number, name: string): number | undefined {
    const removed = tree.tryRemove(parent, name, kindOf(parent, name) === "directory");
    if (removed === -ENOTEMPTY) {
      throw new BadArchive(`${show(name)} takes the place of a directory that is not empty`);
    }
    return removed < 0 ? removed : undefined;
  }

  #whiteout(parent: number, name: string, subject: string): void {
    if (name === opaqueName) return this.#markOpaque(parent, ".", subject);
    // Of aufs; they mean nothing elsewhere.
    if (name.startsWith(".wh..wh.")) return;
    const hidden = name.slice(whiteoutPrefix.length);
    if (["", ".", ".."].includes(hidden)) throw new BadArchive(`${show(subject)} hides no name`);
    const made = tree.tryMakeNode(parent, hidden, S_IFCHR, 0, 0);
    if (made === -EEXIST) {
      // The layer's own file of that name stands, whatever the order; a directory stands alone.
      if (kindOf(parent, hidden) === "directory") this.#markOpaque(parent, hidden, subject);
    } else if (made < 0) {
      throw this.#refuse(-made, hidden, subject);
    }
  }

  #markOpaque(parent: number, name: string, subject: string): void {
    this.#must(tree.trySetXattr(parent, name, opaqueAttribute, yes), "mark as opaque", subject);
  }

  /** The owner first: a change of it takes away set-id bits and capabilities. */
  #describe(parent: number, name: string, entry: TarEntry): void {
    const { uid, gid, mode, path, type } = entry;
    if (uid > 0xfffffffe || gid > 0xfffffffe) {
      throw new BadArchive(`${show(path)} belongs to ${uid}:${gid}, which nobody can be`);
    }
    this.#must(tree.tryChown(parent, name, uid, gid), "give to its owner", path);
    for (const [attribute, value] of entry.xattrs)
      this.#setXattr(parent, name, attribute, value, entry);
    if (type !== "symlink") this.#must(tree.tryChmod(parent, name, mode), "set the mode of", path);
  }

  #setXattr(
    parent: number,
    name: string,
    attribute: string,
    value: string,
    { path, type }: TarEntry,
  ): void {
    // A label of the machine that built the image means nothing on this one.
    if (attribute === "security.selinux") return;
    if (attribute.startsWith("trusted.overlay.") || attribute.length > nameBytesMax) {
      throw new BadArchive(`${show(path)} has the attribute ${show(attribute)}`);
    }
    if (value.length > 64 << 10) {
      throw new BadArchive(`${show(path)} has an attribute of ${value.length} bytes`);
    }
    const set = tree.trySetXattr(parent, name, attribute, Buffer.from(value, "latin1"));
    if (set === -EOPNOTSUPP) return;
    // Links, devices and FIFOs cannot have those of users.
    if (set === -EPERM && type !== "file" && attribute.startsWith("user.")) return;
    this.#must(set, `set the attribute ${show(attribute)} of`, path);
  }

  #remember(path: string, timeNs: bigint): void {
    if (!this.#times.has(path)) this.#remembered += path.length + 64;
    if (this.#remembered > rememberedBytesMax) throw new BadArchive("it has too many directories");
    this.#times.set(path, timeNs);
  }

  #must(result: number, deed: string, path: string): void {
    if (result >= 0) return;
    throw new WriteFailed(`cannot ${deed} ${show(path)}: ${errnoName(-result)}`);
  }

  #refuse(errno: number, path: string, subject: string): Error {
    const isSame = subject.replace(/^\.\//, "").replace(/\/$/, "") === path;
    const at = isSame ? show(subject) : `${show(subject)}: ${show(path)}`;
    if (errno === ELOOP || errno === ENOTDIR) {
      return new BadArchive(`${at} leads through a link, or through what is no directory`);
    }
    if (errno === EXDEV) return new BadArchive(`${at} leads out of the layer`);
    return new WriteFailed(`cannot make ${at}: ${errnoName(errno)}`);
  }
}

/** The file system's fault, or ours: not the layer's. */
export class WriteFailed extends Error {
  constructor(message: string) {
    super(message);
    this.name = "WriteFailed";
  }
}

/** Its names, none of them `..`. */
export function cleanPath(path: string, what: string): string[] {
  if (path.startsWith("/")) throw new BadArchive(`${what} is absolute: ${show(path)}`);
  if (path.length > pathBytesMax)
    throw new BadArchive(`${what} is longer than ${pathBytesMax} bytes`);
  if (path.includes("\0")) throw new BadArchive(`${what} has a zero byte: ${show(path)}`);
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) throw new BadArchive(`${what} goes up: ${show(path)}`);
  if (parts.length > depthMax) {
    throw new BadArchive(`${what} is deeper than ${depthMax} directories: ${show(path)}`);
  }
  if (parts.some((part) => part.length > nameBytesMax)) {
    throw new BadArchive(`${what} has a name longer than ${nameBytesMax} bytes: ${show(path)}`);
  }
  return parts;
}

function kindOf(parent: number, name: string): "directory" | "whiteout" | "other" | "none" {
  const path = Buffer.from(`/proc/self/fd/${parent}/${name}`, "latin1");
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return "none";
  if (stat.isDirectory()) return "directory";
  return stat.isCharacterDevice() && stat.rdev === 0 ? "whiteout" : "other";
}
