// What the probe's `flood` writes to its two streams, and what a log's files give of it.

import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

export type Streams = { readonly stdout: Buffer; readonly stderr: Buffer };

/** The formula of `flood` in zig/guest/behave.zig. */
export function floodOf(lines: number): Streams {
  const streamOf = (stream: number) => {
    const lengthOf = (index: number) =>
      index % 5000 === 4999 ? 30_000 + (index % 7) : (index * 7919) % 120;
    let size = lines;
    for (let index = 0; index < lines; index++) size += lengthOf(index);
    const bytes = Buffer.alloc(size, "\n");
    let at = 0;
    for (let index = 0; index < lines; index++) {
      const end = at + lengthOf(index);
      bytes.fill(0x61 + ((index + stream) % 26), at, end);
      at = end + 1;
    }
    return bytes;
  };
  return { stdout: streamOf(0), stderr: streamOf(1) };
}

const headerBytes = "2024-02-29T12:34:56.000000007Z stdout F ".length;
const header = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z (stdout|stderr) ([FP]) $/;

/** Put together by the letter of the format, from the oldest file to the newest. */
export function readLogFiles(folder: string): Streams & { readonly sizes: readonly number[] } {
  const numberOf = (name: string) => Number(name.split(".")[2] ?? 0);
  const paths = readdirSync(folder)
    .sort((one, other) => numberOf(other) - numberOf(one))
    .map((name) => join(folder, name));
  const sizes = paths.map((path) => statSync(path).size);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const streams = { stdout: Buffer.alloc(total), stderr: Buffer.alloc(total) };
  const filled = { stdout: 0, stderr: 0 };
  for (const path of paths) {
    const bytes = readFileSync(path);
    for (let at = 0; at < bytes.length;) {
      const text = at + headerBytes;
      const match = header.exec(bytes.toString("latin1", at, text));
      const end = bytes.indexOf("\n", text);
      if (match === null || end < 0) throw new Error(`${path}: no line of a log at byte ${at}`);
      const stream = match[1] === "stdout" ? "stdout" : "stderr";
      const isWhole = match[2] === "F";
      filled[stream] += bytes.copy(streams[stream], filled[stream], text, end + (isWhole ? 1 : 0));
      at = end + 1;
    }
  }
  return {
    stdout: streams.stdout.subarray(0, filled.stdout),
    stderr: streams.stderr.subarray(0, filled.stderr),
    sizes,
  };
}
