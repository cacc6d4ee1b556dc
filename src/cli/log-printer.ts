// Log records as lines of text: the application's bytes as they are, what we put before them
// coloured and aligned.

import type { LogRecord } from "../pod/types.ts";
import type { Paint } from "./paint.ts";
import { cycleColour } from "./paint.ts";
import { formatTimestamp } from "./time.ts";

export interface LogStyle {
  /** Put before every line of a container; empty for none. */
  readonly prefix: string;
  readonly timestamps: boolean;
}

const encoder = new TextEncoder();
const newline = encoder.encode("\n");

/** Prints the records of one container. */
export function createLogPrinter(style: LogStyle): (record: LogRecord) => Uint8Array {
  const prefix = encoder.encode(style.prefix);
  return ({ line, timeNs }) => {
    if (!style.timestamps) return Buffer.concat([prefix, line, newline]);
    const time = encoder.encode(`${formatTimestamp(timeNs)} `);
    return Buffer.concat([prefix, time, line, newline]);
  };
}

/** `app     | `, `sidecar | `: as wide as the widest, each in a colour of its own. */
export function alignedPrefixes(labels: readonly string[], paint: Paint): string[] {
  const width = Math.max(0, ...labels.map((label) => Bun.stringWidth(label)));
  return labels.map((label, index) => {
    const padding = " ".repeat(width - Bun.stringWidth(label));
    return paint(cycleColour(index), `${label}${padding} | `);
  });
}

/** A line for programs. Text is UTF-8, with replacement characters where it is not. */
export function printLogJson({ container, stream, timeNs, line }: LogRecord): string {
  const record = {
    time: formatTimestamp(timeNs),
    container,
    stream,
    line: new TextDecoder().decode(line),
  };
  return `${JSON.stringify(record)}\n`;
}
