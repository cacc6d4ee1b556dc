// `npm test`: everything that this host can run, and why it could not run the rest. It installs
// nothing.
//
//     npm test                      all suites
//     bun run scripts/test.ts zig pure      those suites
//
// The last line is `N passed, N failed`, with `, N skipped` where a test ran nowhere. With
// PEAPOD_MUST_RUN=1 those skips count as failures.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Verdict } from "../bench/gate-rules.ts";
import { probePath } from "../test/support/probe.ts";
import { bootVm, vmMissing } from "../test/vm/machine.ts";
import {
  countOutcomes,
  type Outcome,
  printCount,
  readFailures,
  readJunit,
  readZigSummary,
} from "./test-results.ts";

interface Suite {
  readonly name: string;
  /** Why it cannot run here; `undefined` where it can. */
  readonly missing: string | undefined;
  readonly run: () => Promise<Outcome[]>;
}

const repository = resolve(import.meta.dir, "..");
const vmTimeoutMs = 240_000;
/** Tests that a real machine does in a second take twenty in an emulated one. */
const vmTestTimeoutMs = 60_000;
/** Four times what the slowest test without a time of its own needs on an idle machine. */
const testTimeoutMs = 15_000;
const gateSeconds = 45;
const noRoot = process.getuid?.() === 0 ? undefined : "needs root";

const files = [
  ...new Bun.Glob("{test,examples}/**/*.test.ts").scanSync({ cwd: repository }),
].sort();
const vmFiles = files.filter((file) => file.startsWith("test/vm/"));
const kernelFiles = files.filter((file) => /^(test\/(kernel|escape)|examples)\//.test(file));
const packageFiles = files.filter((file) => file.startsWith("test/package/"));
const elsewhere = [...vmFiles, ...kernelFiles, ...packageFiles];
const pureFiles = files.filter((file) => !elsewhere.includes(file));
/** What depends on controllers or on the kernel; the emulated machine is too slow for all. */
const guestNames = [
  ...["documentation", "exec", "habits-top", "image-layers", "image-volume", "limits"],
  ...["namespaces", "resize", "volumes"],
];
const guestFiles = guestNames.map((name) => `test/kernel/${name}.test.ts`);

const suites: readonly Suite[] = [
  { name: "zig", missing: undefined, run: runZigTests },
  { name: "pure", missing: undefined, run: () => runBunTests(pureFiles) },
  { name: "package", missing: undefined, run: () => runBunTests(packageFiles) },
  { name: "kernel", missing: noRoot, run: () => runBunTests(kernelFiles) },
  { name: "vm", missing: vmMissing(), run: () => runBunTests(vmFiles) },
  { name: "kernel-in-vm", missing: vmMissing(), run: () => runInVm(guestFiles) },
  // Last, and alone on the machine: it measures.
  { name: "bench", missing: noRoot, run: runGate },
];

// Whether a skip matters is known only when every run has ended: it may have run in another.
const mustRun = process.env.PEAPOD_MUST_RUN === "1";
const env = { ...process.env, PEAPOD_MUST_RUN: "0" };

async function runZigTests(): Promise<Outcome[]> {
  const zig = `${repository}/node_modules/.bin/zig`;
  const child = Bun.spawn([zig, "build", "test", "--summary", "all", "--color", "off"], {
    cwd: repository,
    stdout: "ignore",
    stderr: "pipe",
  });
  const output = await new Response(child.stderr).text();
  process.stderr.write(output);
  return readZigSummary(output, await child.exited);
}

function bunTest(
  report: string,
  testFiles: readonly string[],
  timeoutMs = testTimeoutMs,
): string[] {
  const reporter = ["--reporter=junit", `--reporter-outfile=${report}`, `--timeout=${timeoutMs}`];
  return ["test", ...reporter, ...testFiles.map((file) => `./${file}`)];
}

async function runBunTests(testFiles: readonly string[]): Promise<Outcome[]> {
  if (testFiles.length === 0) return [];
  return await withFolder(async (folder) => {
    const report = join(folder, "junit.xml");
    const child = Bun.spawn([process.execPath, ...bunTest(report, testFiles)], {
      cwd: repository,
      env,
      stdio: ["ignore", "inherit", "pipe"],
    });
    const output = await echo(child.stderr);
    const exitCode = await child.exited;
    failures.push(...readFailures(output));
    return readJunit(textOf(report), testFiles, exitCode);
  });
}

/** Shows it as it comes, and keeps it. */
async function echo(stream: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const part of stream) {
    process.stderr.write(part);
    text += decoder.decode(part, { stream: true });
  }
  return text;
}

/** The benchmark's small mode; see bench/limits.json. */
async function runGate(): Promise<Outcome[]> {
  return await withFolder(async (folder) => {
    const file = join(folder, "verdicts.json");
    const gate = ["bench/main.ts", "gate", "--seconds", String(gateSeconds), "--json", file];
    // Its tables must not come after the count, which is the last line of standard output.
    const child = Bun.spawn([process.execPath, ...gate], {
      cwd: repository,
      stdio: ["ignore", 2, "inherit"],
    });
    const status = await child.exited;
    const text = textOf(file);
    if (text === "") return [{ name: `bench > exit status ${status}`, result: "failed" }];
    // Written by the gate, which has the same type.
    const verdicts: Verdict[] = JSON.parse(text);
    return verdicts.map(({ name, result, why }) => {
      if (result === "failed") failures.push(`bench > ${name}: ${why}`);
      return { name: result === "skipped" ? `bench: ${why}` : `bench > ${name}`, result };
    });
  });
}

async function runInVm(testFiles: readonly string[]): Promise<Outcome[]> {
  if (testFiles.length === 0) return [];
  // Whatever must be compiled is compiled here: the guest has no time for it.
  probePath();
  return await withFolder(async (exchange) => {
    let output = "";
    const { exitCode } = await bootVm({
      command: ["bun", ...bunTest("/run/exchange/junit.xml", testFiles, vmTestTimeoutMs)],
      timeoutMs: vmTimeoutMs,
      memoryMiB: 3072,
      diskMiB: 4096,
      modules: ["veth", "bridge", "nf_tables", "fuse"],
      exchange,
      onOutput: (text) => {
        output += text;
        process.stderr.write(text);
      },
    });
    failures.push(...readFailures(output));
    return readJunit(textOf(join(exchange, "junit.xml")), testFiles, exitCode);
  });
}

async function withFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "peapod-test-"));
  try {
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Empty where the runner died before it could report. */
function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

async function runSuite(suite: Suite): Promise<Outcome[]> {
  if (suite.missing !== undefined) {
    console.error(`\n== ${suite.name}: skipped: ${suite.missing}`);
    return [{ name: `${suite.name}: ${suite.missing}`, result: "skipped" }];
  }
  console.error(`\n== ${suite.name}`);
  const before = performance.now();
  try {
    return await suite.run();
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return [{ name: `${suite.name}: did not run to its end`, result: "failed" }];
  } finally {
    console.error(`== ${suite.name}: ${((performance.now() - before) / 1000).toFixed(1)} s`);
  }
}

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !suites.some((suite) => suite.name === name));
if (unknown.length > 0) {
  console.error(
    `no such suite: ${unknown.join(", ")} (${suites.map(({ name }) => name).join(", ")})`,
  );
  process.exit(2);
}

const outcomes: Outcome[] = [];
/** What the runners said of each failure: a log that is cut keeps its end. */
const failures: string[] = [];
for (const suite of suites) {
  if (wanted.length === 0 || wanted.includes(suite.name)) outcomes.push(...(await runSuite(suite)));
}

const count = countOutcomes(outcomes);
console.error("");
for (const failure of failures) console.error(`${failure}\n`);
for (const { name, result } of outcomes) if (result === "failed") console.error(`failed: ${name}`);
for (const name of count.skipped)
  console.error(`${mustRun ? "failed, because skipped" : "skipped"}: ${name}`);
console.log(printCount(count, mustRun));
process.exitCode = count.failed > 0 || (mustRun && count.skipped.length > 0) ? 1 : 0;
