// Is the floor low enough to measure against? Both claims are tested by the end of their interval
// that is better for the floor: a busy machine widens intervals, and fails nothing by that.
import { afterAll, beforeAll, expect } from "bun:test";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Answer, type Floor, startFloor } from "../../bench/floor.ts";
import { criticalPath } from "../../bench/floor/critical-path.ts";
import { fullShape, type Shape } from "../../bench/shape.ts";
import { intervalOfRounds, median, seededRandom, shuffled } from "../../bench/statistics.ts";
import { testOrSkip } from "../support/must-run.ts";

const rootTest = testOrSkip(process.getuid?.() === 0, "the floor needs root");
const rounds = 15;
const warmUps = 2;
const pauseMs = 20;
let directory = "";

beforeAll(() => {
  // In memory where there is such a place: a disk's journal costs both twins the same.
  const place = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
  directory = mkdtempSync(join(place, "floor-test-"));
});
afterAll(() => {
  rmSync(directory, { recursive: true });
});

const questions = [
  ["a pod of the full shape", fullShape, "launch", "up"],
  ["a pod on the host's network", { ...fullShape, network: false }, "launch", "up"],
  ["a pod with a read-only root", { ...fullShape, readOnlyRoot: true }, "launch", "up"],
  ["a join", fullShape, "join 1", "join"],
  ["a command in a running container", fullShape, "exec 1", "exec"],
] as const satisfies readonly (readonly [string, Shape, string, string])[];

for (const [what, shape, command, span] of questions) {
  rootTest(
    `${what}: at most 0.75 of the naive twin, at most 1.15 of its own calls`,
    async () => {
      const measured = await measure(shape, command, span);
      const random = seededRandom(1);
      const toNaive = intervalOfRounds(
        measured,
        (some) => median(some.map(({ best, naive }) => best.wallNs / naive.wallNs)),
        random,
      );
      const toCalls = intervalOfRounds(
        measured,
        (some) => median(some.map(({ best }) => best.wallNs / best.callsNs)),
        random,
      );
      expect(toNaive.low).toBeLessThanOrEqual(0.75);
      expect(toCalls.low).toBeLessThanOrEqual(1.15);
      // Calls that were longer than the time that they took would be counted twice.
      expect(toCalls.low).toBeGreaterThanOrEqual(1);
    },
    60_000,
  );
}

type Round = Readonly<Record<"best" | "naive", ReturnType<typeof criticalPath>>>;

async function measure(shape: Shape, command: string, span: string): Promise<Round[]> {
  const options = { directory, calls: true };
  const best = await startFloor("best", shape, options);
  const naive = await startFloor("naive", shape, options);
  const measured: Round[] = [];
  const random = seededRandom(2);
  try {
    for (let round = -warmUps; round < rounds; round += 1) {
      const paths: Record<string, ReturnType<typeof criticalPath>> = {};
      const twins: [string, Floor][] = [
        ["best", best],
        ["naive", naive],
      ];
      for (const [name, floor] of shuffled(twins, random)) {
        await Bun.sleep(pauseMs);
        paths[name] = pathOf(await floor.ask(command), span);
      }
      if (round >= 0) measured.push(paths as Round);
    }
  } finally {
    await best.end();
    await naive.end();
  }
  return measured;
}

function pathOf(answer: Answer, span: string) {
  const [found] = answer.spans.filter((one) => one.span === span);
  if (found === undefined) throw new Error(`the floor wrote no calls of ${span}`);
  return criticalPath(found);
}
