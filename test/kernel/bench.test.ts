// The benchmark for real, a few rounds of it: that it measures, and writes what it measured.

import { expect } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { readReport } from "../../bench/report/schema.ts";
import { hostMissing } from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";

const repository = resolve(import.meta.dir, "../..");
const compiler = join(repository, "node_modules/.bin/zig");
// The floor is compiled where it is measured.
const missing = hostMissing ?? (existsSync(compiler) ? undefined : "no Zig compiler");
const kernelTest = testOrSkip(missing === undefined, missing ?? "");
const timeoutMs = 60_000;

async function bench(...words: string[]) {
  const child = Bun.spawn([process.execPath, "run", "bench/main.ts", ...words], {
    cwd: repository,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { status: await child.exited, stdout, stderr };
}

kernelTest(
  "three rounds of starts are measured, written, and made into a page",
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "peapod-test-"));
    try {
      const file = join(folder, "result.json");
      const { status, stdout, stderr } = await bench(
        ...["launch", "--rounds", "3", "--containers", "2", "--subjects", "peapod,floor"],
        ...["--directory", folder, "--json", file, "--anyway", "--seed", "7"],
      );
      expect({ status, stderr: stderr.replace(/^the machine is busy.*\n/, "") }).toEqual({
        status: 0,
        stderr: "",
      });
      expect(stdout).toContain("up · 2 containers · launch");
      expect(stdout).not.toContain("failed");
      const report = await readReport(file);
      const [launch] = report.benches;
      expect(launch).toMatchObject({ name: "launch", seed: 7, regime: "isolated" });
      expect(launch?.cells.map(({ subject }) => subject)).toEqual(["peapod", "floor"]);
      for (const cell of launch?.cells ?? []) {
        expect(cell.samples).toHaveLength(3);
        for (const sample of cell.samples) {
          expect(sample?.["up"]?.[0]).toBeGreaterThan(0);
          expect(sample?.["first"]?.[0]).toBeGreaterThan(0);
          expect(sample?.["down"]?.[0]).toBeGreaterThan(0);
        }
      }
      expect((await bench("report", file)).status).toBe(0);
      expect(readdirSync(folder).toSorted()).toEqual([
        "result-ratio-floor.svg",
        "result-start.svg",
        "result.html",
        "result.json",
      ]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
  timeoutMs,
);

kernelTest(
  "without a question it lists them all, and an unknown one is an error",
  async () => {
    const { status, stdout } = await bench();
    expect(status).toBe(0);
    for (const name of ["launch", "join", "exec", "memory", "logs", "full", "gate", "compare"])
      expect(stdout).toMatch(new RegExp(`^  ${name}\\b`, "m"));
    const unknown = await bench("launhc");
    expect(unknown.status).toBe(2);
    expect(unknown.stderr).toStartWith("no such benchmark: launhc\n");
  },
  timeoutMs,
);
