// Statistics against what can be computed by hand, and against samples with a known truth.

import { describe, expect, test } from "bun:test";
import {
  binned,
  median,
  medianInterval,
  medianSlope,
  quantile,
  ratioInterval,
  seededRandom,
  shuffled,
} from "../../bench/statistics.ts";

describe("quantiles", () => {
  test("lie between the two nearest ranks", () => {
    expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5);
    expect(quantile([10, 20, 30], 0.25)).toBe(15);
    expect(quantile([5], 0.99)).toBe(5);
  });

  test("sort numbers, not their digits", () => {
    expect(median([100, 9, 20])).toBe(20);
  });

  test("of nothing are not a number", () => {
    expect(median([])).toBeNaN();
  });
});

describe("seeded order", () => {
  test("is the same for the same seed, and another for another", () => {
    const items = Array.from({ length: 20 }, (_, index) => index);
    const order = (seed: number) => shuffled(items, seededRandom(seed));
    expect(order(7)).toEqual(order(7));
    expect(order(7)).not.toEqual(order(8));
    expect(order(7).toSorted((a, b) => a - b)).toEqual(items);
  });

  test("puts every item in every place about equally often", () => {
    const random = seededRandom(1);
    const first = Array.from({ length: 3000 }, () => shuffled(["a", "b", "c"], random)[0]);
    for (const name of ["a", "b", "c"]) {
      const share = first.filter((each) => each === name).length / first.length;
      expect(share).toBeGreaterThan(0.3);
      expect(share).toBeLessThan(0.37);
    }
  });
});

describe("intervals", () => {
  test("hold the median that the samples were drawn around", () => {
    const random = seededRandom(3);
    const pairs = Array.from({ length: 60 }, () => ({ of: 2 + random() - 0.5, to: 1 }));
    const { low, middle, high } = ratioInterval(pairs, seededRandom(4));
    expect(low).toBeLessThan(2);
    expect(high).toBeGreaterThan(2);
    expect(low).toBeLessThanOrEqual(middle);
    expect(high).toBeGreaterThanOrEqual(middle);
    expect(high - low).toBeLessThan(0.4);
  });

  test("are as wide as the rounds differ, however many values each round has", () => {
    const random = seededRandom(5);
    // Ten rounds of a hundred equal values: one observation each, not a hundred.
    const rounds = Array.from({ length: 10 }, () => Array<number>(100).fill(random()));
    const { low, high } = medianInterval(rounds, seededRandom(6));
    const ends = rounds.map((round) => round[0] ?? 0).toSorted((a, b) => a - b);
    expect(high - low).toBeGreaterThan(((ends[9] ?? 0) - (ends[0] ?? 0)) / 5);
  });

  test("of one round are that round", () => {
    const { low, middle, high } = ratioInterval([{ of: 3, to: 2 }], seededRandom(1));
    expect([low, middle, high]).toEqual([1.5, 1.5, 1.5]);
  });
});

describe("slopes", () => {
  test("are not moved by an outlier", () => {
    const points = Array.from({ length: 20 }, (_, x) => ({ x, y: 3 * x + 1 }));
    expect(medianSlope(points)).toBe(3);
    expect(medianSlope([...points.slice(0, 19), { x: 19, y: 100_000 }])).toBe(3);
  });

  test("are taken over the middles of bins", () => {
    expect(binned([1, 3, 5, 7, 9], 2)).toEqual([
      { x: 1.5, y: 2 },
      { x: 3.5, y: 6 },
      { x: 5, y: 9 },
    ]);
  });
});
