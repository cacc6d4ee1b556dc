// The control groups of a pod with their limits, their use and their processes, read from the
// cgroup file system.

import { readFileSync, readdirSync } from "node:fs";
import { basename } from "node:path";
import { clean, formatBytes } from "./text.ts";

export interface CgroupNode {
  readonly name: string;
  readonly path: string;
  /** Interface file → content, for those files that exist and limit or count something. */
  readonly values: Readonly<Record<string, string>>;
  readonly processes: readonly { readonly pid: number; readonly command: string }[];
  readonly children: readonly CgroupNode[];
}

const valueFiles = [
  ...["memory.current", "memory.max", "memory.swap.max", "cpu.max", "cpu.weight"],
  ...["pids.current", "pids.max"],
] as const;

/** Undefined when the group is gone. */
export function readCgroupTree(path: string): CgroupNode | undefined {
  let entries;
  try {
    entries = readdirSync(path, { withFileTypes: true });
  } catch {
    return undefined;
  }
  const children = entries
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => readCgroupTree(`${path}/${name}`) ?? [])
    .toSorted((a, b) => a.name.localeCompare(b.name));
  const values: Record<string, string> = {};
  for (const file of valueFiles) {
    const value = readText(`${path}/${file}`);
    if (value !== undefined) values[file] = value;
  }
  return { name: basename(path), path, values, processes: readProcesses(path), children };
}

function readProcesses(path: string): CgroupNode["processes"] {
  const pids = (readText(`${path}/cgroup.procs`) ?? "").split("\n").filter(Boolean).map(Number);
  return pids.map((pid) => ({ pid, command: readCommand(pid) }));
}

/** Command lines are the process's to write; its name stands in when there is none. */
function readCommand(pid: number): string {
  const line = (readText(`/proc/${pid}/cmdline`) ?? "").replaceAll("\0", " ").trim();
  return line === "" ? `[${readText(`/proc/${pid}/comm`) ?? "gone"}]` : line;
}

/** Undefined also for a file that may not be read, such as `cgroup.procs` of a threaded group. */
function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return undefined;
  }
}

const commandLengthMax = 80;

export function printCgroupTree(root: CgroupNode): string {
  return `${[printNode(root, root.path), ...printBelow(root, "")].join("\n")}\n`;
}

function printBelow(node: CgroupNode, indent: string): string[] {
  const processes = node.processes.map(({ pid, command }) => {
    const text = clean(command);
    const isLong = text.length > commandLengthMax;
    return [`${pid} ${isLong ? `${text.slice(0, commandLengthMax)}…` : text}`];
  });
  const children = node.children.map((child) => [
    printNode(child, child.name),
    ...printBelow(child, ""),
  ]);
  const all = [...processes, ...children];
  return all.flatMap(([first = "", ...below], index) => {
    const isLast = index === all.length - 1;
    const next = `${indent}${isLast ? "   " : "│  "}`;
    return [`${indent}${isLast ? "└─ " : "├─ "}${first}`, ...below.map((line) => next + line)];
  });
}

function printNode({ values }: CgroupNode, name: string): string {
  const parts = [
    printUse("memory", values["memory.current"], values["memory.max"], formatSize),
    values["memory.swap.max"] && `swap max ${formatSize(values["memory.swap.max"])}`,
    values["cpu.max"] && `cpu ${formatCpu(values["cpu.max"])}`,
    values["cpu.weight"] && `weight ${values["cpu.weight"]}`,
    printUse("pids", values["pids.current"], values["pids.max"], (text) => text),
  ].filter(Boolean);
  return [clean(name), parts.join(", ")].filter(Boolean).join("  ");
}

function printUse(
  name: string,
  current: string | undefined,
  max: string | undefined,
  format: (text: string) => string,
): string {
  if (current === undefined && max === undefined) return "";
  return `${name} ${current === undefined ? "?" : format(current)} of ${format(max ?? "max")}`;
}

function formatSize(text: string): string {
  return /^\d+$/.test(text) ? formatBytes(Number(text)) : text;
}

/** `50000 100000` is half a CPU; `max` is no limit. */
function formatCpu(text: string): string {
  const [quota = "max", period = "100000"] = text.split(" ");
  return quota === "max" ? "max" : `${Number((Number(quota) / Number(period)).toFixed(3))}`;
}
