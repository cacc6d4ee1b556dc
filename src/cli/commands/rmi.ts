// Removes images by name or id.

import { defineCommand } from "../command.ts";
import { printData } from "../data.ts";
import type { FlagTable } from "../flags.ts";
import { usageError } from "../flags.ts";
import { openFromFlags } from "../open.ts";
import { printCollected } from "../collected.ts";

const usage = "rmi IMAGE… [flags]";

const flags = {
  force: {
    kind: "switch",
    short: "f",
    help: "also while a pod runs it: the names go, its files stay until it has ended",
  },
} as const satisfies FlagTable;

export const rmi = defineCommand({
  usage: [usage],
  about: [
    "Remove names from the store, and with the last name of an image its layers, unless another",
    "image or a pod needs them. An id stands for all names of its image.",
  ],
  examples: [
    ["peapod rmi nginx:1.27", "one name"],
    ["peapod rmi 4f06b3f1d1c5", "an image by the beginning of its id"],
  ],
  flags,
  run: async ({ flags: given, operands, io }) => {
    if (operands.length === 0)
      throw usageError("the name of an image is missing", `usage: peapod ${usage}`);
    await using peapod = await openFromFlags(given, io);
    const collected = await peapod.images.remove(operands, { force: given.force });
    io.stdout.write(
      given.output === undefined
        ? printCollected(collected)
        : await printData(given.output, collected),
    );
    return 0;
  },
});
