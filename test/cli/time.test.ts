import { expect, test } from "bun:test";
import {
  formatAge,
  formatDuration,
  formatElapsed,
  formatTimestamp,
  parseDuration,
} from "../../src/cli/time.ts";

test("a duration is read with units, and without one is seconds", () => {
  const texts = ["0", "30", "1.5", "250ms", "30s", "5m", "1h30m", "1.5h", "2d", "1h2m3s4ms"];
  expect(texts.map(parseDuration)).toEqual([
    ...[0, 30_000, 1500, 250, 30_000, 300_000, 5_400_000, 5_400_000, 172_800_000, 3_723_004],
  ]);
});

test("what is no duration is not guessed at", () => {
  const texts = ["", "s", "-1", "5 m", "5w", "1h30", "m5", "1e3", "∞"];
  expect(texts.map(parseDuration)).toEqual(texts.map(() => undefined));
});

test("an age has two units at the most, as kubectl prints it", () => {
  const minute = 60_000;
  const hour = 60 * minute;
  const day = 24 * hour;
  const ages: [number, string][] = [
    [-5000, "<invalid>"],
    [-1500, "0s"],
    [0, "0s"],
    [119_999, "119s"],
    [2 * minute, "2m"],
    [9 * minute + 59_000, "9m59s"],
    [10 * minute + 59_000, "10m"],
    [179 * minute, "179m"],
    [3 * hour, "3h"],
    [7 * hour + 59 * minute, "7h59m"],
    [8 * hour + 59 * minute, "8h"],
    [47 * hour, "47h"],
    [2 * day, "2d"],
    [7 * day + 23 * hour, "7d23h"],
    [8 * day + 23 * hour, "8d"],
    [729 * day, "729d"],
    [730 * day, "2y"],
    [800 * day, "2y70d"],
    [8 * 365 * day + day, "8y"],
  ];
  expect(ages.map(([ms]) => [ms, formatAge(ms)])).toEqual(ages);
});

test("what took time says so in the unit that fits", () => {
  expect([0.84, 12.3, 999, 1234, 125_000].map(formatElapsed)).toEqual([
    ...["0.8 ms", "12 ms", "999 ms", "1.2 s", "2m5s"],
  ]);
});

test("a limit is said as it may be written", () => {
  const durations = [0, 250, 1500, 30_000, 5_400_000, 3_723_000];
  const texts = durations.map(formatDuration);
  expect(texts).toEqual(["0s", "250ms", "1500ms", "30s", "1h30m", "1h2m3s"]);
  expect(texts.map(parseDuration)).toEqual(durations);
});

test("a timestamp keeps its nanoseconds", () => {
  expect(formatTimestamp(1_700_000_000_000_000_007n)).toBe("2023-11-14T22:13:20.000000007Z");
});
