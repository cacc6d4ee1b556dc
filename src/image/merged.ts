// Directories stacked as overlayfs stacks them, read without mounting anything: for what is
// compared rather than run. Trees may be a stranger's and change meanwhile, so every step is one
// name beneath a descriptor, and no link is followed. Names are bytes, one to a character (latin1).

import type { BigIntStats } from "node:fs";
import { lstatSync, readdirSync } from "node:fs";
import { closeFd } from "../native/syscalls.ts";
import * as tree from "../native/tree.ts";

/** One directory of a stack; closed by who opened the stack. */
export interface StackedDirectory {
  readonly fd: number;
  /** The same in two stacks means the same directory. */
  readonly identity: string;
  /** What its owners' ids are less inside; 0 without a user namespace. */
  readonly firstId: bigint;
}

export interface FoundEntry {
  readonly stat: BigIntStats;
  readonly parent: StackedDirectory;
  readonly name: string;
  /** The topmost first; empty for what is no directory. */
  readonly stack: readonly StackedDirectory[];
}

export class Stack implements Disposable {
  readonly directories: readonly StackedDirectory[];

  constructor(directories: readonly StackedDirectory[]) {
    this.directories = directories;
  }

  /** Of paths of the host, the topmost first. */
  static open(paths: readonly string[], firstId = 0n): Stack {
    const opened: StackedDirectory[] = [];
    try {
      for (const path of paths) opened.push(openTop(path, firstId));
      return new Stack(opened);
    } catch (error) {
      new Stack(opened)[Symbol.dispose]();
      throw error;
    }
  }

  [Symbol.dispose](): void {
    for (const { fd } of this.directories) closeFd(fd);
  }
}

function openTop(path: string, firstId: bigint): StackedDirectory {
  const fd = tree.openDirectory(path);
  const { dev, ino } = statOf(fd, ".");
  return { fd, identity: `${dev}:${ino}`, firstId };
}

/** By its parent's descriptor; the name itself is not followed. */
export function placeOf(parent: number, name: string): Buffer {
  return Buffer.from(`/proc/self/fd/${parent}/${name}`, "latin1");
}

function statOf(parent: number, name: string): BigIntStats {
  return lstatSync(placeOf(parent, name), { bigint: true });
}

export function namesIn(directory: StackedDirectory): string[] {
  return readdirSync(`/proc/self/fd/${directory.fd}`, "latin1");
}

/** What a name is in the merged directory; its stack is open and is the caller's to close. */
export function find(
  directories: readonly StackedDirectory[],
  name: string,
): (FoundEntry & Disposable) | undefined {
  const stack: StackedDirectory[] = [];
  let top: FoundEntry | undefined;
  for (const parent of directories) {
    const stat = tryStat(parent.fd, name);
    if (stat === undefined) continue;
    const isWhiteout = stat.isCharacterDevice() && stat.rdev === 0n;
    if (isWhiteout || (top && !stat.isDirectory())) break;
    top ??= { stat, parent, name, stack };
    if (!stat.isDirectory()) break;
    const fd = tree.tryOpenDirectoryBeneath(parent.fd, name);
    if (fd < 0) break; // It was replaced a moment ago.
    stack.push({ fd, identity: `${stat.dev}:${stat.ino}`, firstId: parent.firstId });
    if (tree.readXattr(fd, ".", "trusted.overlay.opaque")?.[0] === 0x79) break;
  }
  const opened = new Stack(stack);
  return top && { ...top, [Symbol.dispose]: () => opened[Symbol.dispose]() };
}

function tryStat(parent: number, name: string): BigIntStats | undefined {
  try {
    return lstatSync(placeOf(parent, name), { bigint: true, throwIfNoEntry: false });
  } catch {
    return undefined; // A name on the way is no directory any more.
  }
}
