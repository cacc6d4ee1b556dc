// The gate: what passes, what fails, how calls are counted, and that limits only fall.

import { describe, expect, test } from "bun:test";
import { join, resolve } from "node:path";
import {
  judgeCounts,
  judgeRatios,
  type Limits,
  parseLimits,
  raisedLimits,
} from "../../bench/gate-rules.ts";
import { countTraces } from "../../bench/system-calls.ts";

const repository = resolve(import.meta.dir, "../..");

describe("a ratio", () => {
  const judge = (low: number, middle: number, high: number) =>
    judgeRatios({ up: 2 }, new Map([["up", { low, middle, high }]]))[0]?.result;

  test("fails only when its whole interval is above the limit", () => {
    expect(judge(1.5, 1.8, 2.4)).toBe("passed");
    expect(judge(1.9, 2.6, 9)).toBe("passed");
    expect(judge(2, 2.1, 2.2)).toBe("passed");
    expect(judge(2.01, 2.1, 2.2)).toBe("failed");
  });

  test("that is no number, or was not measured, fails", () => {
    expect(judge(Number.NaN, Number.NaN, Number.NaN)).toBe("failed");
    expect(judgeRatios({ up: 2 }, new Map())).toEqual([
      { name: "up is at most 2 × the floor's", result: "failed", why: "it was not measured" },
    ]);
  });
});

describe("system calls", () => {
  test("fail above the limit, and in a role that has none", () => {
    const limits = { launch: { keeper: 10, module: 5 } };
    const verdicts = judgeCounts(limits, { launch: { keeper: 10, module: 6, zygote: 1 } });
    expect(verdicts.map(({ name, result }) => `${result}: ${name}`)).toEqual([
      "passed: launch: keeper makes at most 10 system calls",
      "failed: launch: module makes at most 5 system calls",
      "failed: launch: zygote makes at most 0 system calls",
    ]);
  });

  test("that were not counted fail", () => {
    const verdicts = judgeCounts({ join: { keeper: 10 } }, {});
    expect(verdicts.map(({ result, why }) => [result, why])).toEqual([
      ["failed", "it was not counted"],
    ]);
  });

  const marker = (time: number, edge: string) =>
    `${time}.000000 access("/peapod-bench-marker/launch/${edge}", F_OK) = -1 ENOENT (No such file)`;
  const call = (time: number, text = "read(3, ...) = 1") => `${time}.500000 ${text}`;

  test("are those between the markers, by role, and the fewest of all repetitions", () => {
    const traces = new Map([
      [1, [call(0), marker(10, "begin"), call(10), call(11), marker(12, "end"), call(13)]],
      [2, [call(10), call(11)]],
      [3, [call(10), call(12), `10.900000 execve("/stamp", ["/stamp"], []) = 0`]],
      [4, [`11.000000 --- SIGCHLD {si_signo=SIGCHLD} ---`, call(11, "clone3({...}) = 3")]],
    ]);
    // 2 is another thread of the traced program.
    expect(countTraces(traces, [1, 2])).toEqual({
      launch: { module: 2, containers: 2, keeper: 1 },
    });
    const again = [marker(20, "begin"), call(20), marker(21, "end")];
    const twice = new Map([...traces, [1, [...(traces.get(1) ?? []), ...again]] as const]);
    expect(countTraces(twice, [1, 2])).toEqual({
      launch: { module: 1, containers: 0, keeper: 0 },
    });
  });
});

describe("limits", () => {
  const limits: Limits = { ratios: { up: 2 }, systemCalls: { join: { keeper: 10 } } };

  test("may be lowered and added to, not raised and not removed", () => {
    const lowered = {
      ratios: { up: 1.5, down: 3 },
      systemCalls: { join: { keeper: 9, module: 3 } },
    };
    expect(raisedLimits(limits, lowered)).toEqual([]);
    expect(raisedLimits(limits, { ratios: { up: 2.1 }, systemCalls: { join: {} } })).toEqual([
      "ratio of up: 2 → 2.1",
      "system calls of keeper in join: 10 → gone",
    ]);
  });

  test("of this tree are not above those committed before", async () => {
    const path = "bench/limits.json";
    const git = (...words: string[]) => {
      const { exitCode, stdout } = Bun.spawnSync(["git", ...words], { cwd: repository });
      return exitCode === 0 ? stdout.toString() : "";
    };
    // Without git or its history (a package, a shallow clone) there is nothing to compare with.
    const commits = git("log", "--max-count=2", "--format=%H", "--", path).trim().split("\n");
    const committed = commits.map((commit) => git("show", `${commit}:${path}`)).filter(Boolean);
    const versions = [await Bun.file(join(repository, path)).text(), ...committed].map(parseLimits);
    const raised = versions.flatMap((younger, index) => {
      const older = versions[index + 1];
      return older === undefined ? [] : raisedLimits(older, younger);
    });
    expect(raised).toEqual([]);
  });
});
