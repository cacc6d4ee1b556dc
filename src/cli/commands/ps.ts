// Lists pods as kubectl does.

import type { Peapod } from "../../open.ts";
import type { BrokenPod, Pod, PodInspection } from "../../pod/types.ts";
import type { Invocation, Io } from "../command.ts";
import { defineCommand } from "../command.ts";
import { printData } from "../data.ts";
import type { FlagTable } from "../flags.ts";
import { Interrupted } from "../failure.ts";
import { usageError } from "../flags.ts";
import { catchInterrupts, interruptStatus } from "../interrupts.ts";
import { note, openFromFlags, warn } from "../open.ts";
import { isFinished, podObject } from "../pod-object.ts";
import type { PodObject } from "../pod-object.ts";
import { podColumns } from "../pod-status.ts";
import type { Colour } from "../paint.ts";
import { getPod, listFlags, listPods, qualify } from "../pods.ts";
import { printTable } from "../table.ts";
import { podLabel } from "../text.ts";

const flagTable = {
  all: { kind: "switch", short: "a", help: "also those that have finished" },
  ...listFlags,
  "all-namespaces": {
    kind: "switch",
    short: "A",
    help: "show the namespace even when all pods are in the default one",
  },
  quiet: { kind: "switch", short: "q", help: "names only" },
  watch: { kind: "switch", short: "w", help: "go on, with a line for every change" },
  output: {
    kind: "choice",
    short: "o",
    aliases: ["format"],
    value: "json|yaml|wide|name|table",
    choices: ["json", "yaml", "wide", "name", "table"],
    help: "a v1 List of Pods, a table with more columns, or pod/NAME",
  },
  "show-labels": { kind: "switch", help: "one more column with the labels" },
} as const satisfies FlagTable;

type Ps = Invocation<typeof flagTable>;

export const ps = defineCommand({
  usage: ["ps [NAME…] [flags]", "get pods [NAME…] [flags]"],
  about: [
    "List pods. Finished ones are hidden unless -a is given or they are named; get pods is ps -a.",
  ],
  examples: [
    ["peapod ps", "what runs"],
    ["peapod ps -a -o wide", "also what has finished, with control groups"],
    ["peapod ps -n team -l app=web,tier!=db", "by namespace and labels"],
    ["peapod ps -w", "a line for every change, until Ctrl-C"],
    ["peapod ps -o json", "a v1 List of Pods, for jq"],
    ["peapod ps -q | xargs peapod down", "end everything"],
  ],
  flags: flagTable,
  run: async (invocation) => {
    const { flags, io } = invocation;
    if (flags.quiet && flags.output !== undefined) {
      throw usageError("--quiet prints names, which have no other format");
    }
    await using peapod = await openFromFlags(flags, io);
    if (flags.watch) return await watch(peapod, invocation);
    const rows = await readRows(peapod, invocation);
    for (const { error } of rows) if (error) warn(io, error);
    await print(rows, flags, io);
    return 0;
  },
});

async function readRows(peapod: Peapod, { flags, operands }: Ps): Promise<Row[]> {
  const pods =
    operands.length === 0
      ? await listPods(peapod, flags)
      : await Promise.all(operands.map((name) => getPod(peapod, name, flags)));
  const rows = await Promise.all(pods.map((pod) => readRow(pod, flags.output === "wide")));
  return rows.filter(({ object }) => flags.all || operands.length > 0 || !isFinished(object));
}

/** The table, then a line for each pod that is not as it was; its age alone is no change. */
async function watch(peapod: Peapod, invocation: Ps): Promise<number> {
  const { flags, io } = invocation;
  const abort = new AbortController();
  using _ = catchInterrupts((signal) => abort.abort(new Interrupted(interruptStatus(signal))));
  const known = new Map<string, { readonly seen: string; readonly row: Row }>();
  let isFirst = true;
  for await (const _change of peapod.changes({ signal: abort.signal })) {
    // Named pods may be gone by now, which is a change and no error.
    const all = { ...invocation, operands: [], flags: { ...flags, all: true } };
    const names = invocation.operands.map((name) => qualify(name, flags.namespace));
    const rows = (await readRows(peapod, all)).filter(
      ({ label }) =>
        names.length === 0 || names.includes(label) || names.includes(`default/${label}`),
    );
    const changed = rows.filter((row) => known.get(row.label)?.seen !== signature(row));
    const gone = [...known.keys()].filter((label) => rows.every((row) => row.label !== label));
    const ended = gone.flatMap((label) => known.get(label)?.row ?? []).map(deleted);
    for (const label of gone) known.delete(label);
    for (const row of changed) known.set(row.label, { seen: signature(row), row });
    const shown =
      isFirst && !flags.all ? changed.filter((row) => !isFinished(row.object)) : changed;
    if (shown.length + ended.length > 0) await print([...shown, ...ended], flags, io, !isFirst);
    if (shown.length > 0) isFirst = false;
    await io.stdout.drain();
  }
  throw abort.signal.reason;
}

function signature(row: Row): string {
  const { age: _, ...columns } = podColumns(row.object, 0);
  return JSON.stringify([columns, row.isPaused]);
}

function deleted(row: Row): Row {
  return { ...row, isDeleted: true };
}

interface Row {
  readonly label: string;
  readonly object: PodObject;
  /** Why a pod could not be read. */
  readonly error?: string;
  readonly isPaused?: boolean;
  /** Was there at the last look. */
  readonly isDeleted?: boolean;
  /** With `-o wide`. */
  readonly inspection?: PodInspection;
}

async function readRow(pod: Pod | BrokenPod, isWide: boolean): Promise<Row> {
  if ("error" in pod) return brokenRow(pod, pod.error.message);
  try {
    const object = podObject(await pod.object());
    const row = { label: podLabel(pod), object, isPaused: await pod.isPaused() };
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
  flags: Ps["flags"],
  io: Io,
  isMore = false,
): Promise<void> {
  const { output } = flags;
  if (flags.quiet || output === "name") {
    const kind = flags.quiet ? "" : "pod/";
    for (const { label } of rows) io.stdout.write(`${kind}${label}\n`);
  } else if (output === "json" || output === "yaml") {
    const items = rows.map(({ object }) => object);
    if (flags.watch) for (const item of items) io.stdout.write(await printData(output, item));
    else io.stdout.write(await printData(output, listOf(items)));
  } else if (rows.length === 0) {
    note(io, flags.all ? "there are no pods" : "no pod runs; -a shows those that have finished");
  } else {
    io.stdout.write(printPods(rows, flags, io, isMore));
  }
}

function listOf(items: readonly unknown[]): unknown {
  return { apiVersion: "v1", kind: "List", metadata: { resourceVersion: "" }, items };
}

/** Lines that come later have the widths of the header, at least. */
function printPods(rows: readonly Row[], flags: Ps["flags"], io: Io, isMore: boolean): string {
  const hasNamespace =
    flags["all-namespaces"] ||
    (flags.watch && flags.namespace === undefined) ||
    rows.some(({ object }) => (object.metadata?.namespace ?? "default") !== "default");
  const isWide = flags.output === "wide";
  const header = [
    ...(hasNamespace ? ["NAMESPACE"] : []),
    ...["NAME", "READY", "STATUS", "RESTARTS", "AGE"],
    ...(isWide ? ["IP", "IMAGES", "UID", "CGROUP"] : []),
    ...(flags["show-labels"] ? ["LABELS"] : []),
  ];
  const nowMs = Date.now();
  const cells = rows.map((row) => {
    const { name = "", namespace = "default", uid = "", labels } = row.object.metadata ?? {};
    const { ready, status, restarts, age } = podColumns(row.object, nowMs);
    const state = row.isDeleted ? "Deleted" : row.isPaused ? "Paused" : status;
    return [
      ...(hasNamespace ? [namespace] : []),
      ...[name, ready, state, restarts, age],
      ...(isWide
        ? [
            ...[row.object.status?.podIP ?? "<none>", printImages(row.object), uid],
            row.inspection?.sandbox.cgroup ?? "<none>",
          ]
        : []),
      ...(flags["show-labels"] ? [printLabels(labels)] : []),
    ];
  });
  const statusColumn = header.indexOf("STATUS");
  const table = printTable(header, cells, (cell, column) =>
    column === statusColumn ? io.paintOut(statusColour(cell), cell) : cell,
  );
  return isMore ? table.slice(table.indexOf("\n") + 1) : table;
}

function printImages({ spec = {} }: PodObject): string {
  const images = (spec.containers ?? []).map(({ image = "<none>" }) => image);
  return [...new Set(images)].join(",") || "<none>";
}

function printLabels(labels: Readonly<Record<string, string>> | undefined): string {
  const pairs = Object.entries(labels ?? {}).map(([key, value]) => `${key}=${value}`);
  return pairs.join(",") || "<none>";
}

function statusColour(status: string): Colour {
  if (status === "Running") return "green";
  return ["Completed", "Succeeded"].includes(status) ? "dim" : "yellow";
}
