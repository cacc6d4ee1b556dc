// A few seconds of the fuzzer of the keeper's protocol: it needs root, for keepers are real.

import { expect } from "bun:test";
import { fuzz } from "../fuzz/fuzzer.ts";
import { keeperTarget } from "../fuzz/keeper-target.ts";
import { hostMissing } from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";

testOrSkip(hostMissing === undefined, hostMissing ?? "")(
  "any bytes on a keeper's socket are answered or refused",
  async () => {
    const { failure, inputs, verdicts } = await fuzz(keeperTarget, {
      seconds: 5,
      seed: 20_261_121,
    });
    const shown = failure && {
      error: String(failure.error),
      input: Buffer.from(failure.input).toString("base64"),
    };
    expect(shown).toBeUndefined();
    expect({ inputs: inputs > 100, verdicts: verdicts > 5 }).toEqual({
      inputs: true,
      verdicts: true,
    });
  },
  30_000,
);
