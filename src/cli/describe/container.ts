// One container on the page of `describe`.

import { formatAge } from "../time.ts";
import type { Page } from "./lines.ts";
import { describeProbe } from "./probe.ts";
import { formatTime, type Json, list, object, text, texts } from "./values.ts";

interface Times {
  readonly retries: ReadonlyMap<string, Date>;
  readonly nowMs: number;
}

export function describeContainer(page: Page, container: Json, status: Json, times: Times): void {
  page.line(`${text(container["name"])}:`);
  const inner = page.indented(1);
  inner.field("Container ID", text(status["containerID"]));
  inner.field("Image", text(container["image"]));
  inner.field("Image ID", text(status["imageID"]));
  describePorts(inner, list(container["ports"]));
  for (const key of ["command", "args"] as const) {
    const words = texts(container[key]);
    if (words.length === 0) continue;
    inner.line(`${key === "command" ? "Command" : "Args"}:`);
    for (const word of words) inner.indented(1).line(word);
  }
  const retryAt = times.retries.get(text(container["name"]));
  describeState(inner, "State", object(status["state"]), retryAt, times.nowMs);
  const last = object(status["lastState"]);
  if (Object.keys(last).length > 0) {
    describeState(inner, "Last State", last, undefined, times.nowMs);
  }
  inner.field("Ready", status["ready"] === true ? "True" : "False");
  inner.field("Restart Count", text(status["restartCount"] ?? 0));
  describeResources(inner, object(container["resources"]));
  for (const [title, key] of [
    ["Liveness", "livenessProbe"],
    ["Readiness", "readinessProbe"],
    ["Startup", "startupProbe"],
  ] as const) {
    if (container[key] !== undefined) inner.field(title, describeProbe(object(container[key])));
  }
  describeEnvironment(inner, container);
  describeMounts(inner, list(container["volumeMounts"]));
}

function describePorts(page: Page, ports: readonly Json[]): void {
  const named = (port: Json, key: string) =>
    `${text(port[key] ?? 0)}/${text(port["protocol"] ?? "TCP")}`;
  const plural = ports.length > 1 ? "s" : "";
  page.field(
    `Port${plural}`,
    ports.map((port) => named(port, "containerPort")).join(", ") || "<none>",
  );
  page.field(
    `Host Port${plural}`,
    ports.map((port) => named(port, "hostPort")).join(", ") || "<none>",
  );
}

function describeState(
  page: Page,
  title: string,
  state: Json,
  retryAt: Date | undefined,
  nowMs: number,
): void {
  const [kind = "waiting"] = Object.keys(state);
  const details = object(state[kind]);
  page.field(title, kind.charAt(0).toUpperCase() + kind.slice(1));
  const inner = page.indented(1);
  if (details["reason"] !== undefined) inner.field("Reason", text(details["reason"]));
  if (details["message"] !== undefined) inner.field("Message", text(details["message"]));
  if (kind === "terminated") {
    inner.field("Exit Code", text(details["exitCode"]));
    if (details["signal"] !== undefined) inner.field("Signal", text(details["signal"]));
  }
  if (kind !== "waiting") inner.field("Started", formatTime(details["startedAt"]));
  if (kind === "terminated") inner.field("Finished", formatTime(details["finishedAt"]));
  if (retryAt) {
    const leftMs = Math.max(0, retryAt.getTime() - nowMs);
    inner.field("Next Start", leftMs === 0 ? "now" : `in ${formatAge(leftMs + 999)}`);
  }
}

function describeResources(page: Page, resources: Json): void {
  for (const [title, key] of [
    ["Limits", "limits"],
    ["Requests", "requests"],
  ] as const) {
    const values = Object.entries(object(resources[key]));
    if (values.length === 0) continue;
    page.line(`${title}:`);
    for (const [name, value] of values) page.indented(1).field(name, text(value));
  }
}

function describeEnvironment(page: Page, container: Json): void {
  const from = list(container["envFrom"]);
  if (from.length > 0) page.line("Environment Variables from:");
  for (const source of from) {
    const kind = source["secretRef"] === undefined ? "ConfigMap" : "Secret";
    const named = object(source["secretRef"] ?? source["configMapRef"]);
    const optional = named["optional"] === true ? "true" : "false";
    page.indented(1).line(`${text(named["name"])}  ${kind}  Optional: ${optional}`);
  }
  const variables = list(container["env"]);
  page.line(variables.length === 0 ? "Environment:  <none>" : "Environment:");
  for (const variable of variables) {
    const valueFrom = variable["valueFrom"];
    const value = valueFrom === undefined ? (variable["value"] ?? "") : sourceOf(object(valueFrom));
    page.indented(1).field(text(variable["name"]), String(value));
  }
}

/** Of a Secret's value only where it comes from. */
function sourceOf(source: Json): string {
  const field = object(source["fieldRef"]);
  if (field["fieldPath"] !== undefined) return `(v1:${text(field["fieldPath"])})`;
  const resource = object(source["resourceFieldRef"]);
  if (resource["resource"] !== undefined) return `(${text(resource["resource"])})`;
  for (const [key, kind] of [
    ["configMapKeyRef", "config map"],
    ["secretKeyRef", "secret"],
  ] as const) {
    const named = object(source[key]);
    if (named["key"] === undefined) continue;
    const where = `<set to the key '${text(named["key"])}' in ${kind} '${text(named["name"])}'>`;
    return `${where}  Optional: ${named["optional"] === true ? "true" : "false"}`;
  }
  return `<set from ${Object.keys(source).join(", ")}>`;
}

function describeMounts(page: Page, mounts: readonly Json[]): void {
  page.line(mounts.length === 0 ? "Mounts:  <none>" : "Mounts:");
  for (const mount of mounts) {
    const access = mount["readOnly"] === true ? "ro" : "rw";
    const path = mount["subPath"] === undefined ? "" : `,path="${text(mount["subPath"])}"`;
    const where = `${text(mount["mountPath"])} from ${text(mount["name"])}`;
    page.indented(1).line(`${where} (${access}${path})`);
  }
}
