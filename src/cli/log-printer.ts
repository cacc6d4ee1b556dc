// Log records as lines of text: the application's bytes as they are, what we put before them
// coloured and aligned.

import type { LogRecord } from "../pod/types.ts";
import type { Paint } from "./paint.ts";
import { cycleColour } from "./paint.ts";
import { formatTimestamp } from "./time.ts";

const encoder = new TextEncoder();

export interface LogPrinter {
  /** `source` tells streams apart that share the output; `prefix` stands before its lines. */
  print(record: LogRecord, source: string, prefix: string): Uint8Array;
  /** What ends the line of a source that ends without a newline. */
  finish(source: string): string;
}

/**
 * One printer for everything that goes to one output: a line that is not finished yet (a prompt)
 * goes on where it stands, unless another stream has written in between.
 */
export function createLogPrinter({ timestamps }: { readonly timestamps: boolean }): LogPrinter {
  let open: { readonly source: string; readonly stream: string } | undefined;
  return {
    print({ line, stream, timeNs, isPartial }, source, prefix) {
      const head = timestamps ? `${prefix}${formatTimestamp(timeNs)} ` : prefix;
      const goesOn = open?.source === source && open.stream === stream;
      const before = goesOn ? "" : open ? `\n${head}` : head;
      open = isPartial ? { source, stream } : undefined;
      return Buffer.concat([encoder.encode(before), line, encoder.encode(isPartial ? "" : "\n")]);
    },
    finish(source) {
      if (open?.source !== source) return "";
      open = undefined;
      return "\n";
    },
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
