// `bun run check`: what can be said in seconds, without root and without starting anything. One
// line for each question; what is wrong is printed below its line.

import { join } from "node:path";
import { root } from "./library.mjs";

interface Check {
  readonly name: string;
  readonly command: readonly string[];
  readonly remedy: string;
}

const bun = process.execPath;
const zig = join(root, "node_modules/.bin/zig");

const checks: readonly Check[] = [
  { name: "format", command: [bun, "fmt", "--no-script", "--check"], remedy: "bun fmt" },
  {
    name: "zig format",
    command: [zig, "fmt", "--check", "build.zig", "zig", "bench"],
    remedy: "npx zig fmt build.zig zig bench",
  },
  {
    name: "types",
    command: [bun, "check", "--no-script", "--no-pretty"],
    remedy: "bun check --no-script shows the lines",
  },
  generated("abi"),
  generated("support"),
  generated("errors"),
  generated("commands"),
  generated("syscalls"),
  generated("seccomp"),
  {
    name: "tidy",
    command: [bun, "test", "--only-failures", "test/tidy.test.ts"],
    remedy: "see the rules in test/tidy.test.ts",
  },
];

function generated(script: string): Check {
  const path = `scripts/${script}.ts`;
  return { name: path, command: [bun, path, "--check"], remedy: `bun run ${path}` };
}

/** What is wrong; nothing when all is well. */
async function run({ command }: Check): Promise<string | undefined> {
  const child = Bun.spawn([...command], {
    cwd: root,
    env: { ...process.env, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return (await child.exited) === 0 ? undefined : `${stdout}${stderr}`.trimEnd();
}

let failures = 0;
for (const check of checks) {
  const before = performance.now();
  const flaw = await run(check);
  const took = `${((performance.now() - before) / 1000).toFixed(1)} s`;
  console.log(`${flaw === undefined ? "ok    " : "failed"}  ${check.name.padEnd(20)}  ${took}`);
  if (flaw === undefined) continue;
  failures += 1;
  console.log(`${flaw.replaceAll(/^/gm, "    ")}\n    remedy: ${check.remedy}`);
}
if (failures > 0) console.log(`${failures} of ${checks.length} checks failed`);
process.exitCode = failures === 0 ? 0 : 1;
