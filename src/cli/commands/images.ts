// Lists the images of the store.

import { defineCommand, noOperands } from "../command.ts";
import { printData } from "../data.ts";
import type { FlagTable } from "../flags.ts";
import { note, openFromFlags } from "../open.ts";
import { printTable } from "../table.ts";
import { formatBytes } from "../text.ts";
import { formatAge } from "../time.ts";

const usage = "images [flags]";

const flags = {
  quiet: { kind: "switch", short: "q", help: "ids only" },
  disk: { kind: "switch", help: "what the store takes of the disk, instead" },
} as const satisfies FlagTable;

export const images = defineCommand({
  usage: [usage],
  about: [
    "List the images of the store. SIZE is what an image takes when unpacked, PULLED what was",
    "fetched for it; layers that images share count in each.",
  ],
  examples: [
    ["peapod images", "all of them"],
    ["peapod images -q | xargs peapod rmi", "remove what no pod uses"],
    ["peapod images --disk", "how much room they take together"],
  ],
  flags,
  run: async ({ flags: given, operands, io }) => {
    noOperands(operands, usage);
    await using peapod = await openFromFlags(given, io);
    if (given.disk) {
      const use = await peapod.images.diskUse();
      const rows = [
        ["blobs", formatBytes(use.blobBytes)],
        ["layers", formatBytes(use.layerBytes)],
        ["free", formatBytes(use.freeBytes)],
      ];
      const isData = given.output !== undefined;
      io.stdout.write(
        isData ? await printData(given.output, use) : printTable(["WHAT", "BYTES"], rows),
      );
      return 0;
    }
    const found = await peapod.images.list();
    if (given.output !== undefined) io.stdout.write(await printData(given.output, found));
    else if (given.quiet) for (const { id } of found) io.stdout.write(`${short(id)}\n`);
    else if (found.length === 0) note(io, "there are no images; peapod pull brings some");
    else {
      const rows = found.flatMap(({ names, id, created, bytes, compressedBytes, usedBy }) =>
        names.map((name) => [
          name,
          short(id),
          created === undefined ? "<unknown>" : formatAge(Date.now() - created.getTime()),
          formatBytes(bytes),
          formatBytes(compressedBytes),
          `${usedBy.length}`,
        ]),
      );
      io.stdout.write(printTable(["NAME", "ID", "AGE", "SIZE", "PULLED", "PODS"], rows));
    }
    return 0;
  },
});

function short(id: string): string {
  return id.replace("sha256:", "").slice(0, 12);
}
