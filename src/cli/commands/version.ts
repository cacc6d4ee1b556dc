// Which version this is, and of what it is made up.

import packageJson from "../../../package.json" with { type: "json" };
import { defineCommand, noOperands } from "../command.ts";
import { printData } from "../data.ts";
import type { FlagTable } from "../flags.ts";

const usage = "version [flags]";

const flagTable = {
  client: { kind: "switch", help: "accepted for the habit: there is nothing but a client" },
} as const satisfies FlagTable;

export const version = defineCommand({
  usage: [usage],
  about: ["Print the version. With -o json also that of Bun, of the kernel, and the processor."],
  examples: [
    ["peapod version", "one line; so does peapod --version"],
    ["peapod version -o json", "what a report of an error should say"],
  ],
  flags: flagTable,
  run: async ({ flags, operands, io }) => {
    noOperands(operands, usage);
    const kernel = (await Bun.file("/proc/sys/kernel/osrelease").text()).trim();
    const found = { peapod: packageJson.version, bun: Bun.version, kernel, arch: process.arch };
    io.stdout.write(
      flags.output ? await printData(flags.output, found) : `peapod ${packageJson.version}\n`,
    );
    return 0;
  },
});
