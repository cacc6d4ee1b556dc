// The files of one log: `<base>`, and the rotated `<base>.1` (newest) to `<base>.<k>` (oldest). The
// writer rotates by renaming every file to the next number and opening a new `<base>`; it never
// writes to a renamed file again.

import { type FileHandle, open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";

export interface LogFile extends AsyncDisposable {
  readonly handle: FileHandle;
  /**
   * Device and inode: names change under a reader, this does not, and no other file gets it while
   * it is open.
   */
  readonly identity: string;
  readonly sizeBytes: number;
  readonly modifiedMs: number;
}

export interface OpenedFiles {
  /** Oldest first. */
  readonly files: LogFile[];
  /** False when the known file was rotated away: what followed it may have been, too. */
  readonly metKnown: boolean;
}

/** A rotation takes 10 MiB of new lines, and looking at all files a fraction of a millisecond. */
const attemptsMax = 100;

/**
 * Opens the files that are newer than `known`; all of them when `known` is undefined or rotated
 * away.
 *
 * They are opened from the newest to the oldest. One rotation meanwhile moves files to higher
 * numbers, that is ahead of us: one may be met twice, none is missed. A second one could bring
 * newer files ahead of us; then the newest file is another in the end than it was in the beginning,
 * and all is done again.
 */
export async function openLogFiles(
  directory: string,
  base: string,
  known?: LogFile,
): Promise<OpenedFiles> {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const opened: LogFile[] = [];
    try {
      const metKnown = await openNewestFirst(directory, base, known, opened);
      const newest = opened[0]?.identity ?? (metKnown ? known?.identity : undefined);
      if (newest === (await newestIdentity(directory, base))) {
        return { files: opened.splice(0).reverse(), metKnown };
      }
    } finally {
      await closeAll(opened);
    }
  }
  throw new Error(`the log ${join(directory, base)} is rotated faster than it can be opened`);
}

/** Fills `opened`; true when it got as far as `known`. */
async function openNewestFirst(
  directory: string,
  base: string,
  known: LogFile | undefined,
  opened: LogFile[],
): Promise<boolean> {
  for await (const name of namesNewestFirst(directory, base)) {
    const file = await openIfPresent(join(directory, name));
    if (file === undefined) continue;
    const isKnown = file.identity === known?.identity;
    if (isKnown || opened.some(({ identity }) => identity === file.identity)) {
      await file[Symbol.asyncDispose]();
    } else {
      opened.push(file);
    }
    if (isKnown) return true;
  }
  return false;
}

export async function closeAll(files: readonly LogFile[]): Promise<void> {
  for (const file of files) await file[Symbol.asyncDispose]();
}

/**
 * Whether the writer still appends to this file: it does as long as the file has the log's own
 * name.
 */
export async function isCurrent(directory: string, base: string, file: LogFile): Promise<boolean> {
  const current = await identityOf(directory, base);
  // In the middle of a rotation nobody has the name, and the next file does not exist yet.
  return current === undefined || current === file.identity;
}

async function identityOf(directory: string, base: string): Promise<string | undefined> {
  const found = await unlessMissing(stat(join(directory, base)));
  return found && `${found.dev}:${found.ino}`;
}

async function newestIdentity(directory: string, base: string): Promise<string | undefined> {
  for await (const name of namesNewestFirst(directory, base)) {
    const identity = await identityOf(directory, name);
    if (identity !== undefined) return identity;
  }
  return undefined;
}

/**
 * The rotated names are listed when the caller is done with the base: from then on at most one
 * rotation counts, and one name more than there are is enough for it. No free number ends the list,
 * because a rotation makes one for a moment.
 */
async function* namesNewestFirst(directory: string, base: string): AsyncGenerator<string> {
  yield base;
  const names = (await unlessMissing(readdir(directory))) ?? [];
  const numbers = names
    .filter((name) => name.startsWith(`${base}.`))
    .map((name) => name.slice(base.length + 1))
    .filter((suffix) => /^[1-9]\d{0,3}$/.test(suffix))
    .map(Number);
  const oldest = Math.max(0, ...numbers) + 1;
  for (let number = 1; number <= oldest; number++) yield `${base}.${number}`;
}

async function openIfPresent(path: string): Promise<LogFile | undefined> {
  const handle = await unlessMissing(open(path, "r"));
  if (handle === undefined) return undefined;
  const { dev, ino, size, mtimeMs } = await handle.stat();
  return {
    handle,
    identity: `${dev}:${ino}`,
    sizeBytes: size,
    modifiedMs: mtimeMs,
    [Symbol.asyncDispose]: () => handle.close(),
  };
}

async function unlessMissing<Value>(result: Promise<Value>): Promise<Value | undefined> {
  try {
    return await result;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
