// Images of the store as a file.

import { renameSync, rmSync } from "node:fs";
import { defineCommand } from "../command.ts";
import type { FlagTable } from "../flags.ts";
import { usageError } from "../flags.ts";
import { openFromFlags } from "../open.ts";

const usage = "save IMAGE… [flags]";

const flags = {
  file: {
    kind: "text",
    short: "f",
    value: "FILE",
    help: "write the archive there (default: standard output)",
  },
  layout: { kind: "text", value: "DIR", help: "write an OCI layout directory instead" },
} as const satisfies FlagTable;

export const save = defineCommand({
  usage: [usage],
  about: [
    "Save images as one archive, which is an OCI archive and can be read by docker load as well.",
    "Layers stay as they were fetched, so that digests stay what they are.",
  ],
  examples: [
    ["peapod save -f app.tar app:1", "to a file"],
    ["peapod save app:1 | ssh host peapod load", "to another machine"],
    ["peapod save --layout ./layout app:1", "for skopeo and umoci"],
  ],
  flags,
  run: async ({ flags: given, operands, io }) => {
    const { file, layout } = given;
    if (operands.length === 0) {
      throw usageError("the name of an image is missing", `usage: peapod ${usage}`);
    }
    if (file === undefined && layout === undefined && io.stdout.isTerminal) {
      throw usageError("an archive is not for a terminal", "redirect it, or give --file");
    }
    await using peapod = await openFromFlags(given, io);
    if (layout !== undefined) {
      await peapod.images.save(operands, { directory: layout });
    } else if (file === undefined) {
      await peapod.images.save(operands, {
        write: (bytes) => io.stdout.writeSlowly(bytes.slice()),
      });
    } else {
      await writeFile(file, (write) => peapod.images.save(operands, { write }));
    }
    return 0;
  },
});

/** Whole or not at all: half an archive looks like one until it is loaded. */
async function writeFile(
  path: string,
  fill: (write: (bytes: Uint8Array) => Promise<void>) => Promise<void>,
): Promise<void> {
  const draft = `${path}.${process.pid}.part`;
  const sink = Bun.file(draft).writer({ highWaterMark: 1 << 20 });
  try {
    await fill(async (bytes) => {
      await sink.write(bytes);
    });
    await sink.end();
    renameSync(draft, path);
  } catch (error) {
    await Promise.resolve(sink.end()).catch(() => undefined);
    rmSync(draft, { force: true });
    throw error;
  }
}
