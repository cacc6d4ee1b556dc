import { describe, expect, test } from "bun:test";
import type { BackOff } from "../../../src/pod/life/back-off.ts";
import { backOffEnd, nextBackOff } from "../../../src/pod/life/back-off.ts";
import { makeClock, timeScale } from "../../../src/pod/life/clock.ts";

/** Runs that end as soon as they begin; how long each waited. */
function waits(runs: number, scale = 1): number[] {
  const clock = makeClock(scale);
  let entry: BackOff | undefined;
  let nowMs = 1_000_000;
  return Array.from({ length: runs }, () => {
    const end = backOffEnd(entry, nowMs, clock) ?? nowMs;
    const waited = end - nowMs;
    entry = nextBackOff(entry, nowMs, end, clock);
    nowMs = end;
    return waited;
  });
}

describe("the back-off of restarts", () => {
  test("is none at first, then ten seconds, doubled up to five minutes", () => {
    const seconds = [0, 10, 20, 40, 80, 160, 300, 300];
    expect(waits(8)).toEqual(seconds.map((each) => each * 1000));
  });

  test("shrinks with the time scale and stays the same in what is kept", () => {
    expect(waits(4, 0.01)).toEqual([0, 100, 200, 400]);
    expect(nextBackOff({ delayMs: 10_000, updatedMs: 0 }, 1, 1, makeClock(0.01)).delayMs).toBe(
      20_000,
    );
  });

  test("starts over after more than ten minutes without an exit", () => {
    const entry = { delayMs: 80_000, updatedMs: 0 };
    const clock = makeClock(1);
    expect(backOffEnd(entry, 600_000, clock)).toBe(680_000);
    expect(backOffEnd(entry, 600_001, clock)).toBeUndefined();
    expect(nextBackOff(entry, 600_001, 600_001, clock).delayMs).toBe(10_000);
    expect(backOffEnd(entry, 6001, makeClock(0.01))).toBeUndefined();
  });
});

test("the time scale is a positive number, and otherwise 1", () => {
  expect(["0.01", "2", "0", "-1", "fast", ""].map((text) => timeScale(text))).toEqual([
    0.01, 2, 1, 1, 1, 1,
  ]);
});
