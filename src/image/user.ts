// Who an image wants to run as, by its own /etc/passwd and /etc/group. Both are a stranger's: they
// are read beneath the layers, only where they are plain files, and only so much of them.

import { fstatSync, readlinkSync, readSync } from "node:fs";
import { dirname, join } from "node:path/posix";
import { PodError } from "../errors/pod-error.ts";
import { errnoName } from "../native/errno.ts";
import {
  closeFd,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_PATH,
  O_RDONLY,
  tryOpenStrictly,
} from "../native/syscalls.ts";
import * as tree from "../native/tree.ts";

export interface ImageUser {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  readonly home: string;
}

/** The largest of any distribution has a few hundred lines. */
const fileBytesMax = 1 << 20;
const linksMax = 8;
const groupsMax = 1024;
const idMax = 2 ** 32 - 2;

interface Entry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

/** `user`, `uid`, `user:group` and their mixtures; empty means root. `layers` topmost first. */
export function resolveUser(text: string, layers: readonly string[], subject: string): ImageUser {
  const [user = "", group = ""] = text.split(":");
  const wanted = user === "" ? "0" : user;
  const entry = findUser(wanted, readLines(layers, "etc/passwd", subject));
  const uid = entry?.uid ?? idOf(wanted);
  if (uid === undefined) throw unknown(subject, `user ${JSON.stringify(wanted)}`, "etc/passwd");
  const lines = readLines(layers, "etc/group", subject);
  const gid = group === "" ? (entry?.gid ?? 0) : findGroup(group, lines);
  if (gid === undefined) throw unknown(subject, `group ${JSON.stringify(group)}`, "etc/group");
  // The primary group is one of them, or a file that denies it its access would let it in.
  const others = entry === undefined ? [] : groupsOf(entry.name, lines);
  const groups = [...new Set([gid, ...others])].slice(0, groupsMax);
  return { uid, gid, groups, home: entry?.home || "/" };
}

/** What is written as a number is an id, also where a line names a user so (CVE-2016-3697). */
function findUser(wanted: string, lines: readonly string[]): Entry | undefined {
  const id = idOf(wanted);
  for (const line of lines) {
    const [name = "", , uidText = "", gidText = "", , home = ""] = line.split(":");
    const [uid, gid] = [idOf(uidText), idOf(gidText)];
    if (uid === undefined || gid === undefined) continue;
    if (id === undefined ? name === wanted : uid === id) return { name, uid, gid, home };
  }
  return undefined;
}

function findGroup(wanted: string, lines: readonly string[]): number | undefined {
  const id = idOf(wanted);
  if (id !== undefined) return id;
  for (const line of lines) {
    const [name, , gid = ""] = line.split(":");
    if (name === wanted) return idOf(gid);
  }
  return undefined;
}

function groupsOf(name: string, lines: readonly string[]): number[] {
  return lines.flatMap((line) => {
    const [, , gidText = "", members = ""] = line.split(":");
    const gid = idOf(gidText);
    return gid !== undefined && members.split(",").includes(name) ? [gid] : [];
  });
}

function idOf(text: string): number | undefined {
  return /^\d{1,10}$/.test(text) && Number(text) <= idMax ? Number(text) : undefined;
}

function unknown(subject: string, who: string, file: string): PodError {
  return new PodError({
    code: "image.user-unknown",
    message: `the image ${subject} wants to run as ${who}, which its /${file} does not have`,
  });
}

function unreadable(subject: string, file: string, why: string): PodError {
  return new PodError({
    code: "image.user-unknown",
    message: `/${file} of the image ${subject} cannot be used: ${why}`,
  });
}

/** No lines where there is no such file. */
function readLines(layers: readonly string[], file: string, subject: string): string[] {
  let path = file;
  for (let link = 0; link <= linksMax; link += 1) {
    const found = lookUp(layers, path, subject, file);
    if (found === undefined) return [];
    if ("text" in found) return found.text.split("\n");
    path = join("/", dirname(path), found.target).slice(1);
    if (found.target.startsWith("/")) path = join("/", found.target).slice(1);
  }
  throw unreadable(subject, file, "its links do not end");
}

type Found = { readonly text: string } | { readonly target: string };

/** In the topmost layer that has the name, unless one above hides it. */
function lookUp(
  layers: readonly string[],
  path: string,
  subject: string,
  file: string,
): Found | undefined {
  const [ENOENT, ENOTDIR] = [2, 20];
  for (const layer of layers) {
    const root = tree.openDirectory(layer);
    try {
      const fd = tryOpenStrictly(root, path, O_PATH | O_NOFOLLOW);
      if (fd >= 0) return readFound(root, fd, path, subject, file);
      if (fd === -ENOTDIR) return undefined;
      if (fd !== -ENOENT) throw unreadable(subject, file, errnoName(-fd));
      if (isOpaque(root, dirname(path))) return undefined;
    } finally {
      closeFd(root);
    }
  }
  return undefined;
}

function isOpaque(root: number, directory: string): boolean {
  for (let at = directory; at !== "." && at !== "/"; at = dirname(at)) {
    const fd = tree.tryOpenDirectoryBeneath(root, at);
    if (fd < 0) continue;
    const mark = tree.readXattr(fd, ".", "trusted.overlay.opaque");
    closeFd(fd);
    if (mark?.[0] === 0x79) return true;
  }
  return false;
}

function readFound(
  root: number,
  handle: number,
  path: string,
  subject: string,
  file: string,
): Found | undefined {
  try {
    const stat = fstatSync(handle);
    if (stat.isCharacterDevice() && stat.rdev === 0) return undefined;
    if (stat.isSymbolicLink()) return { target: readLink(root, path) };
    if (!stat.isFile()) throw unreadable(subject, file, "it is not a plain file");
    if (stat.size > fileBytesMax) {
      throw unreadable(subject, file, `it has ${stat.size} bytes, and ${fileBytesMax} is the most`);
    }
  } finally {
    closeFd(handle);
  }
  const fd = tryOpenStrictly(root, path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
  if (fd < 0) throw unreadable(subject, file, errnoName(-fd));
  try {
    const buffer = Buffer.alloc(fileBytesMax);
    let end = 0;
    for (let read = -1; read !== 0; end += read)
      read = readSync(fd, buffer, end, buffer.length - end, null);
    return { text: buffer.toString("utf8", 0, end) };
  } finally {
    closeFd(fd);
  }
}

/** The name itself was just found by a walk that follows no link. */
function readLink(root: number, path: string): string {
  return readlinkSync(`/proc/self/fd/${root}/${path}`);
}
