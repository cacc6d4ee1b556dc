// What differs between two stacks of layers: an image and another, or a container and its image.
// Times do not count, content does. What both have below is never looked at.

import { closeSync, readlinkSync, readSync } from "node:fs";
import { O_NOFOLLOW, O_NONBLOCK, O_RDONLY, tryOpenStrictly } from "../native/syscalls.ts";
import type { FoundEntry, StackedDirectory } from "./merged.ts";
import { find, namesIn, placeOf } from "./merged.ts";
import type { FileChange } from "./types.ts";

const depthMax = 256;
const chunkBytes = 256 << 10;

export interface DiffOptions {
  /** Names that are somebody else's inside a container: mounts, and what was made for them. */
  readonly excluded?: ReadonlySet<string>;
}

export function* diffStacks(
  before: readonly StackedDirectory[],
  after: readonly StackedDirectory[],
  { excluded = new Set() }: DiffOptions = {},
): Generator<FileChange> {
  const isOnTheWay = (path: string) => [...excluded].some((name) => name.startsWith(`${path}/`));
  const walk = function* (
    old: readonly StackedDirectory[],
    own: readonly StackedDirectory[],
    path: string,
    depth: number,
  ): Generator<FileChange> {
    for (const name of namesThatMayDiffer(old, own)) {
      const inner = `${path}/${name}`;
      if (excluded.has(inner)) continue;
      using was = find(old, name);
      using is = find(own, name);
      const change = compare(was, is);
      const told = tell(change, inner, is ?? was);
      const isMade = change === "added" && isOnTheWay(inner);
      // A directory that was only made on the way to a mount is no change.
      if (told && !isMade) yield told;
      if (is === undefined || is.stack.length === 0 || depth === depthMax) continue;
      let isTold = !isMade;
      for (const deeper of walk(was?.stack ?? [], is.stack, inner, depth + 1)) {
        if (!isTold && told) yield told;
        isTold = true;
        yield deeper;
      }
    }
  };
  yield* walk(before, after, "", 0);
}

/** Directories that both stacks end in hold nothing that differs by itself. */
function namesThatMayDiffer(
  old: readonly StackedDirectory[],
  own: readonly StackedDirectory[],
): string[] {
  let shared = 0;
  const at = (stack: readonly StackedDirectory[]) => stack.at(-1 - shared)?.identity;
  while (at(old) !== undefined && at(old) === at(own)) shared += 1;
  const others = [...old.slice(0, old.length - shared), ...own.slice(0, own.length - shared)];
  return [...new Set(others.flatMap((directory) => namesIn(directory)))].toSorted();
}

function compare(
  was: FoundEntry | undefined,
  is: FoundEntry | undefined,
): FileChange["change"] | undefined {
  if (was === undefined) return is === undefined ? undefined : "added";
  if (is === undefined) return "deleted";
  const [a, b] = [was.stat, is.stat];
  if (a.dev === b.dev && a.ino === b.ino) return undefined;
  const isSameKind = a.mode === b.mode && idsOf(was) === idsOf(is) && a.rdev === b.rdev;
  return isSameKind && hasSameContent(was, is) ? undefined : "changed";
}

function idsOf({ stat, parent }: FoundEntry): string {
  return `${stat.uid - parent.firstId}:${stat.gid - parent.firstId}`;
}

function hasSameContent(was: FoundEntry, is: FoundEntry): boolean {
  if (is.stat.isSymbolicLink()) return linkOf(was) === linkOf(is);
  if (!is.stat.isFile()) return true;
  if (was.stat.size !== is.stat.size) return false;
  const [a, b] = [open(was), open(is)];
  try {
    return a >= 0 && b >= 0 && isSame(a, b);
  } finally {
    for (const fd of [a, b]) if (fd >= 0) closeSync(fd);
  }
}

function linkOf({ parent, name }: FoundEntry): string {
  return readlinkSync(placeOf(parent.fd, name), "latin1");
}

function open({ parent, name }: FoundEntry): number {
  const path = Buffer.from(name, "latin1").toString("utf8");
  return tryOpenStrictly(parent.fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
}

function isSame(a: number, b: number): boolean {
  const [left, right] = [Buffer.alloc(chunkBytes), Buffer.alloc(chunkBytes)];
  for (;;) {
    const bytes = readSync(a, left);
    // A short read of one and not of the other: the file is being written to.
    if (readSync(b, right) !== bytes) return false;
    if (bytes === 0) return true;
    if (left.compare(right, 0, bytes, 0, bytes) !== 0) return false;
  }
}

function tell(
  change: FileChange["change"] | undefined,
  path: string,
  entry: FoundEntry | undefined,
): FileChange | undefined {
  if (change === undefined || entry === undefined) return undefined;
  const { stat } = entry;
  const type = stat.isDirectory()
    ? "directory"
    : stat.isFile()
      ? "file"
      : stat.isSymbolicLink()
        ? "link"
        : "special";
  const text = Buffer.from(path, "latin1").toString("utf8");
  return { change, path: text, type, bytes: stat.isFile() ? Number(stat.size) : 0 };
}
