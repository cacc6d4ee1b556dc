// What the test runners said, as one list of outcomes, and the count that it comes to.

export type Result = "passed" | "failed" | "skipped";

export interface Outcome {
  /** The same test has the same name in every run: file, describe blocks, title. */
  readonly name: string;
  readonly result: Result;
}

export interface Count {
  readonly passed: number;
  readonly failed: number;
  /** Names of tests that ran in no run at all. */
  readonly skipped: readonly string[];
}

/**
 * Reads Bun's JUnit report. A file that does not load is missing there, and a failing `beforeAll`
 * has no name: both show only in the exit code, so what was asked for is compared with what was
 * reported.
 */
export function readJunit(report: string, files: readonly string[], exitCode: number): Outcome[] {
  const outcomes = Array.from(
    report.matchAll(/<testcase ([^>]*?)(\/>|>([^]*?)<\/testcase>)/g),
    (match): Outcome => {
      const attributes = match[1] ?? "";
      const body = match[3] ?? "";
      const parts = ["file", "classname", "name"].map((name) => attribute(attributes, name));
      const name = parts.filter((part) => part !== "").join(" > ");
      if (body.includes("<failure") || body.includes("<error")) return { name, result: "failed" };
      return { name, result: body.includes("<skipped") ? "skipped" : "passed" };
    },
  );
  for (const file of files) {
    const isReported = outcomes.some((outcome) => outcome.name.startsWith(`${file} > `));
    if (!isReported) outcomes.push({ name: `${file} > (no test ran)`, result: "failed" });
  }
  if (exitCode !== 0 && !outcomes.some((outcome) => outcome.result === "failed")) {
    outcomes.push({ name: `bun test > exit status ${exitCode}`, result: "failed" });
  }
  return outcomes;
}

/**
 * The parts of what `bun test` printed that say why a test failed: from the end of the test before
 * it to its own line.
 */
export function readFailures(output: string): string[] {
  const ended = /^\((?:pass|skip|todo|fail)\) .*$|^\S+\.test\.ts:$|^\d+ tests failed:$/gm;
  let start = 0;
  const failures: string[] = [];
  for (const match of output.matchAll(ended)) {
    const end = match.index + match[0].length;
    const said = output.slice(start, end).trim();
    start = end;
    if (match[0].startsWith("(fail)") && said !== match[0]) failures.push(said);
  }
  return failures;
}

function attribute(text: string, name: string): string {
  const value = new RegExp(`(?:^| )${name}="([^"]*)"`).exec(text)?.[1] ?? "";
  return value
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&apos;", "'")
    .replaceAll("&amp;", "&");
}

/**
 * Reads the last line of `zig build test --summary all`: `3/3 steps succeeded; 2/4 tests passed; 1
 * skipped; …`.
 */
export function readZigSummary(output: string, exitCode: number): Outcome[] {
  const line = /^.*Build Summary:.*$/m.exec(output)?.[0] ?? "";
  const tests = line.slice(line.search(/\d+\/\d+ tests passed/));
  const [, passedText, totalText] = /^(\d+)\/(\d+) tests passed/.exec(tests) ?? [];
  const passed = Number(passedText ?? 0);
  const skipped = Number(/(\d+) skipped/.exec(tests)?.[1] ?? 0);
  const unsuccessful = Number(totalText ?? 0) - passed - skipped;
  const failed = exitCode === 0 ? 0 : Math.max(1, unsuccessful);
  const many = (count: number, result: Result) =>
    Array.from({ length: count }, (_, index) => ({
      name: `zig build test > ${result} ${index}`,
      result,
    }));
  return [...many(passed, "passed"), ...many(failed, "failed"), ...many(skipped, "skipped")];
}

/** A test that was skipped in one run and ran in another was not skipped. */
export function countOutcomes(outcomes: readonly Outcome[]): Count {
  const ran = new Set(
    outcomes.filter(({ result }) => result !== "skipped").map(({ name }) => name),
  );
  const skipped = outcomes.filter(({ result, name }) => result === "skipped" && !ran.has(name));
  return {
    passed: outcomes.filter(({ result }) => result === "passed").length,
    failed: outcomes.filter(({ result }) => result === "failed").length,
    skipped: [...new Set(skipped.map(({ name }) => name))],
  };
}

/** The last line of every run. Where everything must run, a skip is a failure. */
export function printCount(count: Count, mustRun: boolean): string {
  const skips = count.skipped.length;
  if (mustRun) return `${count.passed} passed, ${count.failed + skips} failed`;
  return `${count.passed} passed, ${count.failed} failed${skips > 0 ? `, ${skips} skipped` : ""}`;
}
