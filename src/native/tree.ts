// Making files beneath a directory that strangers' bytes describe. Parents are found by openat2,
// which follows no link and leaves neither the directory nor its mount; what is made is one name
// in a parent that is a descriptor. Names are bytes, one to a character (latin1): a file system
// does not care for UTF-8.

import { alloc } from "./memory.ts";
import {
  AT_FDCWD,
  O_CLOEXEC,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_PATH,
  O_WRONLY,
  syscall,
  SyscallError,
  trySyscall,
} from "./syscalls.ts";

/** PATH_MAX with its NUL; longer paths are refused before they come here. */
const pathBytesMax = 4096;
const symlinkNoFollow = 0x100;
const removeDirectory = 0x200;
const [resolveNoXdev, resolveNoMagicLinks, resolveNoSymlinks, resolveBeneath] = [1n, 2n, 4n, 8n];

// One call at a time: nothing here waits, so two buffers are enough for all.
const firstName = alloc(pathBytesMax + 1);
const secondName = alloc(pathBytesMax + 64);
const how = alloc(24);
const howView = new DataView(how.buffer);
const times = alloc(32);
const timesView = new DataView(times.buffer);

function put(buffer: Uint8Array<ArrayBuffer>, text: string): Uint8Array<ArrayBuffer> {
  if (text.length >= buffer.length) throw new SyscallError("openat2", 36); // ENAMETOOLONG
  const end = Buffer.from(buffer.buffer).write(text, "latin1");
  buffer[end] = 0;
  return buffer;
}

/** A negative errno where `path` leads nowhere, or over a link or, unless allowed, a mount. */
export function tryOpenDirectoryBeneath(root: number, path: string, crossesMounts = false): number {
  return tryOpen(root, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, crossesMounts);
}

/** The same, for its names to be read. */
export function tryOpenNames(root: number, path: string): number {
  return tryOpen(root, path, O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, false);
}

function tryOpen(root: number, path: string, flags: number, crossesMounts: boolean): number {
  howView.setBigUint64(0, BigInt(flags), true);
  howView.setBigUint64(8, 0n, true);
  const beneath = resolveNoMagicLinks | resolveNoSymlinks | resolveBeneath;
  const resolve = crossesMounts ? beneath : beneath | resolveNoXdev;
  howView.setBigUint64(16, resolve, true);
  return trySyscall("openat2", root, put(firstName, path), how, how.length);
}

/** What a name of `parent` is at this moment, itself and not what it may point to. */
export function tryOpenName(parent: number, name: string, flags: number): number {
  return trySyscall("openat", parent, put(firstName, name), flags | O_NOFOLLOW | O_CLOEXEC, 0);
}

/** The new file's descriptor, or a negative errno; an existing name is never opened. */
export function tryCreateFile(parent: number, name: string): number {
  const flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  return trySyscall("openat", parent, put(firstName, name), flags, 0o600);
}

export function tryMakeDirectory(parent: number, name: string): number {
  return trySyscall("mkdirat", parent, put(firstName, name), 0o700);
}

export function trySymlink(parent: number, name: string, target: string): number {
  return trySyscall("symlinkat", put(secondName, target), parent, put(firstName, name));
}

/** `mode` has the type (S_IFCHR and so on). */
export function tryMakeNode(
  parent: number,
  name: string,
  mode: number,
  major: number,
  minor: number,
): number {
  // include/linux/kdev_t.h, new_encode_dev: twelve bits of major, twenty of minor.
  const device = (minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12);
  return trySyscall("mknodat", parent, put(firstName, name), mode, device >>> 0);
}

/** Links stay links: the source itself is linked, never what it points to. */
export function tryHardLink(
  sourceParent: number,
  source: string,
  parent: number,
  name: string,
): number {
  const [from, to] = [put(secondName, source), put(firstName, name)];
  return trySyscall("linkat", sourceParent, from, parent, to, 0);
}

export function tryRemove(parent: number, name: string, isDirectory: boolean): number {
  return trySyscall("unlinkat", parent, put(firstName, name), isDirectory ? removeDirectory : 0);
}

export function tryChown(parent: number, name: string, uid: number, gid: number): number {
  return trySyscall("fchownat", parent, put(firstName, name), uid, gid, symlinkNoFollow);
}

/** Follows links, so it is only for names that were just made as something else. */
export function tryChmod(parent: number, name: string, mode: number): number {
  return trySyscall("fchmodat", parent, put(firstName, name), mode);
}

/** Nanoseconds since the epoch, for both the access and the change of the content. */
export function trySetTime(parent: number, name: string, timeNs: bigint): number {
  const billion = 1_000_000_000n;
  let seconds = timeNs / billion;
  let rest = timeNs % billion;
  if (rest < 0n) [seconds, rest] = [seconds - 1n, rest + billion];
  for (const at of [0, 16]) {
    timesView.setBigInt64(at, seconds, true);
    timesView.setBigInt64(at + 8, rest, true);
  }
  return trySyscall("utimensat", parent, put(firstName, name), times, symlinkNoFollow);
}

/** The parent by its descriptor's name in /proc, the file itself without following it. */
function nameInProc(parent: number, name: string): Uint8Array<ArrayBuffer> {
  return put(secondName, `/proc/self/fd/${parent}/${name}`);
}

export function trySetXattr(
  parent: number,
  name: string,
  attribute: string,
  value: Uint8Array,
): number {
  const bytes = alloc(Math.max(value.length, 1));
  bytes.set(value);
  const path = nameInProc(parent, name);
  return trySyscall("lsetxattr", path, put(firstName, attribute), bytes, value.length, 0);
}

const xattrBytesMax = 64 << 10;

/** Name → value, of a file and not of what it may point to. */
export function readXattrs(parent: number, name: string): Map<string, Uint8Array> {
  const list = alloc(xattrBytesMax);
  const length = trySyscall("llistxattr", nameInProc(parent, name), list, list.length);
  const found = new Map<string, Uint8Array>();
  if (length <= 0) return found;
  const names = Buffer.from(list.subarray(0, length)).toString("latin1").split("\0").slice(0, -1);
  for (const attribute of names) {
    const value = readXattr(parent, name, attribute);
    if (value !== undefined) found.set(attribute, value);
  }
  return found;
}

export function readXattr(parent: number, name: string, attribute: string): Uint8Array | undefined {
  const value = alloc(xattrBytesMax);
  const [path, key] = [nameInProc(parent, name), put(firstName, attribute)];
  const length = trySyscall("lgetxattr", path, key, value, value.length);
  return length < 0 ? undefined : value.slice(0, length);
}

const entries = alloc(32 << 10);
const entriesView = new DataView(entries.buffer);

/** The next names of an open directory, however many it has; none at its end. */
export function readNames(fd: number): string[] {
  const end = syscall("getdents64", fd, entries, entries.length);
  const found: string[] = [];
  // man 2 getdents: inode and offset of 8 bytes, the length of the record, a type, the name.
  for (let at = 0; at < end; at += entriesView.getUint16(at + 16, true)) {
    const nul = entries.indexOf(0, at + 19);
    const name = Buffer.from(entries.buffer, at + 19, nul - at - 19).toString("latin1");
    if (name !== "." && name !== "..") found.push(name);
  }
  return found.length === 0 && end > 0 ? readNames(fd) : found;
}

/** A directory for names to be made in. Its own path is the host's: text, in UTF-8. */
export function openDirectory(path: string): number {
  const bytes = Buffer.from(path).toString("latin1");
  return syscall("openat", AT_FDCWD, put(firstName, bytes), O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
}
