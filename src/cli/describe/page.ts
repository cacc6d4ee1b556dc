// The page of `describe`, laid out as kubectl lays it out: what people look through when a pod is
// not up.

import { formatQuantityList, formatTime, type Json, list, object, text } from "./values.ts";
import { describeContainer } from "./container.ts";
import { describeVolume } from "./volume.ts";
import { Page } from "./lines.ts";
import { printEvents } from "../events-table.ts";

export interface Described {
  readonly pod: Json;
  readonly events: readonly Json[];
  readonly retries: ReadonlyMap<string, Date>;
}

export function printDescription({ pod, events, retries }: Described, nowMs: number): string {
  const metadata = object(pod["metadata"]);
  const spec = object(pod["spec"]);
  const status = object(pod["status"]);
  const page = new Page();
  page.field("Name", text(metadata["name"]));
  page.field("Namespace", text(metadata["namespace"]));
  page.field("Start Time", formatTime(status["startTime"]));
  page.entries("Labels", formatQuantityList(metadata["labels"], "="));
  page.entries("Annotations", formatQuantityList(metadata["annotations"], ": "));
  describePhase(page, metadata, status, nowMs);
  page.field("IP", text(status["podIP"]));
  const addresses = list(status["podIPs"]);
  page.line(addresses.length === 0 ? "IPs:  <none>" : "IPs:");
  for (const address of addresses) page.indented(1).line(`IP:  ${text(address["ip"])}`);
  describeContainers(page, spec, status, { retries, nowMs });
  describeConditions(page, list(status["conditions"]));
  const volumes = list(spec["volumes"]);
  page.line(volumes.length === 0 ? "Volumes:  <none>" : "Volumes:");
  for (const volume of volumes) describeVolume(page.indented(1), volume);
  page.field("QoS Class", text(status["qosClass"]));
  page.line(events.length === 0 ? "Events:  <none>" : "Events:");
  if (events.length > 0) page.block(printEvents(events, nowMs, { isIndented: true }));
  return page.print();
}

function describePhase(page: Page, metadata: Json, status: Json, nowMs: number): void {
  const deletion = metadata["deletionTimestamp"];
  if (typeof deletion === "string") {
    const leftSeconds = Math.max(0, Math.ceil((Date.parse(deletion) - nowMs) / 1000));
    page.field("Status", `Terminating (at the latest in ${leftSeconds}s)`);
    const grace = metadata["deletionGracePeriodSeconds"];
    page.field("Termination Grace Period", `${text(grace)}s`);
  } else page.field("Status", text(status["phase"]));
  if (status["reason"] !== undefined) page.field("Reason", text(status["reason"]));
  if (status["message"] !== undefined) page.field("Message", text(status["message"]));
}

function describeContainers(
  page: Page,
  spec: Json,
  status: Json,
  times: { readonly retries: ReadonlyMap<string, Date>; readonly nowMs: number },
): void {
  for (const [title, key, statusKey] of [
    ["Init Containers", "initContainers", "initContainerStatuses"],
    ["Containers", "containers", "containerStatuses"],
    ["Ephemeral Containers", "ephemeralContainers", "ephemeralContainerStatuses"],
  ] as const) {
    const containers = list(spec[key]);
    if (containers.length === 0) continue;
    page.line(`${title}:`);
    const statuses = list(status[statusKey]);
    for (const container of containers) {
      const own = statuses.find(({ name }) => name === container["name"]) ?? {};
      describeContainer(page.indented(1), container, own, times);
    }
  }
}

function describeConditions(page: Page, conditions: readonly Json[]): void {
  page.line("Conditions:");
  const rows = conditions.map(({ type, status, reason, message }) => [
    ...[text(type), text(status), reason === undefined ? "" : text(reason)],
    message === undefined ? "" : text(message),
  ]);
  page.indented(1).table(["Type", "Status", "Reason", "Message"], rows);
}
