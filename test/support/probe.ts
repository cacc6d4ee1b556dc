// The static program that tests put into containers (zig/guest/probe.zig), and its answers.

import { resolve } from "node:path";

const repository = resolve(import.meta.dir, "../..");
const program = `${repository}/zig-out/bin/peapod-probe`;
let isBuilt = false;

/**
 * One line of the probe: `answer` where it saw something, `error` (an errno's name) where the
 * kernel refused.
 */
export interface ProbeLine {
  readonly ask: string;
  readonly answer?: unknown;
  readonly error?: string;
}

/** The program's path on the host. The compiler's cache makes all but the first build cheap. */
export function probePath(): string {
  // A virtual machine has no time to compile; whoever boots it has built the probe.
  if (isBuilt || process.env.PEAPOD_TEST_IN_VM === "1") return program;
  const built = Bun.spawnSync({
    cmd: [`${repository}/node_modules/.bin/zig`, "build", "probe"],
    cwd: repository,
  });
  if (built.exitCode !== 0) throw new Error(`no probe:\n${built.stderr.toString()}`);
  isBuilt = true;
  return program;
}

/**
 * Lines that the probe's behaviours wrote themselves (`say`, `print`) are left out, and a last one
 * that is still being written.
 */
export function probeLines(output: string): ProbeLine[] {
  const lines = output.split("\n");
  const unended = lines.pop() ?? "";
  if (isJson(unended)) lines.push(unended);
  return lines
    .filter((line) => line.startsWith('{"ask":'))
    .map((line) => JSON.parse(line) as ProbeLine); // The format of zig/guest/probe.zig.
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Question to answer, or to the errno's name. A question asked twice keeps its last answer. */
export function probeAnswers(output: string): Record<string, unknown> {
  return Object.fromEntries(
    probeLines(output).map((line) => [line.ask, line.error ?? line.answer]),
  );
}
