// Frees what nothing in the store leads to.

import { printCollected } from "../collected.ts";
import { defineCommand, noOperands } from "../command.ts";
import { printData } from "../data.ts";
import type { FlagTable } from "../flags.ts";
import { openFromFlags } from "../open.ts";

const usage = "prune [flags]";

const flags = {
  all: { kind: "switch", short: "a", help: "also images that no pod uses" },
  "older-than": {
    kind: "duration",
    value: "TIME",
    help: "with --all: only those pulled or tagged longer ago than this, such as 7d",
  },
} as const satisfies FlagTable;

export const prune = defineCommand({
  usage: [usage],
  about: [
    "Remove layers and blobs that no image names, and what pulls left that were cut off. With --all",
    "also images that no pod uses. It waits until nobody pulls. What a pod uses always stays.",
  ],
  examples: [
    ["peapod prune", "what is left over"],
    ["peapod prune --all --older-than 7d", "images of last week and before"],
  ],
  flags,
  run: async ({ flags: given, operands, io }) => {
    noOperands(operands, usage);
    await using peapod = await openFromFlags(given, io);
    const olderThanMs = given["older-than"];
    const collected = await peapod.images.prune({
      all: given.all,
      ...(olderThanMs !== undefined && { olderThanMs }),
    });
    io.stdout.write(
      given.output === undefined
        ? printCollected(collected)
        : await printData(given.output, collected),
    );
    return 0;
  },
});
