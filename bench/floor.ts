// The floor as a subject: builds bench/floor when needed, and asks one process of it for one round
// at a time. Two twins: what the kernel can do at best, and what it does as most runtimes ask it.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Cell, Job, Sample, Subject, Work } from "./cell.ts";
import { inCrowd, leaveCrowd } from "./crowd.ts";
import type { Span } from "./floor/critical-path.ts";
import { metricNames } from "./metric.ts";
import { weighCrowd } from "./metrics/memory.ts";
import type { Shape } from "./shape.ts";

const directory = join(import.meta.dir, "floor");

export type Twin = "best" | "naive";

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
    cpuCounts:
      "the floor's own process and the group of all its keepers and containers, dead ones included",
    async version() {
      return process.getuid?.() === 0 ? "bench/floor" : { absent: "needs root" };
    },
    cell: (job) => floorCell(twin, job),
  };
}

function floorCell(twin: Twin, job: Job): Cell {
  let floor: Floor | undefined;
  return {
    async prepare() {
      if (process.getuid?.() !== 0) return { absent: "needs root" };
      const lack = lackOf(twin, job.shape);
      if (lack !== undefined) return { absent: lack };
      await mkdir(job.directory, { recursive: true });
      floor = await startFloor(twin, job.shape, { directory: job.directory });
      return undefined;
    },
    async run() {
      if (floor === undefined) throw new Error("the floor was not prepared");
      return await work(floor, job.work);
    },
    async cleanup() {
      await floor?.end();
    },
  };
}

const existingMax = 1000;

function lackOf(twin: Twin, shape: Shape): string | undefined {
  if (shape.existing > existingMax) return `at most ${existingMax} containers run already`;
  // Without its own idea of idmapped mounts there is nothing naive to compare with.
  return twin === "naive" && shape.userNamespace
    ? "mount(2) can't show files with the ids of a user namespace"
    : undefined;
}

async function work(floor: Floor, asked: Work): Promise<Sample> {
  switch (asked.kind) {
    case "launch":
      return sampleOf(await floor.ask("launch"));
    case "join":
      return sampleOf(await floor.ask(`join ${asked.count}`));
    case "exec":
      return sampleOf(await floor.ask(`exec ${asked.count}`));
    case "lifecycle":
      return sampleOf(await floor.ask("lifecycle"));
    case "throughput":
      return sampleOf(await floor.ask(`throughput ${asked.concurrency} ${asked.durationMs}`));
    case "mass-down":
      await floor.ask(`crowd ${asked.pods}`);
      return sampleOf(await floor.ask("mass-down"));
    case "memory":
      return await weigh(floor, asked.pods);
    default:
      return asked satisfies never;
  }
}

async function weigh(floor: Floor, count: number): Promise<Sample> {
  try {
    return await weighCrowd(count, async () => {
      const [keeper] = (await floor.ask("crowd 1")).keepers ?? [];
      if (keeper === undefined) throw new Error("the floor holds no more pods");
      return keeper;
    });
  } finally {
    await floor.ask("mass-down");
  }
}

/** One line of the program: numbers by metric, and with `calls` what the calls were. */
export type Answer = Sample & {
  readonly spans: readonly Span[];
  readonly keepers?: readonly number[];
};

function sampleOf(answer: Answer): Sample {
  return Object.fromEntries(
    metricNames.flatMap((name) => (answer[name] === undefined ? [] : [[name, answer[name]]])),
  );
}

export type Floor = {
  ask(command: string): Promise<Answer>;
  end(): Promise<void>;
};

/**
 * One process for all rounds, as peapod's module is one process: what it does once is not in a
 * sample.
 */
export async function startFloor(
  twin: Twin,
  shape: Shape,
  options: { readonly directory: string; readonly calls?: boolean },
): Promise<Floor> {
  const words = [
    await buildFloor(),
    ...["--directory", options.directory],
    ...["--containers", String(shape.containers)],
    ...["--existing", String(shape.existing)],
    ...["--level", shape.level],
    ...(twin === "naive" ? ["--naive"] : []),
    ...(shape.network ? [] : ["--host-network"]),
    ...(shape.userNamespace ? ["--user-namespace"] : []),
    ...(shape.readOnlyRoot ? ["--read-only-root"] : []),
    ...(options.calls === true ? ["--calls"] : []),
  ];
  const command = inCrowd(words, { mounts: shape.hostMounts, directory: options.directory });
  const child = Bun.spawn(command, { stdin: "pipe", stdout: "pipe", stderr: "pipe" });
  const output = child.stdout.getReader();
  const decoder = new TextDecoder();
  return {
    async ask(line) {
      child.stdin.write(`${line}\n`);
      await child.stdin.flush();
      let answer = "";
      while (!answer.endsWith("\n")) {
        const { done, value } = await output.read();
        if (done) throw new Error(`the floor ended: ${await new Response(child.stderr).text()}`);
        answer += decoder.decode(value, { stream: true });
      }
      return JSON.parse(answer);
    },
    async end() {
      await child.stdin.end();
      await child.exited;
      await leaveCrowd(options.directory);
    },
  };
}
