// One image: everything about it, its history, its layers.

import type { ImageDetails } from "../../image/types.ts";
import { defineCommand } from "../command.ts";
import { printData } from "../data.ts";
import { usageError } from "../flags.ts";
import { openFromFlags } from "../open.ts";
import { printTable } from "../table.ts";
import { clean, formatBytes } from "../text.ts";

const usage = "image inspect|history|tree IMAGE [flags]";
const views = ["inspect", "history", "tree"] as const;
const commandColumns = 70;

export const image = defineCommand({
  usage: [usage],
  about: [
    "Look at an image of the store. inspect prints everything as JSON, history how it was made, tree",
    "its layers from the top: what a container writes lies above them, and on that the files that",
    "peapod brings.",
  ],
  examples: [
    ["peapod image inspect nginx:1.27", "as JSON"],
    ["peapod image history nginx:1.27", "the steps of its builder"],
    ["peapod image tree nginx:1.27", "the layers, and where their files are"],
  ],
  flags: {},
  run: async ({ flags, operands, io }) => {
    const [view, name, extra] = operands;
    if (!views.some((known) => known === view) || name === undefined || extra !== undefined) {
      throw usageError("a view and one image are wanted", `usage: peapod ${usage}`);
    }
    await using peapod = await openFromFlags(flags, io);
    const details = await peapod.images.get(name);
    const isData = flags.output !== undefined || view === "inspect";
    const text = isData
      ? await printData(flags.output ?? "json", view === "history" ? historyOf(details) : details)
      : view === "tree"
        ? printTree(details)
        : printHistory(details);
    io.stdout.write(text);
    return 0;
  },
});

interface Step {
  readonly created: string;
  readonly createdBy: string;
  readonly comment: string;
  /** Of its layer; 0 for steps that changed only the configuration. */
  readonly bytes: number;
}

/** The newest first, as docker history has it. */
function historyOf({ config, layers }: ImageDetails): Step[] {
  let next = 0;
  const steps = (config.history ?? []).map((step) => ({
    created: step.created ?? "",
    createdBy: step.created_by ?? "",
    comment: step.comment ?? "",
    bytes: step.empty_layer ? 0 : (layers[next++]?.bytes ?? 0),
  }));
  return steps.toReversed();
}

function printHistory(details: ImageDetails): string {
  const rows = historyOf(details).map(({ created, createdBy, bytes, comment }) => [
    created.slice(0, 19),
    cut(createdBy),
    formatBytes(bytes),
    cut(comment),
  ]);
  return printTable(["CREATED", "CREATED BY", "SIZE", "COMMENT"], rows);
}

function printTree({ names, id, platform, layers }: ImageDetails): string {
  const lines = layers
    .toReversed()
    .flatMap((layer, index) => [
      `├─ layer ${layers.length - index}  ${layer.diffId}  ${formatBytes(layer.bytes)}`,
      `│    ${layer.path ?? "not unpacked"}`,
      ...(layer.createdBy === "" ? [] : [`│    ${clean(cut(layer.createdBy))}`]),
    ]);
  return [
    `${names.map(clean).join(", ")}  ${platform}`,
    "├─ /etc/hosts, /etc/hostname, /etc/resolv.conf, /proc, /sys, /dev: of the pod",
    "├─ writable layer: one for each container, gone with its pod",
    ...lines,
    `└─ configuration ${id}`,
    "",
  ].join("\n");
}

function cut(text: string): string {
  const line = text.replaceAll(/\s+/g, " ");
  return line.length > commandColumns ? `${line.slice(0, commandColumns - 1)}…` : line;
}
