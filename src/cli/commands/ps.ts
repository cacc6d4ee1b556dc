// Lists pods as kubectl does.

import type { BrokenPod, Pod, PodInspection } from "../../pod/types.ts";
import type { Invocation, Io } from "../command.ts";
import { defineCommand } from "../command.ts";
import { printData } from "../data.ts";
import type { FlagTable } from "../flags.ts";
import { usageError } from "../flags.ts";
import { note, openFromFlags, warn } from "../open.ts";
import { isFinished, podObject } from "../pod-object.ts";
import type { PodObject } from "../pod-object.ts";
import { podColumns } from "../pod-status.ts";
import type { Colour } from "../paint.ts";
import { printTable } from "../table.ts";
import { podLabel } from "../text.ts";

const flagTable = {
  all: { kind: "switch", short: "a", help: "also those that have finished" },
  "all-namespaces": {
    kind: "switch",
    short: "A",
    help: "show the namespace even when all pods are in the default one",
  },
  quiet: { kind: "switch", short: "q", help: "names only" },
  output: {
    kind: "choice",
    short: "o",
    value: "json|yaml|wide",
    choices: ["json", "yaml", "wide"],
    help: "a v1 List of Pods as JSON or YAML, or a table with UID, IP and control group",
  },
} as const satisfies FlagTable;

export const ps = defineCommand({
  usage: ["ps [NAME…] [flags]", "get pods [NAME…] [flags]"],
  about: [
    "List pods. Finished ones are hidden unless -a is given or they are named; get pods is ps -a.",
  ],
  examples: [
    ["peapod ps", "what runs"],
    ["peapod ps -a -o wide", "also what has finished, with control groups"],
    ["peapod ps -o json", "a v1 List of Pods, for jq"],
    ["peapod ps -q | xargs peapod down", "end everything"],
  ],
  flags: flagTable,
  run: async ({ flags, operands, io }) => {
    if (flags.quiet && flags.output !== undefined) {
      throw usageError("--quiet prints names, which have no other format");
    }
    await using peapod = await openFromFlags(flags, io);
    const pods =
      operands.length === 0
        ? await peapod.list()
        : await Promise.all(operands.map((name) => peapod.get(name)));
    const rows = await Promise.all(pods.map((pod) => readRow(pod, flags.output === "wide")));
    const shown = rows.filter(
      ({ object }) => flags.all || operands.length > 0 || !isFinished(object),
    );
    for (const { error } of shown) if (error) warn(io, error);
    await print(shown, flags, io);
    return 0;
  },
});

interface Row {
  readonly label: string;
  readonly object: PodObject;
  /** Why a pod could not be read. */
  readonly error?: string;
  /** With `-o wide`. */
  readonly inspection?: PodInspection;
}

async function readRow(pod: Pod | BrokenPod, isWide: boolean): Promise<Row> {
  if ("error" in pod) return brokenRow(pod, pod.error.message);
  try {
    const object = podObject(await pod.object());
    const row = { label: podLabel(pod), object };
    return isWide ? { ...row, inspection: await pod.inspect() } : row;
  } catch (error) {
    // It may have ended since it was listed.
    return brokenRow(pod, error instanceof Error ? error.message : String(error));
  }
}

function brokenRow(pod: Pick<BrokenPod, "name" | "namespace" | "uid">, message: string): Row {
  const { name, namespace, uid } = pod;
  const object = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace, uid },
    status: { phase: "Unknown", message },
  };
  return { label: podLabel(pod), object, error: `${podLabel(pod)}: ${message}` };
}

async function print(
  rows: readonly Row[],
  flags: Invocation<typeof flagTable>["flags"],
  io: Io,
): Promise<void> {
  const { output } = flags;
  if (flags.quiet) {
    for (const { label } of rows) io.stdout.write(`${label}\n`);
  } else if (output === "json" || output === "yaml") {
    const items = rows.map(({ object }) => object);
    const list = { apiVersion: "v1", kind: "List", metadata: { resourceVersion: "" }, items };
    io.stdout.write(await printData(output, list));
  } else if (rows.length === 0) {
    note(io, flags.all ? "there are no pods" : "no pod runs; -a shows those that have finished");
  } else {
    io.stdout.write(printPods(rows, flags, io));
  }
}

function printPods(
  rows: readonly Row[],
  flags: { readonly "all-namespaces": boolean; readonly output: string | undefined },
  io: Io,
): string {
  const hasNamespace =
    flags["all-namespaces"] ||
    rows.some(({ object }) => (object.metadata?.namespace ?? "default") !== "default");
  const isWide = flags.output === "wide";
  const header = [
    ...(hasNamespace ? ["NAMESPACE"] : []),
    ...["NAME", "READY", "STATUS", "RESTARTS", "AGE"],
    ...(isWide ? ["IP", "UID", "CGROUP"] : []),
  ];
  const nowMs = Date.now();
  const cells = rows.map(({ object, inspection }) => {
    const { name = "", namespace = "default", uid = "" } = object.metadata ?? {};
    const { ready, status, restarts, age } = podColumns(object, nowMs);
    const cgroup = inspection?.sandbox.cgroup ?? "<none>";
    return [
      ...(hasNamespace ? [namespace] : []),
      ...[name, ready, status, restarts, age],
      ...(isWide ? [object.status?.podIP ?? "<none>", uid, cgroup] : []),
    ];
  });
  const statusColumn = header.indexOf("STATUS");
  return printTable(header, cells, (cell, column) =>
    column === statusColumn ? io.paintOut(statusColour(cell), cell) : cell,
  );
}

function statusColour(status: string): Colour {
  if (status === "Running") return "green";
  return ["Completed", "Succeeded"].includes(status) ? "dim" : "yellow";
}
