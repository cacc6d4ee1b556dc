import { expect, test } from "bun:test";
import { readQuantity } from "../../src/read/pod-manifest/quantity.ts";

const value = (text: string, unit: "cpu" | "memory" = "memory") => {
  const read = readQuantity(text, unit);
  return "value" in read ? read.value : read.problem;
};

test("cpu is counted in thousandths and rounded up", () => {
  expect(
    ["1", "0.5", "500m", "0.1", "0.0001", "1u", "1n", "1.5", "2k", "0", "+1"].map((text) =>
      value(text, "cpu"),
    ),
  ).toEqual([1000, 500, 500, 100, 1, 1, 1, 1500, 2_000_000, 0, 1000]);
});

test("memory is counted in bytes and rounded up", () => {
  expect(value("128974848")).toBe(128974848);
  expect(value("129e6")).toBe(129000000);
  expect(value("129M")).toBe(129000000);
  expect(value("123Mi")).toBe(128974848);
  expect(value("128974848000m")).toBe(128974848);
  expect(value("1500m")).toBe(2);
  expect(value("1.5Gi")).toBe(1610612736);
  expect(value("0.1Ki")).toBe(103);
  expect(value("1.")).toBe(1);
  expect(value(".5Ki")).toBe(512);
  expect(value("1E")).toBe("is too large");
  expect(value("1e3")).toBe(1000);
  expect(value("1E3")).toBe(1000);
  expect(value("1e+3")).toBe(1000);
  expect(value("5000e-3")).toBe(5);
  expect(value("-1Ki")).toBe(-1024);
});

test("what is not a quantity is refused in Kubernetes' words", () => {
  const format =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
  for (const text of ["", "abc", "1 Gi", "Gi", "1Gx", "1,5", "1e3m", "--1", "1Gi\n"]) {
    expect(value(text)).toBe(format);
  }
  for (const text of ["1.2.3", ".", "1..0"]) {
    expect(value(text)).toBe("unable to parse numeric part of quantity");
  }
  for (const text of ["1K", "1ki", "1mi", "1e", "1Gn", "1Mi3"]) {
    expect(value(text)).toBe("unable to parse quantity's suffix");
  }
});

test("a number of any size costs nothing and never becomes inexact", () => {
  expect(value("9007199254740991")).toBe(9007199254740991);
  expect(value("9007199254740992")).toBe("is too large");
  expect(value("1e999999999")).toBe("is too large");
  expect(value("0e999999999")).toBe(0);
  expect(value("1e-999999999")).toBe(1);
  expect(value("9".repeat(65))).toBe("must be no more than 64 bytes");
});

test("decimal digits mean the same in every way of writing them", () => {
  const random = seeded(7);
  for (let round = 0; round < 2000; round++) {
    const milli = Math.floor(random() * 10 ** Math.floor(random() * 12));
    const whole = Math.floor(milli / 1000);
    const fraction = String(milli % 1000).padStart(3, "0");
    expect(value(`${milli}m`, "cpu")).toBe(milli);
    expect(value(`${whole}.${fraction}`, "cpu")).toBe(milli);
    expect(value(`${milli}e-3`, "cpu")).toBe(milli);
    expect(value(`${milli}000000n`, "cpu")).toBe(milli);
    // One billionth more is one thousandth more.
    expect(value(`${whole}.${fraction}000001`, "cpu")).toBe(milli + 1);
  }
});

test("binary suffixes are powers of 1024 of the same digits", () => {
  const random = seeded(11);
  for (let round = 0; round < 500; round++) {
    const count = Math.floor(random() * 8000);
    for (const [power, suffix] of ["", "Ki", "Mi", "Gi", "Ti"].entries()) {
      expect(value(`${count}${suffix}`)).toBe(count * 1024 ** power);
    }
  }
});

/** Repeatable numbers from 0 to 1 (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
