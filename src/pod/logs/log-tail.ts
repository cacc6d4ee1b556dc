// Where the last N lines of a log begin, found from the end without reading what comes before them.

import { lineBytesMax } from "./line-joiner.ts";
import type { LogFile } from "./log-files.ts";
import type { LogStream } from "./log-line.ts";
import { headerBytesMax, parseLogLine } from "./log-line.ts";

const blockBytes = 64 * 1024;
const newline = 0x0a;

export interface Position {
  /** Index into the files of the log. */
  readonly file: number;
  /** Offset of the start of a line. */
  readonly offset: number;
}

export interface Tail {
  /** Lines that end at or after this place are among the last N. */
  readonly wantedFrom: Position;
  /** Their first chunks may stand before it, but not before this place. */
  readonly readFrom: Position;
}

/**
 * Counts lines of the application, not chunks: a line is where it ends. What has begun and not
 * ended counts as a line, and so does a line that is not in the format.
 */
export async function findTail(files: readonly LogFile[], count: number): Promise<Tail> {
  const seen = new Set<LogStream>();
  /** Streams with a wanted line whose beginning has not been found. */
  const open = new Set<LogStream>();
  let missing = count;
  let wantedFrom: Position = endOf(files);
  let readFrom = wantedFrom;
  let bytesBefore = 0;

  await walkBack(files, ({ position, stream, isPartial, isTerminated, length }) => {
    const goesOn = isPartial && isTerminated && stream !== undefined && seen.has(stream);
    if (stream !== undefined) seen.add(stream);
    if (missing > 0) {
      wantedFrom = readFrom = position;
      if (goesOn) return true;
      missing -= 1;
      if (stream !== undefined) open.add(stream);
      return missing > 0 || open.size > 0;
    }
    // Nothing is wanted of what is there, but an unfinished line at the end will be a new one.
    const isBeingWritten = !isTerminated && position.file === files.length - 1;
    if (count === 0 && isBeingWritten) wantedFrom = readFrom = position;
    bytesBefore += length;
    if (stream !== undefined && open.has(stream)) {
      if (goesOn) readFrom = position;
      else open.delete(stream);
    }
    // A beginning further away would not fit the line; a stream that says nothing must not make us
    // read everything.
    return open.size > 0 && bytesBefore < lineBytesMax;
  });
  return { wantedFrom, readFrom };
}

function endOf(files: readonly LogFile[]): Position {
  return { file: Math.max(files.length - 1, 0), offset: files.at(-1)?.sizeBytes ?? 0 };
}

interface WalkedLine {
  readonly position: Position;
  /** `undefined` for a line that is not in the format. */
  readonly stream: LogStream | undefined;
  readonly isPartial: boolean;
  readonly isTerminated: boolean;
  readonly length: number;
}

/**
 * Visits the lines of all files from the last to the first, until `visit` says that it has enough.
 */
async function walkBack(
  files: readonly LogFile[],
  visit: (line: WalkedLine) => boolean,
): Promise<void> {
  for (const [file, logFile] of [...files.entries()].reverse()) {
    const wantsMore = await walkFileBack(logFile, (offset, length, isTerminated, bytes) => {
      const line = length > lineBytesMax ? undefined : parseLogLine(bytes);
      return visit({
        position: { file, offset },
        stream: line?.stream,
        isPartial: line?.partial ?? false,
        isTerminated,
        length,
      });
    });
    if (!wantsMore) return;
  }
}

type VisitBytes = (
  offset: number,
  length: number,
  isTerminated: boolean,
  head: Uint8Array,
) => boolean;

/** A block is read together with the header that a line at its end may have in the next one. */
async function walkFileBack({ handle, sizeBytes }: LogFile, visit: VisitBytes): Promise<boolean> {
  const buffer = Buffer.allocUnsafe(blockBytes + headerBytesMax);
  let lineEnd = sizeBytes;
  let isTerminated = false;
  for (let end = sizeBytes; end > 0; end -= blockBytes) {
    const start = Math.max(end - blockBytes, 0);
    const length = Math.min(end + headerBytesMax, sizeBytes) - start;
    const { bytesRead } = await handle.read(buffer, 0, length, start);
    const bytes = buffer.subarray(0, bytesRead);
    const visitLine = (offset: number): boolean => {
      const isNothing = offset === lineEnd && !isTerminated;
      const head = bytes.subarray(offset - start, Math.min(lineEnd - start, bytesRead));
      return isNothing || visit(offset, lineEnd - offset, isTerminated, head);
    };
    let within = end - start;
    while ((within = bytes.subarray(0, within).lastIndexOf(newline)) >= 0) {
      if (!visitLine(start + within + 1)) return false;
      [lineEnd, isTerminated] = [start + within, true];
    }
    if (start === 0 && !visitLine(0)) return false;
  }
  return true;
}
