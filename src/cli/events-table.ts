// Events as kubectl lists them.

import { object, text } from "./describe/values.ts";
import type { Json } from "./describe/values.ts";
import { printTable } from "./table.ts";
import { formatAge } from "./time.ts";

/** `3s (x4 over 2m)` of one that came several times. */
export function eventAge(event: Json, nowMs: number): string {
  const since = (key: string) => formatAge(nowMs - Date.parse(text(event[key])));
  const count = Number(event["count"] ?? 1);
  const last = since("lastTimestamp");
  return count > 1 ? `${last} (x${count} over ${since("firstTimestamp")})` : last;
}

/** `pod/web`. */
export function eventObject(event: Json): string {
  const { name, namespace } = object(event["involvedObject"]);
  const isElsewhere = namespace !== undefined && namespace !== "default";
  return `pod/${isElsewhere ? `${text(namespace)}/` : ""}${text(name)}`;
}

/** On the page of one pod, under a rule. */
export function printEvents(
  events: readonly Json[],
  nowMs: number,
  { isIndented }: { readonly isIndented: boolean },
): string {
  const header = ["Type", "Reason", "Age", "From", "Message"];
  const rows = events.map((event) => [
    ...[text(event["type"]), text(event["reason"]), eventAge(event, nowMs)],
    ...[text(object(event["source"])["component"]), text(event["message"])],
  ]);
  const rules = header.map((word) => "-".repeat(word.length));
  const table = printTable(header, [rules, ...rows]);
  return isIndented ? table.replace(/^(?=.)/gm, "  ") : table;
}
