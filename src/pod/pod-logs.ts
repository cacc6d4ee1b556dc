// Logs of several containers as one stream: in order of time when they are read back, as they come
// when followed.

import { basename, dirname } from "node:path";
import type { LogEntry } from "./logs/line-joiner.ts";
import { readLogs } from "./logs/read-logs.ts";
import type { LogOptions, LogRecord } from "./types.ts";

/** A container's output: one file for each time that it was started, by number. */
export interface LogSource {
  readonly name: string;
  /** The last one, counting from 0. */
  readonly attempt: number;
  pathOf(attempt: number): string;
  /** Settles when nothing more is written by that one: false when there was no such run. */
  ended(attempt: number, signal: AbortSignal): Promise<unknown>;
  /** The one after it, when it has begun; undefined when there will be none. */
  successor(attempt: number, signal: AbortSignal): Promise<number | undefined>;
}

export function followLogs(
  sources: readonly LogSource[],
  options: LogOptions,
): AsyncIterable<LogRecord> {
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, ...(options.signal ? [options.signal] : [])]);
  const readers = sources.map((source) => readOne(source, { ...options, signal }));
  return options.follow ? asTheyCome(readers, stop) : byTime(readers);
}

type ReadOptions = LogOptions & { readonly signal: AbortSignal };

/** A follower goes on with what the container writes after a restart, all of it. */
async function* readOne(source: LogSource, options: ReadOptions): AsyncGenerator<LogRecord> {
  const first = source.attempt - (options.previous ? 1 : 0);
  if (first < 0) return;
  const hasRun = yield* readAttempt(source, first, options);
  if (!options.follow || options.previous || !hasRun) return;
  await options.onRunEnded?.(source.name);
  const { tailLines: _, ...rest } = options;
  for (let attempt: number | undefined = first; ;) {
    attempt = await source.successor(attempt, options.signal);
    if (attempt === undefined) return;
    if (yield* readAttempt(source, attempt, rest)) await options.onRunEnded?.(source.name);
  }
}

/** False for a run that never was: the pod was over before. */
async function* readAttempt(
  source: LogSource,
  attempt: number,
  options: ReadOptions,
): AsyncGenerator<LogRecord, boolean> {
  const path = source.pathOf(attempt);
  const ended = options.follow ? source.ended(attempt, options.signal).catch(() => true) : true;
  const entries = readLogs({
    directory: dirname(path),
    base: basename(path),
    follow: options.follow ?? false,
    ...(ended !== true && { ended }),
    ...(options.tailLines !== undefined && { tailLines: options.tailLines }),
    ...(options.sinceMs !== undefined && { sinceMs: options.sinceMs }),
    ...(options.signal && { signal: options.signal }),
  });
  let timeNs = 0n;
  for await (const entry of entries) {
    if (entry.kind === "line") timeNs = entry.timeNs;
    yield { container: source.name, timeNs, ...describe(entry) };
  }
  return options.signal.aborted || (await ended) !== false;
}

/** What could not be read as a line is shown, not swallowed. */
function describe(entry: LogEntry): Pick<LogRecord, "stream" | "line" | "isPartial"> {
  switch (entry.kind) {
    case "line":
      return { stream: entry.stream, line: entry.bytes, isPartial: entry.partial };
    case "garbage":
      return { stream: "stderr", line: entry.bytes, isPartial: false };
    case "gap": {
      const text = "[peapod: older lines were rotated away before they could be read]";
      return { stream: "stderr", line: new TextEncoder().encode(text), isPartial: false };
    }
    default:
      return entry satisfies never;
  }
}

async function* byTime(readers: readonly AsyncGenerator<LogRecord>[]): AsyncGenerator<LogRecord> {
  const heads = await Promise.all(readers.map((reader) => reader.next()));
  for (;;) {
    let first = -1;
    for (const [index, head] of heads.entries()) {
      if (head.done) continue;
      const best = heads[first];
      if (!best || best.done || head.value.timeNs < best.value.timeNs) first = index;
    }
    const head = heads[first];
    const reader = readers[first];
    if (!head || head.done || !reader) return;
    yield head.value;
    heads[first] = await reader.next();
  }
}

async function* asTheyCome(
  readers: readonly AsyncGenerator<LogRecord>[],
  stop: AbortController,
): AsyncGenerator<LogRecord> {
  const next = (index: number) =>
    readers[index]?.next().then((result) => ({ index, result })) ?? Promise.reject();
  const waiting = new Map(readers.map((_, index) => [index, next(index)]));
  try {
    while (waiting.size > 0) {
      const { index, result } = await Promise.race(waiting.values());
      if (result.done) {
        waiting.delete(index);
        continue;
      }
      // Out of the race until the record is taken: what a reader does next comes after it.
      waiting.delete(index);
      yield result.value;
      waiting.set(index, next(index));
    }
  } finally {
    // Readers that wait for a line would hold their files until it comes.
    stop.abort();
    await Promise.allSettled(waiting.values());
    await Promise.allSettled(readers.map((reader) => reader.return(undefined)));
  }
}
