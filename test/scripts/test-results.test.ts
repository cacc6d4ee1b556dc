// The count that everyone believes: it must not lose a failure.

import { expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  countOutcomes,
  printCount,
  readFailures,
  readJunit,
  readZigSummary,
} from "../../scripts/test-results.ts";

test("Bun's own report is understood, and a file that does not load is a failure", () => {
  const folder = mkdtempSync(join(tmpdir(), "peapod-junit-"));
  try {
    writeFileSync(
      join(folder, "a.test.ts"),
      `import { describe, expect, test } from "bun:test";
       test("a & <b>", () => {});
       test.skip("not here", () => {});
       describe("group", () => { test("bad", () => { expect("<testcase").toBe("x"); }); });`,
    );
    writeFileSync(join(folder, "b.test.ts"), 'import "./missing.ts";');
    const { exitCode, stderr } = Bun.spawnSync({
      cmd: [process.execPath, "test", "--reporter=junit", "--reporter-outfile=out.xml"],
      cwd: folder,
      stdout: "ignore",
      stderr: "pipe",
    });
    const report = readFileSync(join(folder, "out.xml"), "utf8");
    expect(readJunit(report, ["a.test.ts", "b.test.ts"], exitCode)).toEqual([
      { name: "a.test.ts > a & <b>", result: "passed" },
      { name: "a.test.ts > not here", result: "skipped" },
      { name: "a.test.ts > group > bad", result: "failed" },
      { name: "b.test.ts > (no test ran)", result: "failed" },
    ]);
    const failures = readFailures(stderr.toString()).join("\n--\n");
    expect(failures).toContain('Expected: "x"');
    expect(failures).toMatch(/\(fail\) group > bad/);
    expect(failures).not.toContain("(pass)");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("an exit status without a failed test is a failure", () => {
  const report = '<testcase name="one" classname="" file="a.test.ts" />';
  expect(readJunit(report, ["a.test.ts"], 1)).toEqual([
    { name: "a.test.ts > one", result: "passed" },
    { name: "bun test > exit status 1", result: "failed" },
  ]);
});

test.each([
  [
    "Build Summary: 3/3 steps succeeded; 2/2 tests passed\n",
    0,
    { passed: 2, failed: 0, skipped: 0 },
  ],
  [
    "Build Summary: 1/3 steps succeeded (1 failed); 2/4 tests passed (1 skipped, 1 failed)\n",
    1,
    { passed: 2, failed: 1, skipped: 1 },
  ],
  [
    "Build Summary: 1/3 steps succeeded; 1 failed; 2/4 tests passed; 1 skipped; 1 failed\n",
    1,
    { passed: 2, failed: 1, skipped: 1 },
  ],
  [
    "error: expected ';'\nBuild Summary: 0/3 steps succeeded (1 failed)\n",
    1,
    { passed: 0, failed: 1, skipped: 0 },
  ],
  ["", 1, { passed: 0, failed: 1, skipped: 0 }],
])("zig's summary %j with status %d", (output, exitCode, expected) => {
  const count = countOutcomes(readZigSummary(output, exitCode));
  expect({ ...count, skipped: count.skipped.length }).toEqual(expected);
});

test("a test skipped in one run and passed in another was not skipped", () => {
  const count = countOutcomes([
    { name: "a", result: "skipped" },
    { name: "a", result: "passed" },
    { name: "b", result: "skipped" },
    { name: "b", result: "skipped" },
  ]);
  expect(count).toEqual({ passed: 1, failed: 0, skipped: ["b"] });
  expect(printCount(count, false)).toBe("1 passed, 0 failed, 1 skipped");
  expect(printCount(count, true)).toBe("1 passed, 1 failed");
  expect(printCount({ ...count, skipped: [] }, false)).toBe("1 passed, 0 failed");
});
