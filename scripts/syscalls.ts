// Prints src/plan/seccomp/syscalls.gen.ts, the numbers of the system calls, from Zig's tables.
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
const text = printTables({ x64: readTable(source, "X64"), arm64: readTable(source, "Arm64") });
await keepGenerated("src/plan/seccomp/syscalls.gen.ts", text, "scripts/syscalls.ts");

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
  const members = [...body[1].matchAll(/^ +(?:@")?(\w+)"? = (\d+),$/gm)];
  return members
    .map(([, call = "", number]): [string, number] => [kernelNames[call] ?? call, Number(number)])
    .sort(([, a], [, b]) => a - b);
}

function printTables(tables: Readonly<Record<string, [string, number][]>>): string {
  const printed = Object.entries(tables).map(
    ([arch, members]) =>
      `  ${arch}: () => ({\n${members.map(([name, number]) => `    ${name}: ${number},\n`).join("")}  }),\n`,
  );
  return [
    "// Printed by scripts/syscalls.ts from the tables of Zig's standard library. Do not edit.\n",
    "/** System call numbers by the kernel's names; made when a filter has to be compiled. */",
    `export const syscalls = {\n${printed.join("")}} as const;`,
    "",
  ].join("\n");
}
