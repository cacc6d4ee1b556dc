// Prints src/plan/abi.gen.ts and src/native/layout.gen.ts from the operations that Zig defines.

import { join } from "node:path";
import { keepGenerated } from "./generated.ts";
import { root } from "./library.mjs";

/**
 * Compiled by the first call; Zig's cache answers the others. It must be this checkout's own: the
 * global one, the default of `zig run`, answers with what another checkout printed.
 */
function printed(...words: string[]): string {
  const zig = [join(root, "node_modules/.bin/zig"), "run", "--cache-dir", ".zig-cache"];
  const { stdout, exitCode } = Bun.spawnSync([...zig, "zig/abi.zig", "--", ...words], {
    cwd: root,
    stderr: "inherit",
  });
  if (exitCode !== 0) throw new Error("zig/abi.zig does not run; see above");
  return stdout.toString();
}

await keepGenerated("src/plan/abi.gen.ts", printed(), "scripts/abi.ts");
await keepGenerated("src/native/layout.gen.ts", printed("layout"), "scripts/abi.ts");
