// Lines of one open file, forwards, in memory that does not grow with their length.

import type { RawLine } from "./line-joiner.ts";
import { lineBytesMax } from "./line-joiner.ts";
import type { LogFile } from "./log-files.ts";

const blockBytes = 64 * 1024;
const newline = 0x0a;

export interface LineReader {
  readonly file: LogFile;
  /**
   * The lines that end in the next block; `undefined` at the end of the file, where more may be
   * written later.
   */
  next(): Promise<RawLine[] | undefined>;
  /** What stands behind the last newline, when nothing more will be written. */
  rest(): RawLine[];
}

/**
 * Reads from the offset `from` (the start of a line) up to `to`. The lines are views, valid until
 * the next call.
 */
export function createLineReader(file: LogFile, from = 0, to = Infinity): LineReader {
  const block = new Uint8Array(blockBytes);
  let offset = from;
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  let isCut = false;

  /** Keeps a part of a line whose end is not read yet, as far as a line may be long. */
  function hold(part: Uint8Array): void {
    const kept = part.subarray(0, lineBytesMax - heldBytes);
    isCut ||= kept.length < part.length;
    if (kept.length > 0) held.push(new Uint8Array(kept));
    heldBytes += kept.length;
  }

  function take(isTerminated: boolean): RawLine {
    const line = { bytes: Buffer.concat(held), isCut, isTerminated };
    [held, heldBytes, isCut] = [[], 0, false];
    return line;
  }

  function split(bytes: Uint8Array): RawLine[] {
    const lines: RawLine[] = [];
    let start = 0;
    for (;;) {
      const end = bytes.indexOf(newline, start);
      if (end < 0) break;
      const part = bytes.subarray(start, end);
      start = end + 1;
      if (heldBytes === 0) {
        lines.push({ bytes: part, isCut: false, isTerminated: true });
      } else {
        hold(part);
        lines.push(take(true));
      }
    }
    hold(bytes.subarray(start));
    return lines;
  }

  return {
    file,
    async next() {
      const length = Math.min(blockBytes, to - offset);
      if (length <= 0) return undefined;
      const { bytesRead } = await file.handle.read(block, 0, length, offset);
      if (bytesRead === 0) return undefined;
      offset += bytesRead;
      return split(block.subarray(0, bytesRead));
    },
    rest: () => (heldBytes > 0 ? [take(false)] : []),
  };
}
