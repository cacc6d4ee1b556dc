// How manifests differ from the pods that run.

import { compareAll, printAgain, printChanges } from "../again.ts";
import { defineCommand } from "../command.ts";
import { printData } from "../data.ts";
import type { FlagTable } from "../flags.ts";
import { manifestFlags, manifestNames, readManifests } from "../manifests.ts";
import { openFromFlags } from "../open.ts";
import { podLabel } from "../text.ts";

const usage = "diff FILE… [flags]";

const flagTable = manifestFlags satisfies FlagTable;

export const diff = defineCommand({
  usage: [usage],
  about: [
    "Print how the pods that run differ from their manifests, field by field, by what the fields",
    "mean and not by how they are written. Content of ConfigMaps and Secrets is compared and not",
    "shown. As with kubectl the exit status is 1 when something differs.",
  ],
  examples: [["peapod diff web.yaml", "what up would find changed"]],
  flags: flagTable,
  run: async ({ flags, operands, io }) => {
    const names = manifestNames(operands, flags.file, usage);
    const { pods } = await readManifests(names, flags);
    await using peapod = await openFromFlags(flags, io);
    const all = await compareAll(peapod, pods);
    const differs = all.some(({ changes }) => changes === undefined || changes.changes.length > 0);
    if (flags.output) {
      const data = all.map(({ spec, changes }) => ({
        pod: podLabel(spec),
        exists: changes !== undefined,
        changes: changes?.changes ?? [],
      }));
      io.stdout.write(await printData(flags.output, data));
    } else {
      io.stdout.write(printChanges(all));
      io.stdout.write(
        printAgain(
          all.filter(({ pod }) => pod === undefined),
          false,
        ),
      );
    }
    return differs ? 1 : 0;
  },
});
