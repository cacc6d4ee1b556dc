// Images from files and standard input into the store.

import { defineCommand } from "../command.ts";
import { printData } from "../data.ts";
import type { FlagTable } from "../flags.ts";
import { usageError } from "../flags.ts";
import { openFromFlags } from "../open.ts";
import { clean } from "../text.ts";

const usage = "load [FILE] [flags]";

const flags = {
  input: { kind: "text", short: "i", value: "FILE", help: "the same as FILE, as docker has it" },
  name: { kind: "text", value: "NAME", help: "call the one image so, whatever the archive says" },
} as const satisfies FlagTable;

export const load = defineCommand({
  usage: [usage],
  about: [
    "Load images from an OCI layout, an OCI archive or what docker save wrote, compressed or not.",
    "Without FILE, or with -, the archive comes from standard input.",
  ],
  examples: [
    ["peapod load app.tar", "an archive"],
    ["docker save app:1 | peapod load", "straight from Docker"],
    ["peapod load --name app:1 ./layout", "a layout directory of one image"],
  ],
  flags,
  run: async ({ flags: given, operands, io }) => {
    const [operand, extra] = operands;
    const file = operand ?? given.input ?? "-";
    if (extra !== undefined || (operand !== undefined && given.input !== undefined)) {
      throw usageError("one archive is loaded at a time", `usage: peapod ${usage}`);
    }
    await using peapod = await openFromFlags(given, io);
    const source = file === "-" ? Bun.stdin.stream() : file;
    const options = given.name === undefined ? {} : { name: given.name };
    const names = await peapod.images.load(source, options);
    io.stdout.write(
      given.output === undefined
        ? names.map((name) => `loaded ${clean(name)}\n`).join("")
        : await printData(given.output, names),
    );
    return 0;
  },
});
