// Reading the logs of one container instance, rotated files included, once or for as long as they
// grow. This folder only reads; the keeper writes.

import type { LineJoiner, LogEntry } from "./line-joiner.ts";
import { createLineJoiner } from "./line-joiner.ts";
import type { LineReader } from "./line-reader.ts";
import { createLineReader } from "./line-reader.ts";
import type { LogFile } from "./log-files.ts";
import { closeAll, isCurrent, openLogFiles } from "./log-files.ts";
import type { Position } from "./log-tail.ts";
import { findTail } from "./log-tail.ts";
import { createWakeup, type Wakeup } from "./wakeup.ts";

export interface ReadLogsOptions {
  readonly directory: string;
  /** Name of the file that is written to: `0.log`. It need not exist. */
  readonly base: string;
  /** Go on until the writer has ended; default false: what is there now. */
  readonly follow?: boolean;
  /** Resolves when the writer will write no more; a follower without it ends only by the signal. */
  readonly ended?: Promise<unknown>;
  /** Only the last lines; default all. */
  readonly tailLines?: number;
  /** Only lines from this time on, in milliseconds since 1970; default all. */
  readonly sinceMs?: number;
  /** Rejects the iteration with its reason. */
  readonly signal?: AbortSignal;
}

/**
 * A line without an end is shown to a follower when nothing came for this long: it may be a prompt.
 */
const promptMs = 100;
/** A file's modification time comes from a coarser clock than the times of its lines. */
const clockSlackMs = 1000;

/** In the order of the lines' ends. Slow readers slow nothing but themselves. */
export async function* readLogs(options: ReadLogsOptions): AsyncGenerator<LogEntry, void, void> {
  const { follow = false, tailLines, signal } = options;
  signal?.throwIfAborted();
  if (tailLines === 0 && !follow) return;
  using wakeup = follow ? createWakeup(options.directory) : undefined;
  const onAbort = (): void => wakeup?.wake();
  signal?.addEventListener("abort", onAbort);
  const isRecent = createSinceFilter(options.sinceMs);
  try {
    for await (const entries of readBatches(options, wakeup)) {
      for (const entry of entries) {
        if (!isRecent(entry)) continue;
        yield entry;
        signal?.throwIfAborted();
      }
      signal?.throwIfAborted();
    }
  } finally {
    signal?.removeEventListener("abort", onAbort);
  }
}

/** Batches of a block each: an asynchronous step for every line would cost more than reading it. */
async function* readBatches(
  options: ReadLogsOptions,
  wakeup: Wakeup | undefined,
): AsyncGenerator<LogEntry[], void, void> {
  const { directory, base } = options;
  const writer = observe(options.ended, wakeup);
  const joiner = createLineJoiner();
  const queue = (await openLogFiles(directory, base)).files;
  let reader: LineReader | undefined;
  try {
    reader = await startReading(queue, options, joiner);
    for (;;) {
      // Asked before the last look at the files, which then sees all that was written.
      const isLastLook = wakeup === undefined || writer.hasEnded;
      if (reader !== undefined) yield* drain(reader, joiner);
      if (wakeup !== undefined && queue.length === 0) {
        if (
          isLastLook ||
          reader === undefined ||
          !(await isCurrent(directory, base, reader.file))
        ) {
          const { files, metKnown } = await openLogFiles(directory, base, reader?.file);
          queue.push(...files);
          if (reader !== undefined && !metKnown && files.length > 0) yield [{ kind: "gap" }];
        }
      }
      if (queue.length > 0) {
        if (reader !== undefined) yield* finish(reader, joiner);
        await reader?.file[Symbol.asyncDispose]();
        reader = nextReader(queue, options);
        continue;
      }
      if (wakeup === undefined || isLastLook) break;
      const hasChanged = await wakeup.wait(joiner.hasPending ? { timeoutMs: promptMs } : {});
      options.signal?.throwIfAborted();
      if (!hasChanged) yield joiner.flush();
    }
    if (reader !== undefined) yield reader.rest().flatMap(joiner.push);
    yield joiner.flush();
  } finally {
    await reader?.file[Symbol.asyncDispose]();
    await closeAll(queue);
  }
}

/** Takes the files before the first wanted line off the queue and opens the one that has it. */
async function startReading(
  queue: LogFile[],
  options: ReadLogsOptions,
  joiner: LineJoiner,
): Promise<LineReader | undefined> {
  const { tailLines, sinceMs } = options;
  let from: Position = { file: firstRecent(queue, sinceMs), offset: 0 };
  if (tailLines !== undefined) {
    const tail = await findTail(queue, tailLines);
    await prime(queue, tail.readFrom, tail.wantedFrom, joiner);
    from = tail.wantedFrom;
  }
  await closeAll(queue.splice(0, from.file));
  return nextReader(queue, options, from.offset);
}

/**
 * Who does not follow reads what was there when the files were opened, however fast the writer is.
 */
function nextReader(
  queue: LogFile[],
  { follow = false }: ReadLogsOptions,
  offset = 0,
): LineReader | undefined {
  const file = queue.shift();
  return file && createLineReader(file, offset, follow ? Infinity : file.sizeBytes);
}

/** Index of the first file that may have lines of that time; of the last file if none has. */
function firstRecent(files: readonly LogFile[], sinceMs: number | undefined): number {
  if (sinceMs === undefined) return 0;
  const found = files.findIndex(({ modifiedMs }) => modifiedMs + clockSlackMs >= sinceMs);
  return found < 0 ? Math.max(files.length - 1, 0) : found;
}

/** Gives the joiner the beginnings of wanted lines; lines that end before `to` are nobody's. */
async function prime(
  files: readonly LogFile[],
  from: Position,
  to: Position,
  joiner: LineJoiner,
): Promise<void> {
  for (const [index, file] of files.entries()) {
    if (index < from.file || index > to.file) continue;
    const start = index === from.file ? from.offset : 0;
    const reader = createLineReader(file, start, index === to.file ? to.offset : file.sizeBytes);
    for await (const _ of drain(reader, joiner)) continue;
    reader.rest().forEach(joiner.push);
  }
}

async function* drain(
  reader: LineReader,
  joiner: LineJoiner,
): AsyncGenerator<LogEntry[], void, void> {
  for (let lines = await reader.next(); lines !== undefined; lines = await reader.next()) {
    yield lines.flatMap(joiner.push);
  }
}

/**
 * A file that is no longer written to: whatever was written before its renaming, and a last line
 * cut off by a crash.
 */
async function* finish(
  reader: LineReader,
  joiner: LineJoiner,
): AsyncGenerator<LogEntry[], void, void> {
  yield* drain(reader, joiner);
  yield reader.rest().flatMap(joiner.push);
}

/** A writer whose end cannot be learned counts as ended: a follower must not hang on it. */
function observe(
  ended: Promise<unknown> | undefined,
  wakeup: Wakeup | undefined,
): { readonly hasEnded: boolean } {
  const state = { hasEnded: false };
  const onEnd = (): void => {
    state.hasEnded = true;
    wakeup?.wake();
  };
  void ended?.then(onEnd, onEnd);
  return state;
}

/** What has no time of its own follows the line before it. */
function createSinceFilter(sinceMs: number | undefined): (entry: LogEntry) => boolean {
  if (sinceMs === undefined) return () => true;
  const sinceNs = BigInt(Math.ceil(sinceMs)) * 1_000_000n;
  let isRecent = false;
  return (entry) => {
    if (entry.kind === "line") isRecent = entry.timeNs >= sinceNs;
    return isRecent || entry.kind === "gap";
  };
}
