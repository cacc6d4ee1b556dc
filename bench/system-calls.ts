// How many system calls a launch and a join take, by who makes them. Counted under strace in a
// process of their own, never while anything is timed.
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Counts } from "./gate-rules.ts";

/** The traced program names the beginning and the end of each occasion by looking for a file. */
export const markerOf = (occasion: string, edge: "begin" | "end"): string =>
  `/peapod-bench-marker/${occasion}/${edge}`;

export type Counted = { readonly counts: Counts } | { readonly absent: string };

export async function countSystemCalls(directory: string): Promise<Counted> {
  const strace = Bun.which("strace", { PATH: `${process.env.PATH}:/usr/bin` });
  if (strace === null) return { absent: "strace is not installed" };
  const folder = await mkdtemp(join(directory, "peapod-strace-"));
  try {
    const program = [process.execPath, join(import.meta.dir, "system-calls-worker.ts"), folder];
    const flags = ["--follow-forks", "--output-separately", "--timestamps=unix,us", "--quiet=all"];
    const child = Bun.spawn(
      [strace, ...flags, "--string-limit=64", `--output=${folder}/trace`, ...program],
      { stdio: ["ignore", "pipe", "pipe"] },
    );
    const [output, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
    if ((await child.exited) !== 0) return { absent: `strace: ${errors.trim() || output.trim()}` };
    const threads: number[] = JSON.parse(output);
    return { counts: countTraces(await readTraces(folder), threads) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** By process or thread, the lines that strace wrote. */
export type Traces = ReadonlyMap<number, readonly string[]>;

async function readTraces(folder: string): Promise<Traces> {
  const names = (await readdir(folder)).filter((name) => /^trace\.\d+$/.test(name));
  const entries = names.map(async (name): Promise<[number, string[]]> => {
    const text = await readFile(join(folder, name), "utf8");
    return [Number(name.slice("trace.".length)), text.split("\n")];
  });
  return new Map(await Promise.all(entries));
}

/**
 * The fewest that any repetition of an occasion took: what a garbage collection or a timer adds is
 * not the occasion's. `threads` are those of the traced program, the first its main one; what the
 * others do (compiling, collecting) is nobody's request.
 */
export function countTraces(traces: Traces, threads: readonly number[]): Counts {
  const [main = 0, ...others] = threads;
  const repetitions = occasionsOf(traces.get(main) ?? []).map(({ occasion, begin, end }) => {
    const counted: Record<string, number> = {};
    for (const [pid, lines] of traces) {
      if (others.includes(pid)) continue;
      const within = lines.filter((line) => isCallWithin(line, begin, end)).length;
      const role = pid === main ? "module" : roleOf(lines);
      if (within > 0) counted[role] = (counted[role] ?? 0) + within;
    }
    return { occasion, counted };
  });
  const byOccasion = Map.groupBy(repetitions, ({ occasion }) => occasion);
  return Object.fromEntries(
    [...byOccasion].map(([occasion, all]) => [occasion, fewest(all.map(({ counted }) => counted))]),
  );
}

function fewest(all: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const roles = [...new Set(all.flatMap((counted) => Object.keys(counted)))];
  return Object.fromEntries(
    roles.map((role) => [role, Math.min(...all.map((counted) => counted[role] ?? 0))]),
  );
}

/** A container is what execs the container's program; everything else serves it. */
const roleOf = (lines: readonly string[]): string =>
  lines.some((line) => /\bexecve(at)?\(.*"\/stamp"/.test(line)) ? "containers" : "keeper";

type Occasion = { readonly occasion: string; readonly begin: number; readonly end: number };

function occasionsOf(lines: readonly string[]): Occasion[] {
  const marker = /^(\d+\.\d+) .*"\/peapod-bench-marker\/([^/"]+)\/(begin|end)"/;
  const marks = lines.flatMap((line) => {
    const [, time, occasion = "", edge] = marker.exec(line) ?? [];
    return time === undefined ? [] : [{ occasion, edge, time: Number(time) }];
  });
  return marks.flatMap(({ occasion, edge, time }, index) => {
    const end = marks.slice(index).find((mark) => mark.edge === "end");
    return edge === "begin" && end !== undefined ? [{ occasion, begin: time, end: end.time }] : [];
  });
}

/** Signals and exits have lines of their own, which are no calls. */
function isCallWithin(line: string, begin: number, end: number): boolean {
  const [, time] = /^(\d+\.\d+) \w+\(/.exec(line) ?? [];
  return time !== undefined && Number(time) > begin && Number(time) < end;
}
