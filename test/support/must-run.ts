// Tests that not every machine can run: they say why, and in CI (`PEAPOD_MUST_RUN=1`) that is a
// failure.

import { test, type TestOptions } from "bun:test";

type Body = () => void | Promise<void>;
type Declare = (name: string, body: Body, options?: number | TestOptions) => void;

const reasonsSaid = new Set<string>();

/**
 * `test` where the condition holds. Elsewhere a skip that gives its reason once, or a failing test
 * when all must run.
 *
 *     const rootTest = testOrSkip(process.getuid?.() === 0, "needs root");
 *     rootTest("a container is born in its cgroup", async () => { … });
 */
export function testOrSkip(condition: boolean, reason: string): Declare {
  if (condition) return test;
  if (process.env.PEAPOD_MUST_RUN === "1") {
    return (name) =>
      test(name, () => {
        throw new Error(`must run here, but ${reason}`);
      });
  }
  return (name, body) => {
    if (!reasonsSaid.has(reason)) console.error(`skipped: ${reason}`);
    reasonsSaid.add(reason);
    test.skip(name, body);
  };
}
