// Log files as the keeper writes them, and what is read from them as text.

import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LogEntry } from "../../src/pod/logs/line-joiner.ts";
import { type ReadLogsOptions, readLogs } from "../../src/pod/logs/read-logs.ts";

export const scratch = mkdtempSync(join(tmpdir(), "peapod-logs-"));

/** For `afterAll` of every file: they may share this module, and then the directory. */
export function removeScratch(): void {
  rmSync(scratch, { recursive: true, force: true });
}

let directories = 0;
export function newDirectory(): string {
  const directory = join(scratch, String(directories++));
  mkdirSync(directory, { recursive: true });
  return directory;
}

/** A log directory with the given files, `0.log` last. */
export function logsWith(files: Readonly<Record<string, string>>): string {
  const directory = newDirectory();
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  return directory;
}

export const startMs = Date.UTC(2026, 0, 2, 3, 4, 5);
/** A line of the file, `second` seconds after the start. */
export function line(second: number, content: string, stream = "stdout", tag = "F"): string {
  const time = new Date(startMs + second * 1000).toISOString().replace("Z", "000000Z");
  return `${time} ${stream} ${tag} ${content}\n`;
}

export function lines(from: number, to: number): string {
  return Array.from({ length: to - from }, (_, at) => line(from + at, `line ${from + at}`)).join(
    "",
  );
}

/** What was read, as text: partial lines end in `…`, garbage stands in angle brackets. */
export function print(entry: LogEntry): string {
  switch (entry.kind) {
    case "line":
      return `${entry.stream === "stderr" ? "! " : ""}${text(entry.bytes)}${entry.partial ? "…" : ""}`;
    case "garbage":
      return `<${text(entry.bytes)}>`;
    case "gap":
      return "<gap>";
  }
}

export function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

export async function read(
  directory: string,
  options: Partial<ReadLogsOptions> = {},
): Promise<string[]> {
  const printed: string[] = [];
  for await (const entry of readLogs({ directory, base: "0.log", ...options })) {
    printed.push(print(entry));
  }
  return printed;
}

export function openDescriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

export function pseudoRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
