// Prints src/plan/seccomp/syscalls.gen.ts and foreign-syscalls.gen.ts, the numbers of the system
// calls, from Zig's tables.
// `--check` only says whether the committed file is fresh.

import { join, resolve } from "node:path";
import { keepGenerated } from "./generated.ts";

const root = join(import.meta.dir, "..");

/**
 * Zig names a few calls otherwise than arch/x86/entry/syscalls/syscall_64.tbl and
 * scripts/syscall.tbl do.
 */
const kernelNames: Readonly<Record<string, string>> = {
  fstatat64: "newfstatat",
  sysctl: "_sysctl",
};

const source = await Bun.file(join(standardLibrary(), "os/linux/syscalls.zig")).text();
const own = { x64: readTable(source, "X64"), arm64: readTable(source, "Arm64") };
const foreign = {
  x86: readTable(source, "X86"),
  x32: readTable(source, "X32"),
  arm: readTable(source, "Arm"),
};
for (const [file, text] of [
  ["syscalls", printTables("syscalls", "by the kernel's names", own)],
  ["foreign-syscalls", printTables("foreignSyscalls", "of other ABIs, with x32's bit", foreign)],
] as const) {
  await keepGenerated(`src/plan/seccomp/${file}.gen.ts`, text, "scripts/syscalls.ts");
}

/** Where the project's Zig keeps `std`. `zig env` prints it relative to the working directory. */
function standardLibrary(): string {
  const path = `${join(root, "node_modules/.bin")}:${process.env["PATH"] ?? ""}`;
  const zig = Bun.which("zig", { PATH: path });
  if (zig === null) throw new Error("zig is not installed: run npm install");
  const { stdout } = Bun.spawnSync([zig, "env"], { cwd: root });
  const found = /\.std_dir = "([^"]+)"/.exec(stdout.toString())?.[1];
  if (found === undefined) throw new Error("zig env does not name a std_dir");
  return resolve(root, found);
}

/** The members of one `pub const Name = enum(usize) { … }`, by number. */
function readTable(zig: string, name: string): [string, number][] {
  const body = new RegExp(`^pub const ${name} = enum\\(usize\\) \\{\\n([^}]*)^\\};`, "m").exec(zig);
  if (!body?.[1]) throw new Error(`syscalls.zig has no table ${name}`);
  const base = Number(/^ +const \w+ = (0x[0-9a-f]+);/m.exec(body[1])?.[1] ?? 0);
  const members = [...body[1].matchAll(/^ +(?:@")?(\w+)"? = (\w+ \+ )?(\d+),$/gm)];
  return members
    .map(([, call = "", offset, number]): [string, number] => [
      kernelNames[call] ?? call,
      Number(number) + (offset === undefined ? 0 : base),
    ])
    .sort(([, a], [, b]) => a - b);
}

function printTables(
  constant: string,
  what: string,
  tables: Readonly<Record<string, [string, number][]>>,
): string {
  const printed = Object.entries(tables).map(
    ([arch, members]) =>
      `  ${arch}: () => ({\n${members.map(([name, number]) => `    ${name}: ${number},\n`).join("")}  }),\n`,
  );
  return [
    "// Printed by scripts/syscalls.ts from the tables of Zig's standard library. Do not edit.\n",
    `/** System call numbers ${what}; made when a filter has to be compiled. */`,
    `export const ${constant} = {\n${printed.join("")}} as const;`,
    "",
  ].join("\n");
}
