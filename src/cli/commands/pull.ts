// Brings images from registries into the store.

import { defineCommand } from "../command.ts";
import { printData } from "../data.ts";
import { Interrupted } from "../failure.ts";
import type { FlagTable } from "../flags.ts";
import { usageError } from "../flags.ts";
import { catchInterrupts, interruptStatus } from "../interrupts.ts";
import { openFromFlags } from "../open.ts";
import { ProgressPrinter } from "../pull-progress.ts";

const usage = "pull IMAGE… [flags]";

const flags = {
  platform: {
    kind: "text",
    value: "OS/ARCH",
    help: "of an image for several platforms (default: this host's)",
  },
  quiet: { kind: "switch", short: "q", help: "no progress, only the names" },
} as const satisfies FlagTable;

export const pull = defineCommand({
  usage: [usage],
  about: [
    "Pull images into the store: what is there already is not fetched again, and a pull that was cut",
    "off goes on where it was. Credentials come from the files of docker and skopeo login, mirrors",
    "from hosts.toml in containerd's layout.",
  ],
  examples: [
    ["peapod pull nginx:1.27", "from Docker Hub"],
    ["peapod pull 127.0.0.1:5000/team/app@sha256:…", "by digest, from a registry on this host"],
    ["peapod pull -o json alpine | jq -r .[0].id", "for programs"],
  ],
  flags,
  run: async ({ flags: given, operands, io }) => {
    if (operands.length === 0)
      throw usageError("the name of an image is missing", `usage: peapod ${usage}`);
    await using peapod = await openFromFlags(given, io);
    const stop = new AbortController();
    using _ = catchInterrupts((signal) => stop.abort(new Interrupted(interruptStatus(signal))));
    const pulled = [];
    for (const name of operands) {
      using progress = new ProgressPrinter(io);
      const image = await peapod.images.pull(name, {
        signal: stop.signal,
        ...(given.platform !== undefined && { platform: given.platform }),
        ...(!given.quiet && given.output === undefined && { onProgress: progress.tell }),
      });
      pulled.push(image);
      if (given.output === undefined) io.stdout.write(`${image.digests[0] ?? image.id}\n`);
    }
    if (given.output !== undefined) io.stdout.write(await printData(given.output, pulled));
    return 0;
  },
});
