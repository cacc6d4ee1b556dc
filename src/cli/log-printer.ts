// Log records as lines of text: the application's bytes as they are, what we put before them
// coloured and aligned.

import type { LogRecord } from "../pod/types.ts";
import type { Paint } from "./paint.ts";
import { cycleColour } from "./paint.ts";
import { formatTimestamp } from "./time.ts";

const encoder = new TextEncoder();

/** `source` tells streams apart that share the output; `prefix` stands before every line of it. */
export type PrintLog = (record: LogRecord, source: string, prefix: string) => Uint8Array;

/**
 * One printer for everything that goes to one output: a line that is not finished yet (a prompt)
 * goes on where it stands, unless another stream has written in between.
 */
export function createLogPrinter({ timestamps }: { readonly timestamps: boolean }): PrintLog {
  let open: string | undefined;
  return ({ line, stream, timeNs, isPartial }, source, prefix) => {
    const writer = `${stream} ${source}`;
    const head = timestamps ? `${prefix}${formatTimestamp(timeNs)} ` : prefix;
    const before = open === writer ? "" : open === undefined ? head : `\n${head}`;
    open = isPartial ? writer : undefined;
    return Buffer.concat([encoder.encode(before), line, encoder.encode(isPartial ? "" : "\n")]);
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
export function printLogJson({ container, stream, timeNs, line, isPartial }: LogRecord): string {
  const record = {
    time: formatTimestamp(timeNs),
    container,
    stream,
    line: new TextDecoder().decode(line),
    ...(isPartial && { isPartial }),
  };
  return `${JSON.stringify(record)}\n`;
}
