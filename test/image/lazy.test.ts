// Pods of `host` and `rootfs:` must not pay for images: what they load may name the types of
// src/image, and load its files only on demand.

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dir, "../..");

test("nothing outside src/image loads it at once", () => {
  const files = [...new Bun.Glob("src/**/*.ts").scanSync({ cwd: root })].filter(
    (path) => !path.startsWith("src/image/"),
  );
  const eager = files.flatMap((path) =>
    [
      ...readFileSync(join(root, path), "utf8").matchAll(
        /^(import|export) (?!type\b)[^;]*from "([^"]+)"/gm,
      ),
    ]
      .filter(([, , target = ""]) => /(^|\/)image\/[\w-]+\.ts$/.test(target))
      .map(([, , target]) => `${path} loads ${target}`),
  );
  expect(eager).toEqual([]);
});
