// The floor as a cell: builds bench/floor when needed and asks it for one round at a time.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { Cell, Job, Sample, Subject } from "./cell.ts";
import { fullShape } from "./shape.ts";

const directory = join(import.meta.dir, "floor");

/** Up to date or an error; costs a tenth of a second when nothing has changed. */
export async function buildFloor(): Promise<string> {
  const zig = join(import.meta.dir, "..", "node_modules", ".bin", "zig");
  const build = Bun.spawn([zig, "build"], { cwd: directory, stdout: "ignore", stderr: "pipe" });
  const message = await new Response(build.stderr).text();
  if ((await build.exited) !== 0) throw new Error(`bench/floor does not build:\n${message}`);
  return join(directory, "zig-out", "bin", "floor");
}

export function floorSubject(twin: Twin): Subject {
  return {
    name: twin === "best" ? "floor" : "floor (naive)",
    surface: "call",
    cpuCounts: "",
    async version() {
      return process.getuid?.() === 0 ? "bench/floor" : { absent: "needs root" };
    },
    cell: (job) => floorCell(twin, job),
  };
}

export type Twin = "best" | "naive";

function floorCell(twin: Twin, job: Job): Cell {
  let server: ReturnType<typeof serve> | undefined;
  return {
    async prepare() {
      if (process.getuid?.() !== 0) return { absent: "needs root" };
      const { containers, ...others } = job.shape;
      if (!isDeepStrictEqual({ ...others, containers: fullShape.containers }, fullShape))
        return { absent: "the floor's containers have one shape" };
      if (job.work.kind !== "launch" && job.work.kind !== "join")
        return { absent: `the floor can't do ${job.work.kind}` };
      await mkdir(job.directory, { recursive: true });
      const joins = job.work.kind === "join" ? job.work.count : 0;
      server = serve(await buildFloor(), { twin, containers, joins, directory: job.directory });
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

type Call = {
  readonly twin: Twin;
  readonly containers: number;
  readonly joins: number;
  readonly directory: string;
};

/**
 * One process for all rounds, as peapod's module is one process: what it does once is not in a
 * sample.
 */
function serve(program: string, shape: Call) {
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
  const numbers = (name: string) => {
    const values = fields[`${name}_us`];
    return Array.isArray(values) && values.length > 0 ? values.map(Number) : undefined;
  };
  const metrics = { up: "up", first: "first", join: "joins", down: "down" };
  return Object.fromEntries(
    Object.entries(metrics).flatMap(([metric, field]) => {
      const values = numbers(field);
      return values === undefined ? [] : [[metric, values]];
    }),
  );
}
