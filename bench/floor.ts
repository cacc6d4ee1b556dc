// The floor as a cell: builds bench/floor when needed and asks it for one round at a time.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Cell, Sample } from "./cell.ts";

const directory = join(import.meta.dir, "floor");

export type FloorShape = {
  readonly twin: "best" | "naive";
  readonly containers: number;
  /** Joins after the pod has started. */
  readonly joins: number;
  /** On which file system writable layers and logs lie. */
  readonly directory: string;
};

/** Up to date or an error; costs a tenth of a second when nothing has changed. */
export async function buildFloor(): Promise<string> {
  const zig = join(import.meta.dir, "..", "node_modules", ".bin", "zig");
  const build = Bun.spawn([zig, "build"], { cwd: directory, stdout: "ignore", stderr: "pipe" });
  const message = await new Response(build.stderr).text();
  if ((await build.exited) !== 0) throw new Error(`bench/floor does not build:\n${message}`);
  return join(directory, "zig-out", "bin", "floor");
}

export function floorCell(shape: FloorShape): Cell {
  let server: ReturnType<typeof serve> | undefined;
  return {
    name: shape.twin === "best" ? "floor" : "floor (naive)",
    async prepare() {
      if (process.getuid?.() !== 0) return { absent: "needs root" };
      await mkdir(shape.directory, { recursive: true });
      server = serve(await buildFloor(), shape);
      return undefined;
    },
    async run() {
      if (server === undefined) throw new Error("the floor was not prepared");
      return await server.round();
    },
    async cleanup() {
      await server?.end();
    },
  };
}

/**
 * One process for all rounds, as peapod's module is one process: what it does once is not in a
 * sample.
 */
function serve(program: string, shape: FloorShape) {
  const counts = ["--containers", String(shape.containers), "--join", String(shape.joins)];
  const twin = shape.twin === "naive" ? ["--naive"] : [];
  const child = Bun.spawn(
    [program, "--serve", "--directory", shape.directory, ...counts, ...twin],
    {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "pipe",
    },
  );
  const output = child.stdout.getReader();
  const decoder = new TextDecoder();
  return {
    async round(): Promise<Sample> {
      child.stdin.write("\n");
      await child.stdin.flush();
      let line = "";
      while (!line.endsWith("\n")) {
        const { done, value } = await output.read();
        if (done) throw new Error(`the floor ended: ${await new Response(child.stderr).text()}`);
        line += decoder.decode(value, { stream: true });
      }
      return readSample(line);
    },
    async end(): Promise<void> {
      await child.stdin.end();
      await child.exited;
    },
  };
}

/** Keeps what ends in `_us`: the program's other fields say how it was called. */
function readSample(line: string): Sample {
  const fields: Record<string, unknown> = JSON.parse(line);
  const metrics: Record<string, number[]> = {};
  for (const [name, values] of Object.entries(fields)) {
    if (!name.endsWith("_us") || !Array.isArray(values) || values.length === 0) continue;
    metrics[name.slice(0, -"_us".length)] = values.map(Number);
  }
  return metrics;
}
