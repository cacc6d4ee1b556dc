// What a container wrote, as an image.

import { defineCommand } from "../command.ts";
import type { FlagTable } from "../flags.ts";
import { usageError } from "../flags.ts";
import { openFromFlags } from "../open.ts";
import { namespaceFlag, qualify } from "../pods.ts";
import { clean } from "../text.ts";

const usage = "commit POD IMAGE [flags]";

const flags = {
  container: { kind: "text", short: "c", value: "NAME", help: "default: the first of the pod" },
  message: { kind: "text", short: "m", value: "TEXT", help: "a comment for the image's history" },
  ...namespaceFlag,
} as const satisfies FlagTable;

export const commit = defineCommand({
  usage: [usage],
  about: [
    "Make an image of a container's image and what the container has written. The container stands",
    "still meanwhile. Volumes, and the files that peapod brings, are not in it.",
  ],
  examples: [["peapod commit web team/web:patched -m 'fixed by hand'", "its first container"]],
  flags,
  run: async ({ flags: given, operands, io }) => {
    const [pod, image, extra] = operands;
    if (pod === undefined || image === undefined || extra !== undefined) {
      throw usageError("a pod and the name of the image are wanted", `usage: peapod ${usage}`);
    }
    await using peapod = await openFromFlags(given, io);
    const name = await peapod.commit(qualify(pod, given.namespace), image, {
      ...(given.container !== undefined && { container: given.container }),
      ...(given.message !== undefined && { comment: given.message }),
    });
    io.stdout.write(`${clean(name)}\n`);
    return 0;
  },
});
