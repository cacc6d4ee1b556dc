// One more name for an image.

import { defineCommand } from "../command.ts";
import { usageError } from "../flags.ts";
import { openFromFlags } from "../open.ts";
import { clean } from "../text.ts";

const usage = "tag IMAGE NAME [flags]";

export const tag = defineCommand({
  usage: [usage],
  about: ["Give an image of the store one more name; a name that is taken moves to this image."],
  examples: [["peapod tag nginx:1.27 127.0.0.1:5000/nginx:mine", "before a push"]],
  flags: {},
  run: async ({ flags, operands, io }) => {
    const [source, target, extra] = operands;
    if (source === undefined || target === undefined || extra !== undefined) {
      throw usageError("an image and its new name are wanted", `usage: peapod ${usage}`);
    }
    await using peapod = await openFromFlags(flags, io);
    io.stdout.write(`${clean(await peapod.images.tag(source, target))}\n`);
    return 0;
  },
});
