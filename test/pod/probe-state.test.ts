// The kubelet's rules for counting probe answers, one row each.

import { describe, expect, test } from "bun:test";
import type { ProbeKind, ProbeState } from "../../src/pod/life/probes/probe-state.ts";
import { mayProbe, newProbeState, nextProbeState } from "../../src/pod/life/probes/probe-state.ts";

const thresholds = { successThreshold: 1, failureThreshold: 3 };

/** Answers as letters: `s` success, `f` failure. */
function after(kind: ProbeKind, answers: string, spec = thresholds): ProbeState {
  return [...answers].reduce(
    (state, letter) => nextProbeState(kind, spec, state, letter === "s" ? "success" : "failure"),
    newProbeState(kind),
  );
}

const results = (kind: ProbeKind, answers: string, spec = thresholds) =>
  [...answers].map((_, index) => after(kind, answers.slice(0, index + 1), spec).result);

describe("before the first answer", () => {
  test("a container is alive, not ready, and nobody knows whether it has started", () => {
    const kinds = ["liveness", "readiness", "startup"] as const;
    expect(kinds.map((kind) => newProbeState(kind).result)).toEqual([
      "success",
      "failure",
      "unknown",
    ]);
  });
});

describe("thresholds", () => {
  test("failures count in a row only", () => {
    expect(results("liveness", "ffsffsfff")).toEqual([
      ...Array<"success">(8).fill("success"),
      "failure",
    ]);
  });

  test("readiness is lost after failureThreshold answers and won after successThreshold", () => {
    const spec = { successThreshold: 2, failureThreshold: 3 };
    expect(results("readiness", "ssfffsfss", spec)).toEqual([
      "failure",
      "success",
      "success",
      "success",
      "failure",
      "failure",
      "failure",
      "failure",
      "success",
    ]);
  });

  test("a threshold of one decides at once", () => {
    const spec = { successThreshold: 1, failureThreshold: 1 };
    expect(results("readiness", "sfs", spec)).toEqual(["success", "failure", "success"]);
  });

  test("a startup probe is unknown until one of its thresholds is reached", () => {
    expect(results("startup", "fff")).toEqual(["unknown", "unknown", "failure"]);
    expect(results("startup", "ffs")).toEqual(["unknown", "unknown", "success"]);
  });
});

describe("what is decided stays so for this container", () => {
  test("a liveness probe that failed, and a startup probe either way", () => {
    expect(after("liveness", "fff")).toEqual({
      result: "failure",
      last: "failure",
      run: 0,
      isOnHold: true,
    });
    expect(after("liveness", "fffsss").result).toBe("failure");
    expect(after("startup", "sfff").result).toBe("success");
    expect(after("startup", "fffs").result).toBe("failure");
  });

  test("liveness that succeeds and readiness are asked on and on", () => {
    expect(after("liveness", "sss").isOnHold).toBe(false);
    expect(after("readiness", "fff").isOnHold).toBe(false);
  });
});

test("startup is probed before the container has started, the others after", () => {
  const kinds = ["startup", "liveness", "readiness"] as const;
  expect(kinds.map((kind) => mayProbe(kind, false))).toEqual([true, false, false]);
  expect(kinds.map((kind) => mayProbe(kind, true))).toEqual([false, true, true]);
});
