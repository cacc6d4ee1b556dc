// Sends an image to a registry.

import { defineCommand } from "../command.ts";
import { printData } from "../data.ts";
import { Interrupted } from "../failure.ts";
import type { FlagTable } from "../flags.ts";
import { usageError } from "../flags.ts";
import { catchInterrupts, interruptStatus } from "../interrupts.ts";
import { openFromFlags } from "../open.ts";
import { ProgressPrinter } from "../pull-progress.ts";

const usage = "push IMAGE [NAME] [flags]";

const flags = {
  quiet: { kind: "switch", short: "q", help: "no progress, only the digest" },
} as const satisfies FlagTable;

export const push = defineCommand({
  usage: [usage],
  about: [
    "Push an image under its own name, or another. Only what the registry lacks is sent; what was",
    "pulled goes back under the same digests.",
  ],
  examples: [
    ["peapod push 127.0.0.1:5000/team/app:1", "under its own name"],
    ["peapod push nginx:1.27 registry.example/nginx:1.27", "a copy elsewhere"],
  ],
  flags,
  run: async ({ flags: given, operands, io }) => {
    const [source, target, extra] = operands;
    if (source === undefined || extra !== undefined) {
      throw usageError("one image is pushed at a time", `usage: peapod ${usage}`);
    }
    await using peapod = await openFromFlags(given, io);
    const stop = new AbortController();
    using _ = catchInterrupts((signal) => stop.abort(new Interrupted(interruptStatus(signal))));
    using progress = new ProgressPrinter(io);
    const digest = await peapod.images.push(source, target ?? source, {
      signal: stop.signal,
      ...(!given.quiet && given.output === undefined && { onProgress: progress.tell }),
    });
    const isData = given.output !== undefined;
    io.stdout.write(isData ? await printData(given.output, { digest }) : `${digest}\n`);
    return 0;
  },
});
