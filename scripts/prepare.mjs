// npm's `prepare`, also `npm run build:library`: what a checkout needs before it can start a pod.
// Plain JavaScript for node: whether Bun works is among the things to find out.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { architectures, buildLibrary, root, StepError } from "./library.mjs";

/** In this order; the name of a step that fails is what the error begins with. */
const steps = {
  system: checkSystem,
  bun: checkBun,
  library: () => architectures.filter((name) => name === process.arch).forEach(buildLibrary),
};

function checkSystem() {
  const { arch, platform } = process;
  if (platform === "linux" && architectures.some((name) => name === arch)) return;
  throw new StepError(`peapod needs Linux on x64 or arm64, and this is ${platform} on ${arch}`);
}

/** Until its install step has run, node_modules/.bin/bun is a text that says it is not Bun. */
function checkBun() {
  const program = join(root, "node_modules/.bin/bun");
  if (!existsSync(program)) {
    if (process.versions["bun"] !== undefined) return;
    throw new StepError("bun is not installed: run npm install, without --omit=dev");
  }
  const { status } = spawnSync(program, ["--version"], { stdio: "ignore" });
  if (status === 0 || process.versions["bun"] !== undefined) return;
  throw new StepError(
    "node_modules/.bin/bun does not run: its install step was blocked or it is for another " +
      "system. With npm 12 run: npm approve-scripts bun && npm rebuild bun; then npm install",
  );
}

// With --package-lock-only npm installs nothing, and still comes here.
const wanted = process.env["npm_config_package_lock_only"] === "true" ? {} : steps;

for (const [name, step] of Object.entries(wanted)) {
  try {
    step();
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    console.error(`error: preparing peapod, step ${name}: ${error.message}`);
    process.exit(1);
  }
}
