// What kind of file libpeapod.so is, and the keeper in it: both must do without a libc.

import { expect, test } from "bun:test";
import { join } from "node:path";
import { architectures, buildLibrary, root } from "../../scripts/library.mjs";
import { readElf } from "../support/elf.ts";

/** The compiler starts cold on a new machine. */
const timeoutMs = 120_000;

for (const architecture of architectures) {
  test(
    `the library for ${architecture} needs nothing and exports only what Bun calls`,
    () => {
      const { defined, ...rest } = readElf(buildLibrary(architecture));
      expect(rest).toEqual({
        machine: architecture,
        undefined: [],
        needs: [],
        hasThreadLocals: false,
      });
      expect([...defined].sort()).toEqual([
        "peapod_describe",
        "peapod_layout",
        "peapod_spawn",
        "peapod_syscall",
      ]);
    },
    timeoutMs,
  );

  test(
    `the keeper for ${architecture} is static and has no symbols`,
    () => {
      buildLibrary(architecture);
      const keeper = join(root, "zig-out", `linux-${architecture}`, "bin/peapod-keeper");
      expect(readElf(keeper)).toEqual({
        machine: architecture,
        defined: [],
        undefined: [],
        needs: [],
        hasThreadLocals: false,
      });
    },
    timeoutMs,
  );
}
