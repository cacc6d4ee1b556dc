// Everything about one pod, for programs.

import { PodError } from "../../errors/pod-error.ts";
import type { Peapod } from "../../open.ts";
import { defineCommand, oneOperand } from "../command.ts";
import { printData } from "../data.ts";
import { openFromFlags } from "../open.ts";
import { getPod, namespaceFlag } from "../pods.ts";

const usage = "inspect NAME [flags]";

export const inspect = defineCommand({
  usage: [usage],
  about: [
    "Print a pod as Kubernetes would, its sandbox and its containers with their processes, control",
    "groups, kernel namespaces (inode numbers) and layers, as JSON.",
  ],
  examples: [
    ["peapod inspect web", "all of it"],
    ["peapod inspect web | jq .sandbox.keeperPid", "one value"],
    ["peapod inspect -o yaml web", "easier on the eyes"],
  ],
  flags: namespaceFlag,
  run: async ({ flags, operands, io }) => {
    const name = oneOperand(operands, usage, "the name of a pod");
    await using peapod = await openFromFlags(flags, io);
    const pod = await getPod(peapod, name, flags);
    const inspection = await pod.inspect();
    const containers = [];
    for (const container of inspection.containers) {
      containers.push({ ...container, ...(await layersOf(peapod, pod.uid, container.name)) });
    }
    io.stdout.write(await printData(flags.output ?? "json", { ...inspection, containers }));
    return 0;
  },
});

/** Nothing for what runs no image of the store. */
async function layersOf(peapod: Peapod, pod: string, container: string) {
  try {
    return { layers: await peapod.layers(pod, { container }) };
  } catch (error) {
    if (error instanceof PodError && error.code === "image.unsupported") return {};
    throw error;
  }
}
