// Gives the containers of a running pod more or less of the processor and of memory.

import type { ResizableAmounts } from "../../pod/shapes.ts";
import { defineCommand, oneOperand } from "../command.ts";
import type { FlagTable } from "../flags.ts";
import { usageError } from "../flags.ts";
import { openFromFlags } from "../open.ts";
import { defaultContainer, podObject } from "../pod-object.ts";
import { getPod, namespaceFlag, qualify } from "../pods.ts";
import { podLabel } from "../text.ts";

const usage = "resize NAME [-c CONTAINER] [--cpu N] [--memory N] [flags]";

const flagTable = {
  container: {
    kind: "text",
    short: "c",
    value: "NAME",
    help: "this container (default: the pod's default container, else the first)",
  },
  cpu: { kind: "text", value: "N", help: "limit of the processor: 500m, 2" },
  memory: { kind: "text", value: "N", help: "limit of memory: 256Mi, 1Gi" },
  "cpu-request": { kind: "text", value: "N", help: "its share when the processor is short" },
  "memory-request": { kind: "text", value: "N", help: "what is protected when memory is short" },
  ...namespaceFlag,
} as const satisfies FlagTable;

export const resize = defineCommand({
  usage: [usage],
  about: [
    "Change what a container of a running pod may use of the processor and of memory, in place, or",
    "with a restart of the container where its resizePolicy says so. The class of service stays:",
    "what would change it is refused.",
  ],
  examples: [
    ["peapod resize web --memory 512Mi", "the default container"],
    ["peapod resize web -c app --cpu 2 --cpu-request 500m", "limit and request"],
  ],
  flags: flagTable,
  run: async ({ flags, operands, io }) => {
    const name = oneOperand(operands, usage, "the name of a pod");
    const limits = await amounts(flags.cpu, flags.memory);
    const requests = await amounts(flags["cpu-request"], flags["memory-request"]);
    if (Object.keys({ ...limits, ...requests }).length === 0) {
      throw usageError("no amount is given", `usage: peapod ${usage}`);
    }
    await using peapod = await openFromFlags(flags, io);
    const pod = await getPod(peapod, name, flags);
    const object = podObject(await pod.object());
    const container = pod.container(flags.container ?? defaultContainer(object) ?? "").name;
    await peapod.resize(qualify(pod.name, pod.namespace), [{ container, requests, limits }]);
    io.stdout.write(`${podLabel(pod)}\n`);
    return 0;
  },
});

async function amounts(
  cpu: string | undefined,
  memory: string | undefined,
): Promise<ResizableAmounts> {
  const { readQuantity } = await import("../../read/pod-manifest/quantity.ts");
  const read = (text: string, unit: "cpu" | "memory"): number => {
    const found = readQuantity(text, unit);
    if ("value" in found) return found.value;
    throw usageError(`--${unit}: ${JSON.stringify(text)}: ${found.problem}`, "such as 500m, 256Mi");
  };
  return {
    ...(cpu !== undefined && { cpuMilli: read(cpu, "cpu") }),
    ...(memory !== undefined && { memoryBytes: read(memory, "memory") }),
  };
}
