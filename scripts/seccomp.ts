// Prints src/plan/seccomp/programs.gen.ts: the filters that containers get by default, compiled.
// `--check` only says whether the committed file is fresh.

import { defaultCapabilities } from "../src/spec/capabilities.ts";
import { compileProfile, programKey } from "../src/plan/seccomp/compile.ts";
import { runtimeDefault } from "../src/plan/seccomp/runtime-default.ts";
import { oldestKernel } from "../src/resolve/host-facts.ts";
import { keepGenerated } from "./generated.ts";

const programs = (["x64", "arm64"] as const).flatMap((arch) =>
  [new Set(defaultCapabilities), new Set<string>()].map((capabilities) => {
    const target = { arch, capabilities, kernel: oldestKernel };
    const program = Buffer.from(compileProfile(runtimeDefault, target)).toString("base64");
    return `  ${JSON.stringify(programKey(runtimeDefault, target))}: ${JSON.stringify(program)},\n`;
  }),
);
const text = [
  "// Printed by scripts/seccomp.ts from runtime-default.ts. Do not edit.\n",
  "/** Programs of the default profile, in base64, by what of the profile applies. */",
  `export const programs: Readonly<Record<string, string>> = {\n${[...new Set(programs)].join("")}};`,
  "",
].join("\n");
await keepGenerated("src/plan/seccomp/programs.gen.ts", text, "scripts/seccomp.ts");
