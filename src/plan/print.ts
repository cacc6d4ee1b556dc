// A plan as text. Zig prints the same from the bytes (zig/plan/describe.zig), and a test holds the
// two equal.

import { ops } from "./abi.gen.ts";
import type { FieldRow } from "./encode.ts";
import type { Plan, Slot, Step } from "./plan.ts";
import { noSlot } from "./plan.ts";
import type { Secrets } from "./redact.ts";
import { noSecrets, redact, redactEntry } from "./redact.ts";

export function printPlan(plan: Plan): string {
  return [printHead(plan), ...plan.steps.map((step, index) => printStep(step, index))]
    .map((line) => `${line}\n`)
    .join("");
}

/** With the field that asked for each step, which only TypeScript knows. */
export function printPlanWithOrigins(plan: Plan, secrets: Secrets): string {
  const lines = plan.steps.map((step, index) => {
    const text = printStep(step, index, secrets);
    return step.origin === "" ? text : `${text}  # ${step.origin}`;
  });
  return [printHead(plan), ...lines].map((line) => `${line}\n`).join("");
}

function printHead(plan: Plan): string {
  const hang = plan.mayHang ? ", may hang" : "";
  return (
    `${plan.kind} plan, ${plan.steps.length} operations, root ${plan.rootUid}:${plan.rootGid}` +
    `, deadline ${plan.deadlineMs} ms${hang}`
  );
}

function printStep({ stage, op }: Step, index: number, secrets = noSecrets): string {
  const values: Readonly<Record<string, unknown>> = op;
  const fields = Object.entries<FieldRow>(ops[op.op].fields).map(
    ([name, row]) => ` ${name}=${printValue(name, row.type, values[name], secrets)}`,
  );
  return `${String(index + 1).padStart(3)} ${stage.padEnd(7)} ${op.op}${fields.join("")}`;
}

const octalFields: ReadonlySet<string> = new Set(["mode", "create_mode", "umask"]);

/** The types of `Op` guarantee that each value fits its row; the casts say which. */
function printValue(name: string, type: string, value: unknown, secrets: Secrets): string {
  switch (type) {
    case "slot":
      return (value as Slot) === noSlot ? "none" : `#${value as Slot}`;
    case "text":
      return quote(redact(value as string, secrets));
    case "texts":
      return printTexts(name, value as readonly string[], secrets);
    case "bytes":
      return `<${(value as Uint8Array).length} bytes>`;
    case "attributes":
    case "namespaces":
      return printFlags(type, value as readonly string[]);
    case "u32":
      return octalFields.has(name) ? `0${(value as number).toString(8)}` : String(value);
    default:
      return String(value);
  }
}

function printTexts(name: string, texts: readonly string[], secrets: Secrets): string {
  const hide = name === "environment" ? redactEntry : redact;
  return `[${texts.map((text) => quote(hide(text, secrets))).join(" ")}]`;
}

/** In the order of their bits, whatever order the planner wrote them in. */
function printFlags(type: "attributes" | "namespaces", names: readonly string[]): string {
  const sorted = flagOrder[type].filter((name) => names.includes(name));
  return sorted.length === 0 ? "none" : sorted.join(",");
}

const flagOrder: Readonly<Record<"attributes" | "namespaces", readonly string[]>> = {
  attributes: ["rdonly", "nosuid", "nodev", "noexec"],
  namespaces: ["net", "ipc", "uts", "mnt", "pid", "cgroup", "user"],
};

function quote(text: string): string {
  const escaped = text.replace(/["\\\n\x00-\x1f\x7f]/g, (character) => {
    if (character === "\n") return "\\n";
    if (character === '"' || character === "\\") return `\\${character}`;
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
  return `"${escaped}"`;
}
