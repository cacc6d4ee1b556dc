// What happened to pods, as Kubernetes' events.

import type { Peapod } from "../../open.ts";
import type { Invocation } from "../command.ts";
import { defineCommand } from "../command.ts";
import { printData } from "../data.ts";
import type { Json } from "../describe/values.ts";
import { text } from "../describe/values.ts";
import { eventAge, eventObject } from "../events-table.ts";
import { Interrupted } from "../failure.ts";
import type { FlagTable } from "../flags.ts";
import { catchInterrupts, interruptStatus } from "../interrupts.ts";
import { note, openFromFlags } from "../open.ts";
import { getPod, listFlags, listPods, qualify } from "../pods.ts";
import { printTable } from "../table.ts";

const flagTable = {
  ...listFlags,
  watch: { kind: "switch", short: "w", help: "go on, with a line for every new event" },
  types: {
    kind: "text",
    value: "Warning",
    help: "only events of these types, with commas between",
  },
} as const satisfies FlagTable;

type Events = Invocation<typeof flagTable>;

export const events = defineCommand({
  usage: ["events [NAME…] [flags]"],
  about: [
    "Print what happened to pods, the oldest first: Started, Killing, Unhealthy, BackOff and their",
    "kind. Equal events are counted; the last 200 of each pod are kept for as long as it is there.",
  ],
  examples: [
    ["peapod events web", "of one pod"],
    ["peapod events -w", "of all pods, as they happen, until Ctrl-C"],
    ["peapod events --types Warning", "what went wrong"],
    ["peapod events -o json", "a v1 List of Events, for jq"],
  ],
  flags: flagTable,
  run: async (invocation) => {
    const { flags, io } = invocation;
    await using peapod = await openFromFlags(flags, io);
    if (flags.watch) return await watch(peapod, invocation);
    const found = await readEvents(peapod, invocation, true);
    if (flags.output) {
      const metadata = { resourceVersion: "" };
      const list = { apiVersion: "v1", kind: "List", metadata, items: found };
      io.stdout.write(await printData(flags.output, list));
    } else if (found.length === 0) note(io, "there are no events");
    else io.stdout.write(printRows(found, true));
    return 0;
  },
});

async function watch(peapod: Peapod, invocation: Events): Promise<number> {
  const { flags, io } = invocation;
  const abort = new AbortController();
  using _ = catchInterrupts((signal) => abort.abort(new Interrupted(interruptStatus(signal))));
  const seen = new Map<string, number>();
  let isFirst = true;
  for await (const _change of peapod.changes({ signal: abort.signal })) {
    const all = await readEvents(peapod, invocation, false);
    const news = all.filter((event) => seen.get(keyOf(event)) !== event["count"]);
    for (const event of news) seen.set(keyOf(event), Number(event["count"]));
    if (news.length === 0) continue;
    if (flags.output) for (const one of news) io.stdout.write(await printData(flags.output, one));
    else io.stdout.write(printRows(news, isFirst));
    isFirst = false;
    await io.stdout.drain();
  }
  throw abort.signal.reason;
}

function keyOf(event: Json): string {
  return JSON.stringify([event["involvedObject"], event["reason"], event["message"]]);
}

/** Of all pods together, in the order of time. */
async function readEvents(
  peapod: Peapod,
  { flags, operands }: Events,
  mustExist: boolean,
): Promise<Json[]> {
  const pods =
    operands.length > 0 && mustExist
      ? await Promise.all(operands.map((name) => getPod(peapod, name, flags)))
      : await listPods(peapod, flags);
  const names = operands.map((name) => qualify(name, flags.namespace));
  const fits = (pod: { readonly name: string; readonly namespace: string }) =>
    mustExist || names.length === 0 || names.some((name) => fitsName(pod, name));
  const types = flags.types?.split(",");
  const lists = await Promise.all(
    pods.filter(fits).map(async (pod) => {
      if ("error" in pod) return [];
      return (await pod.describe()).events;
    }),
  );
  return lists
    .flat()
    .filter((event) => types === undefined || types.includes(text(event["type"])))
    .toSorted((a, b) => timeOf(a) - timeOf(b));
}

function fitsName(
  { name, namespace }: { readonly name: string; readonly namespace: string },
  wanted: string,
): boolean {
  return wanted === `${namespace}/${name}` || (namespace === "default" && wanted === name);
}

function timeOf(event: Json): number {
  return Date.parse(text(event["lastTimestamp"]));
}

function printRows(events: readonly Json[], hasHeader: boolean): string {
  const nowMs = Date.now();
  const header = ["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"];
  const rows = events.map((event) => [
    ...[eventAge(event, nowMs), text(event["type"]), text(event["reason"])],
    ...[eventObject(event), text(event["message"])],
  ]);
  const table = printTable(header, rows);
  return hasHeader ? table : table.slice(table.indexOf("\n") + 1);
}
