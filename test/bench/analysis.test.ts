// What is said of samples: who is compared with whom, by which end, and what is left out.

import { describe, expect, test } from "bun:test";
import { comparisonsOf, conservative, growthOf, summaryOf } from "../../bench/report/analysis.ts";
import type { CellResult } from "../../bench/report/schema.ts";
import { benchOf, cellOf, joinBench, launchBench, reportOf, up } from "./report-fixture.ts";

const bench = launchBench();
const report = reportOf([bench]);
const cell = (subject: string): CellResult => bench.cells.find((each) => each.subject === subject)!;

describe("summaries", () => {
  test("leave disturbed rounds out whole, and keep every other sample", () => {
    const summary = summaryOf(bench, cell("peapod"), "up");
    expect(summary).toMatchObject({ count: 3, most: 210, median: { middle: 200 } });
  });

  test("of a cell that was absent are not there", () => {
    expect(summaryOf(bench, cell("runc"), "up")).toBeUndefined();
  });
});

describe("comparisons", () => {
  const compared = comparisonsOf(report, bench).map(({ of, to, kind, rounds, ratio }) => ({
    pair: `${of} / ${to}`,
    kind,
    rounds,
    middle: ratio.middle,
  }));

  test("are calls with calls, commands with commands, and across only under its own name", () => {
    expect(compared).toEqual([
      { pair: "peapod / floor", kind: "call", rounds: 3, middle: 2 },
      { pair: "crun / peapod (source)", kind: "command", rounds: 3, middle: 0.5 },
      { pair: "crun / peapod", kind: "call against command", rounds: 3, middle: 5 },
    ]);
  });

  test("pair what was measured in the same round", () => {
    const drift = benchOf("launch", [
      cellOf("peapod", up(20, 200, 2000)),
      cellOf("floor", up(10, 100, 1000)),
    ]);
    const [ratio] = comparisonsOf(reportOf([drift]), drift);
    expect(ratio?.ratio).toEqual({ low: 2, middle: 2, high: 2 });
  });

  test("do not mix shapes or works", () => {
    const mixed = benchOf("shapes", [
      cellOf("peapod", up(20), { shape: "1 container" }),
      cellOf("floor", up(10)),
    ]);
    expect(comparisonsOf(reportOf([mixed]), mixed)).toEqual([]);
  });

  test("claim by the worse end, also of rates", () => {
    const where = { shape: "", work: "", of: "crun", to: "peapod", rounds: 9 } as const;
    const ratio = { low: 4, middle: 5, high: 8 };
    const kind = "call against command";
    expect(conservative({ ...where, kind, metric: "up", ratio })).toBe(4);
    const rates = { low: 0.1, middle: 0.2, high: 0.25 };
    expect(conservative({ ...where, kind, metric: "rate", ratio: rates })).toBe(4);
  });
});

describe("growth", () => {
  test("is the slope of a further container, and the last ten over the second to eleventh", () => {
    const joins = joinBench(100);
    const [peapod, floor] = joins.cells.map((each) => growthOf(joins, each));
    expect(peapod).toMatchObject({ slope: { middle: 0 }, ratio: { low: 1, middle: 1, high: 1 } });
    expect(floor?.slope.middle).toBeCloseTo(1);
    expect(floor?.ratio.middle).toBeCloseTo(594.5 / 505.5);
  });

  test("is not told of a few joins", () => {
    const joins = joinBench(21);
    expect(joins.cells.map((each) => growthOf(joins, each))).toEqual([undefined, undefined]);
  });
});
