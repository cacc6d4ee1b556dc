// One image: everything about it, its history, its layers.

import type { FileChange, ImageDetails, ImageLayer } from "../../image/types.ts";
import type { Peapod } from "../../open.ts";
import type { ContainerLayers } from "../../pod/types.ts";
import { defineCommand } from "../command.ts";
import { printData } from "../data.ts";
import type { FlagTable, FlagValues } from "../flags.ts";
import { usageError } from "../flags.ts";
import { openFromFlags } from "../open.ts";
import { namespaceFlag, qualify } from "../pods.ts";
import { printTable } from "../table.ts";
import { clean, formatBytes } from "../text.ts";

const usages = [
  "image inspect|history|tree IMAGE [flags]",
  "image diff IMAGE [OTHER] [flags]",
  "image tree|diff --pod POD [flags]",
];
const commandColumns = 70;

const flagTable = {
  pod: { kind: "text", short: "p", value: "POD", help: "look at a container instead of an image" },
  container: { kind: "text", short: "c", value: "NAME", help: "default: the first of the pod" },
  ...namespaceFlag,
} as const satisfies FlagTable;

type Flags = FlagValues<typeof flagTable>;

export const image = defineCommand({
  usage: usages,
  about: [
    "Look at an image of the store, or at what a container has made of one. inspect prints everything",
    "as JSON, history how it was made, tree its layers from the top: what a container writes lies",
    "above them, and on that the files that peapod brings. diff prints what another image has",
    "different, what an image's topmost layer has changed, or what a container has: A for added, C",
    "for changed, D for deleted. Times alone are no difference.",
  ],
  examples: [
    ["peapod image inspect nginx:1.27", "as JSON"],
    ["peapod image history nginx:1.27", "the steps of its builder"],
    ["peapod image tree nginx:1.27", "the layers, and where their files are"],
    ["peapod image tree --pod web", "with what its first container has written, and how much"],
    ["peapod image diff nginx:1.26 nginx:1.27", "what an update changes"],
    ["peapod image diff --pod web -c app", "what a container has changed of its image"],
  ],
  flags: flagTable,
  run: async ({ flags, operands, io }) => {
    const [view, name, other, extra] = operands;
    const isKnown = view === "inspect" || view === "history" || view === "tree" || view === "diff";
    const hasPod = flags.pod !== undefined;
    const isPods = hasPod && (view === "tree" || view === "diff");
    const isWrong = extra !== undefined || (other !== undefined && view !== "diff");
    if (!isKnown || isWrong || hasPod !== isPods || hasPod === (name !== undefined)) {
      throw usageError("a view and one image are wanted", `usage: peapod ${usages.join(", or ")}`);
    }
    await using peapod = await openFromFlags(flags, io);
    const { data, text } =
      view === "diff"
        ? await lookAtChanges(peapod, flags, name, other)
        : hasPod
          ? await lookAtContainer(peapod, flags)
          : await lookAtImage(peapod, view, name ?? "");
    const isData = flags.output !== undefined || view === "inspect";
    io.stdout.write(isData ? await printData(flags.output ?? "json", data) : text);
    return 0;
  },
});

interface Look {
  readonly data: unknown;
  readonly text: string;
}

async function lookAtImage(
  peapod: Peapod,
  view: "inspect" | "history" | "tree",
  name: string,
): Promise<Look> {
  const details = await peapod.images.get(name);
  if (view === "history") return { data: historyOf(details), text: printHistory(details) };
  return { data: details, text: printTree(details) };
}

/** Only where a pod is named. */
function containerOf({ pod = "", container, namespace }: Flags) {
  const options = container === undefined ? {} : { container };
  return [qualify(pod, namespace), options] as const;
}

async function lookAtContainer(peapod: Peapod, flags: Flags): Promise<Look> {
  const layers = await peapod.layers(...containerOf(flags));
  return { data: layers, text: printContainer(layers) };
}

async function lookAtChanges(
  peapod: Peapod,
  flags: Flags,
  name: string | undefined,
  other: string | undefined,
): Promise<Look> {
  const changes =
    name === undefined
      ? await peapod.diff(...containerOf(flags))
      : await peapod.images.diff(name, other);
  return { data: changes, text: changes.map(printChange).join("") };
}

function printChange({ change, path, type, bytes }: FileChange): string {
  const size = type === "file" && change !== "deleted" ? `  ${formatBytes(bytes)}` : "";
  return `${change.slice(0, 1).toUpperCase()} ${clean(path)}${type === "directory" ? "/" : ""}${size}\n`;
}

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

const runtimeFiles = "/etc/hosts, /etc/hostname, /etc/resolv.conf, /proc, /sys, /dev";

function printTree({ names, id, platform, layers }: ImageDetails): string {
  return [
    `${names.map(clean).join(", ")}  ${platform}`,
    `├─ ${runtimeFiles}: of the pod`,
    "├─ writable layer: one for each container, gone with its pod",
    ...layerLines(layers),
    `└─ configuration ${id}`,
    "",
  ].join("\n");
}

function printContainer(given: ContainerLayers): string {
  const { container, imageNames, imageId, layers, writable, mounts, runtimeFiles: own } = given;
  const least = writable.isPartial ? "at least " : "";
  return [
    `${container}  ${imageNames.map(clean).join(", ")}`,
    ...mounts.map((path) => `├─ ${clean(path)}: a volume`),
    `├─ ${own.join(", ")}: of the pod`,
    `├─ writable layer  ${least}${formatBytes(writable.bytes)} in ${writable.inodes} inodes`,
    `│    ${clean(writable.path)}`,
    ...layerLines(layers),
    `└─ configuration ${imageId}`,
    "",
  ].join("\n");
}

function layerLines(layers: readonly ImageLayer[]): string[] {
  return layers
    .toReversed()
    .flatMap((layer, index) => [
      `├─ layer ${layers.length - index}  ${layer.diffId}  ${formatBytes(layer.bytes)}`,
      `│    ${layer.path ?? "not unpacked"}`,
      ...(layer.createdBy === "" ? [] : [`│    ${clean(cut(layer.createdBy))}`]),
    ]);
}

function cut(text: string): string {
  const line = text.replaceAll(/\s+/g, " ");
  return line.length > commandColumns ? `${line.slice(0, commandColumns - 1)}…` : line;
}
