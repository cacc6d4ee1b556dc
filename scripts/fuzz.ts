// `bun run fuzz [TARGET…] [--seconds N] [--seed N]`: the fuzzers of test/fuzz for as long as you
// like, one after the other. An input that breaks something is kept in the target's corpus, where
// every later run starts.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { fuzz } from "../test/fuzz/fuzzer.ts";
import type { FuzzTarget } from "../test/fuzz/fuzzer.ts";
import { keeperTarget } from "../test/fuzz/keeper-target.ts";
import { layerTarget } from "../test/fuzz/layer-target.ts";
import { manifestTarget } from "../test/fuzz/manifest-target.ts";
import { planTarget } from "../test/fuzz/plan-target.ts";
import { seccompTarget, seccompWordsTarget } from "../test/fuzz/seccomp-target.ts";
import { usersTarget } from "../test/fuzz/users-target.ts";
import { root } from "./library.mjs";

const { values, positionals } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    seed: { type: "string", default: String(Date.now() % 2 ** 31) },
  },
  allowPositionals: true,
});

using users = usersTarget();
using layers = layerTarget();
const targets: readonly FuzzTarget[] = [
  planTarget,
  manifestTarget,
  seccompTarget,
  seccompWordsTarget,
  users,
  // Keepers and the files of layers are real, and need root.
  ...(process.getuid?.() === 0 ? [keeperTarget, layers] : []),
];
const unknown = positionals.filter((name) => targets.every((target) => target.name !== name));
if (unknown.length > 0) {
  const names = targets.map(({ name }) => name).join(", ");
  console.error(`no fuzzer ${unknown.join(", ")}; there are ${names}`);
  process.exit(2);
}

for (const target of targets) {
  if (positionals.length > 0 && !positionals.includes(target.name)) continue;
  const options = { seconds: Number(values.seconds), seed: Number(values.seed) };
  const { inputs, verdicts, failure } = await fuzz(target, options);
  const told = `${target.name}: ${inputs} inputs, ${verdicts} verdicts, seed ${options.seed}`;
  if (!failure) {
    console.log(told);
    continue;
  }
  const hash = Bun.hash(failure.input).toString(16);
  const folder = join(root, "test/fuzz/corpus", target.name);
  mkdirSync(folder, { recursive: true });
  const file = join(folder, hash);
  writeFileSync(file, failure.input);
  console.error(`${told}\nfailed on ${file}:`, failure.error);
  process.exitCode = 1;
}
