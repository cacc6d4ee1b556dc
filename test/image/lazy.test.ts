// Pods of `host` and `rootfs:` must not pay for images: what they load may name the types of
// src/image, and load its files only on demand.

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join, normalize } from "node:path";

const root = join(import.meta.dir, "../..");
/** Where everything begins: the module, the command line, and the command that starts pods. */
const entries = ["src/index.ts", "src/cli/main.ts", "src/cli/commands/up.ts"];
const staticImport = /^(?:import|export) (?!type\b)[^;]*?from "([^"]+)"/gm;

/** File → who loads it at once, from the entries on. */
function loadedAtOnce(): Map<string, string> {
  const loaders = new Map(entries.map((path) => [path, "itself"]));
  for (const path of loaders.keys()) {
    const text = readFileSync(join(root, path), "utf8");
    for (const [, target = ""] of text.matchAll(staticImport)) {
      if (!target.startsWith(".")) continue;
      const file = normalize(join(path, "..", target));
      if (!loaders.has(file)) loaders.set(file, path);
    }
  }
  return loaders;
}

test("nothing of images is loaded before a pod wants one", () => {
  const loaders = loadedAtOnce();
  // Whatever a start needs is among them: the walk has not lost its way.
  expect(loaders.has("src/pod/start.ts")).toBe(true);
  const eager = [...loaders].filter(([path]) => path.startsWith("src/image/"));
  expect(eager.map(([path, loader]) => `${loader} loads ${path}`)).toEqual([]);
});
