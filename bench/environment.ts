// What the numbers were taken with, as lines for the report.
import { existsSync, readFileSync } from "node:fs";
import { availableParallelism, cpus, release, totalmem, version } from "node:os";
import { findCgroupMount } from "../src/native/host.ts";

export async function readEnvironment(directory: string): Promise<Record<string, string>> {
  const mount = findCgroupMount();
  const { files, processes } = readLimits();
  return {
    kernel: `${release()} ${version()}`,
    processors: `${availableParallelism()} × ${cpus()[0]?.model ?? "unknown"}`,
    architecture: process.arch,
    "virtual machine": textOf("/sys/class/dmi/id/product_name") || "unknown",
    "frequency governor": textOf("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor") || "none",
    memory: `${Math.round(totalmem() / 2 ** 20)} MiB`,
    "transparent huge pages": textOf("/sys/kernel/mm/transparent_hugepage/enabled") || "none",
    "control groups": mount
      ? `v2 at ${mount.path}, controllers: ${mount.controllers.join(" ") || "none"}`
      : "no v2",
    "mounts of the host": String(textOf("/proc/self/mountinfo").split("\n").length),
    "descriptors of a process at most": files,
    "processes at most": processes,
    "file system of the pods": fileSystemOf(directory),
    bun: `${Bun.version} ${Bun.revision.slice(0, 9)}`,
    source: await sourceVersion(),
  };
}

function readLimits(): { readonly files: string; readonly processes: string } {
  const text = textOf("/proc/self/limits");
  const soft = (name: string) => new RegExp(`^${name}\\s+(\\S+)`, "m").exec(text)?.[1] ?? "unknown";
  return {
    files: soft("Max open files"),
    processes: `${soft("Max processes")} a user, pid_max ${textOf("/proc/sys/kernel/pid_max")}`,
  };
}

function fileSystemOf(directory: string): string {
  const { stdout } = Bun.spawnSync(["stat", "--file-system", "--format=%T", directory]);
  return `${stdout.toString().trim()} at ${directory}`;
}

/** With a mark when the tree holds what is not committed. */
async function sourceVersion(): Promise<string> {
  const git = (...words: string[]) =>
    Bun.spawnSync(["git", ...words], { cwd: import.meta.dir })
      .stdout.toString()
      .trim();
  const commit = git("rev-parse", "--short", "HEAD");
  if (commit === "") return "not a git tree";
  return git("status", "--porcelain", "--untracked-files=no") === ""
    ? commit
    : `${commit}, changed`;
}

function textOf(path: string): string {
  return existsSync(path) ? readFileSync(path, "utf8").trim() : "";
}
