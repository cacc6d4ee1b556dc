// What a peer's own processes take beside a pod's containers: their private memory.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** KiB that are nobody else's, of all processes of these names below a control group. */
export function privateMemory(group: string, names: readonly string[]): number {
  return processesBelow(group)
    .filter((pid) => names.includes(nameOf(pid)))
    .map(privateOf)
    .reduce((sum, kib) => sum + kib, 0);
}

function processesBelow(group: string): number[] {
  const own = readFileSync(join(group, "cgroup.procs"), "utf8").split("\n").filter(Boolean);
  const below = readdirSync(group, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => processesBelow(join(group, name)));
  return [...own.map(Number), ...below];
}

const nameOf = (pid: number): string => readFileSync(`/proc/${pid}/comm`, "utf8").trim();

function privateOf(pid: number): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  return [...text.matchAll(/^Private_(?:Clean|Dirty|Hugetlb):\s+(\d+) kB$/gm)]
    .map(([, kib]) => Number(kib))
    .reduce((sum, kib) => sum + kib, 0);
}
