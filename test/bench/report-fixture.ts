// A small result with what a real one has: calls, commands, a control, a failure, an absence, a
// disturbed round.

import type { BenchResult, CellResult, Report } from "../../bench/report/schema.ts";

type Samples = CellResult["samples"];

const quiet = { wallMs: 100, stolenMs: 0, disturbed: false };
const loads = {
  before: { runnable: 0.1, stolenTicks: 0 },
  after: { runnable: 0.4, stolenTicks: 9 },
};

export function cellOf(subject: string, samples: Samples, more: Partial<CellResult> = {}) {
  return { subject, shape: "2 containers", work: "launch", samples, failures: [], ...more };
}

export function benchOf(
  name: string,
  cells: readonly CellResult[],
  more: Partial<BenchResult> = {},
): BenchResult {
  const length = Math.max(...cells.map(({ samples }) => samples.length));
  return {
    name,
    question: `what about ${name}`,
    regime: "isolated",
    seed: 1,
    warmUps: 1,
    rounds: Array.from({ length }, () => quiet),
    load: loads,
    cells: [...cells],
    ...more,
  };
}

export function reportOf(benches: readonly BenchResult[]): Report {
  const subject = (name: string, surface: "call" | "command") => ({
    name,
    surface,
    cpuCounts: "itself",
    version: "1",
  });
  return {
    format: 1,
    startedAt: "2026-01-02T03:04:05.000Z",
    tookSeconds: 60,
    environment: { kernel: "6.1.0", processors: "2 × <something>" },
    subjects: [
      subject("peapod", "call"),
      subject("floor", "call"),
      subject("peapod (source)", "command"),
      subject("crun", "command"),
      { name: "runc", surface: "command", cpuCounts: "", absent: "not installed" },
    ],
    benches: [...benches],
    waterfalls: [
      {
        subject: "peapod",
        shape: "2 containers",
        spans: [
          { lane: "module", label: "plan", stage: "outside the plan", startMs: 0, endMs: 1 },
          { lane: "c0", label: "mount /proc & more", stage: "build", startMs: 1, endMs: 2.5 },
        ],
      },
    ],
  };
}

export const up = (...values: number[]): Samples => values.map((value) => ({ up: [value] }));

/** Four rounds, of which one was disturbed, as often as asked. */
export function launchBench(times = 1): BenchResult {
  const rounds = [quiet, quiet, { wallMs: 100, stolenMs: 90, disturbed: true }, quiet];
  const repeated = <T>(values: readonly T[]): T[] => Array(times).fill(values).flat();
  return benchOf(
    "launch",
    [
      cellOf("peapod", repeated(up(200, 210, 9000, 190))),
      cellOf("floor", repeated(up(100, 105, 100, 95))),
      cellOf("peapod (source)", repeated(up(2000, 2100, 2000, 1900))),
      cellOf("crun", repeated([...up(1000, 1050), null, ...up(950)]), {
        failures: [{ round: 2, message: "it <broke>" }],
      }),
      cellOf("runc", [], { absent: "not installed" }),
    ],
    { rounds: repeated(rounds) },
  );
}

/** Peapod's joins are flat; the floor's grow by a microsecond each. */
export function joinBench(count: number): BenchResult {
  const joins = (of: (place: number) => number): Samples =>
    [0, 1, 2].map(() => ({ join: Array.from({ length: count }, (_, place) => of(place)) }));
  const where = { shape: "1 container", work: `join × ${count}` };
  return benchOf("join", [
    cellOf(
      "peapod",
      joins(() => 800),
      where,
    ),
    cellOf(
      "floor",
      joins((place) => 500 + place),
      where,
    ),
  ]);
}
