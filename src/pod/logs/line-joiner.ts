// Log lines → what the application wrote: partial chunks of one stream are put together again.

import type { LogStream } from "./log-line.ts";
import { parseLogLine } from "./log-line.ts";

export type LogEntry =
  | {
      readonly kind: "line";
      /**
       * When the line's first chunk was read from the container, in nanoseconds since 1970, UTC.
       */
      readonly timeNs: bigint;
      readonly stream: LogStream;
      /**
       * The line has no end here: the next line of the stream goes on with it, unless the stream
       * ended.
       */
      readonly partial: boolean;
      /** Without the newline. The caller's own. */
      readonly bytes: Uint8Array;
    }
  /**
   * A line of the file that is not in the format, or too long to be; at most its first
   * `lineBytesMax` bytes.
   */
  | { readonly kind: "garbage"; readonly bytes: Uint8Array }
  /** Files were rotated away before they could be read. */
  | { readonly kind: "gap" };

/** Where the memory for one line ends; a longer one comes in pieces marked partial. */
export const lineBytesMax = 1024 * 1024;

export interface RawLine {
  readonly bytes: Uint8Array;
  /** The line was longer than `lineBytesMax`. */
  readonly isCut: boolean;
  /** False for what stands at the end of a file without a newline. */
  readonly isTerminated: boolean;
}

export interface LineJoiner {
  readonly hasPending: boolean;
  push(line: RawLine): LogEntry[];
  /** What has begun and not ended. */
  flush(): LogEntry[];
}

interface Pending {
  readonly timeNs: bigint;
  readonly chunks: Uint8Array[];
  length: number;
}

export function createLineJoiner(): LineJoiner {
  const pending = new Map<LogStream, Pending>();

  function end(stream: LogStream, partial: boolean): LogEntry[] {
    const line = pending.get(stream);
    if (line === undefined) return [];
    pending.delete(stream);
    return [
      { kind: "line", timeNs: line.timeNs, stream, partial, bytes: Buffer.concat(line.chunks) },
    ];
  }

  function push({ bytes, isCut, isTerminated }: RawLine): LogEntry[] {
    const line = isCut ? undefined : parseLogLine(bytes);
    if (line === undefined) return [{ kind: "garbage", bytes: new Uint8Array(bytes) }];
    const { timeNs, stream, content } = line;
    let joined = pending.get(stream);
    if (joined === undefined) pending.set(stream, (joined = { timeNs, chunks: [], length: 0 }));
    joined.chunks.push(new Uint8Array(content));
    joined.length += content.length;
    const partial = line.partial || !isTerminated;
    const isFull = joined.length >= lineBytesMax;
    return partial && isTerminated && !isFull ? [] : end(stream, partial);
  }

  return {
    get hasPending() {
      return pending.size > 0;
    },
    push,
    flush: () => [...pending.keys()].flatMap((stream) => end(stream, true)),
  };
}
