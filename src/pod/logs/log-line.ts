// One line of a CRI log file: `<time> <stdout|stderr> <tags> <content>`.

export type LogStream = "stdout" | "stderr";

export interface LogLine {
  /** Nanoseconds since 1970, UTC. */
  readonly timeNs: bigint;
  readonly stream: LogStream;
  /** The application's line goes on in the next log line of the same stream (tag `P`). */
  readonly partial: boolean;
  /** A view into the given bytes. */
  readonly content: Uint8Array;
}

/** No header that anyone writes is longer: 35 bytes of time, the stream, a few tags. */
export const headerBytesMax = 96;

const header =
  /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d)) (stdout|stderr) ([PF])(?::[^ ]*)? /;
const ascii = new TextDecoder("latin1");

/** Reads a line without its newline; `undefined` when it is not of the format. */
export function parseLogLine(bytes: Uint8Array): LogLine | undefined {
  const match = header.exec(ascii.decode(bytes.subarray(0, headerBytesMax)));
  if (match === null) return undefined;
  const timeNs = readTime(match);
  if (timeNs === undefined) return undefined;
  return {
    timeNs,
    stream: match[11] === "stderr" ? "stderr" : "stdout",
    partial: match[12] === "P",
    content: bytes.subarray(match[0].length),
  };
}

function readTime(match: RegExpExecArray): bigint | undefined {
  const group = (index: number): number => Number(match[index] ?? 0);
  const [year, month, day, hour, minute, second] = [1, 2, 3, 4, 5, 6].map(group) as SixNumbers;
  if (month < 1 || month > 12 || day < 1 || day > 31) return undefined;
  if (hour > 23 || minute > 59 || second > 60) return undefined;
  const offsetMinutes = (match[8] === "-" ? -1 : 1) * (group(9) * 60 + group(10));
  const epochMs = Date.UTC(year, month - 1, day, hour, minute - offsetMinutes, second);
  const fractionNs = Number((match[7] ?? "").padEnd(9, "0"));
  return BigInt(epochMs) * 1_000_000n + BigInt(fractionNs);
}

/** `map` forgets the length of what it maps. */
type SixNumbers = [number, number, number, number, number, number];
