// A few seconds of each fuzzer but the keeper's. `bun run fuzz` goes on for longer.

import { expect, test } from "bun:test";
import { testOrSkip } from "../support/must-run.ts";
import { fuzz, randomFrom } from "./fuzzer.ts";
import type { FuzzTarget } from "./fuzzer.ts";
import { layerTarget } from "./layer-target.ts";
import { manifestTarget } from "./manifest-target.ts";
import { planTarget } from "./plan-target.ts";
import { seccompTarget, seccompWordsTarget } from "./seccomp-target.ts";
import { usersTarget } from "./users-target.ts";

const seconds = 3;

async function expectNoFailure(target: FuzzTarget): Promise<void> {
  const seed = 20_261_121;
  const { failure, inputs, verdicts } = await fuzz(target, { seconds, seed });
  const shown = failure && {
    error: String(failure.error),
    input: Buffer.from(failure.input).toString("base64"),
  };
  expect(shown).toBeUndefined();
  // A fuzzer that always meets the same answer tests nothing.
  expect({ inputs: inputs > 100, verdicts: verdicts > 5 }).toEqual({
    inputs: true,
    verdicts: true,
  });
}

test("any bytes for a plan are printed or refused", () => expectNoFailure(planTarget));

test("any text for a manifest is read or refused with a place", () =>
  expectNoFailure(manifestTarget));

test("any text for a seccomp profile is a program or refused", () =>
  expectNoFailure(seccompTarget));

test("seccomp profiles made at random decide as their words do", async () => {
  const { failure, inputs } = await fuzz(seccompWordsTarget, { seconds, seed: 7 });
  expect(failure).toBeUndefined();
  expect(inputs).toBeGreaterThan(5);
});

test("any passwd and group give ids in range or a refusal", async () => {
  using target = usersTarget();
  await expectNoFailure(target);
});

const rootTest = testOrSkip(process.getuid?.() === 0, "needs root");

rootTest("any bytes for a layer are unpacked in its place or refused", async () => {
  using target = layerTarget();
  await expectNoFailure(target);
});

test("a decoder that breaks its promise is found, and the input is handed over", async () => {
  const target: FuzzTarget = {
    name: "users",
    words: ["boom"],
    seeds: [new Uint8Array(4)],
    decode: (input) => {
      if (Buffer.from(input).includes("boom")) throw new Error("it did");
      return String(input.length % 4);
    },
  };
  const { failure } = await fuzz(target, { seconds: 5, seed: 1 });
  expect(String(failure?.error)).toBe("Error: it did");
  expect(Buffer.from(failure?.input ?? []).includes("boom")).toBe(true);
});

test("the same seed gives the same numbers", () => {
  const [one, other] = [randomFrom(7), randomFrom(7)];
  const numbers = Array.from({ length: 100 }, () => one(1000));
  expect(Array.from({ length: 100 }, () => other(1000))).toEqual(numbers);
  expect(new Set(numbers).size).toBeGreaterThan(80);
});
