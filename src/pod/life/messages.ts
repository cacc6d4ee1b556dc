// What a container has to say about its end: the file that the keeper took it from, or the end of
// its log.

import { closeSync, fstatSync, openSync, readFileSync, readSync } from "node:fs";
import type { ContainerLifeSpec } from "../../spec/life.ts";
import { logName } from "../../spec/resolved.ts";
import { parseLogLine } from "../logs/log-line.ts";
import type { PodState } from "../read-state.ts";

/** Of a pod's containers together, as the kubelet shares them out. */
const podBytesMax = 12 << 10;
export const messageBytesMax = 4096;
const logBytesMax = 2048;
const logLinesMax = 80;

/** The keeper writes it at the exit, where there is something to write. */
export function messageName(process: number, attempt: number): string {
  return `message.${process}.${attempt}`;
}

export interface EndedRun {
  readonly name: string;
  readonly process: number;
  readonly attempt: number;
  readonly exitCode: number;
}

/** Empty for none. */
export function terminationMessage(
  { places, containers }: Pick<PodState, "places" | "containers">,
  run: EndedRun,
  policy: ContainerLifeSpec["terminationMessage"]["policy"],
): string {
  const bytesMax = Math.min(messageBytesMax, Math.floor(podBytesMax / containers.length));
  const directory = `${places.stateParent}/${places.uid}`;
  const own = tryRead(`${directory}/${messageName(run.process, run.attempt)}`);
  if (own.length > 0 || policy === "File" || run.exitCode === 0) {
    return decoder.decode(own.subarray(0, bytesMax));
  }
  const log = `${places.logsParent}/${places.logsName}/${run.name}/${logName(run.attempt)}`;
  return decoder.decode(logEnd(log).subarray(-Math.min(bytesMax, logBytesMax)));
}

const decoder = new TextDecoder();

function tryRead(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch {
    return new Uint8Array(0);
  }
}

/** The last lines, without the header that each has in the log. */
function logEnd(path: string): Uint8Array {
  let fd = -1;
  try {
    fd = openSync(path, "r");
    // A line's header is far shorter than what lines are kept for.
    const bytes = new Uint8Array(logBytesMax + logLinesMax * 100);
    const from = Math.max(0, fstatSync(fd).size - bytes.length);
    const length = readSync(fd, bytes, 0, bytes.length, from);
    const lines = splitLines(bytes.subarray(0, length)).flatMap((line) => {
      const parsed = parseLogLine(line);
      if (!parsed) return [];
      return [Buffer.concat([parsed.content, Buffer.from(parsed.partial ? "" : "\n")])];
    });
    return Buffer.concat(lines.slice(-logLinesMax));
  } catch {
    return new Uint8Array(0);
  } finally {
    if (fd >= 0) closeSync(fd);
  }
}

function splitLines(bytes: Uint8Array): Uint8Array[] {
  const lines: Uint8Array[] = [];
  let start = 0;
  for (let end = bytes.indexOf(0x0a); end >= 0; end = bytes.indexOf(0x0a, start)) {
    lines.push(bytes.subarray(start, end));
    start = end + 1;
  }
  return lines;
}
