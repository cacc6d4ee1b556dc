// What idle pods weigh: their keepers' private memory, the kernel's, and what the machine has less.
import { readFileSync } from "node:fs";
import type { Sample } from "../cell.ts";
import type { Shape } from "../shape.ts";
import { median } from "../statistics.ts";
import type { Pod } from "../../src/pod/types.ts";
import type { Site } from "./site.ts";

const steps = 10;
/** The kernel frees and merges what a start needed for a moment. */
const settleMs = 300;

export async function weighMany(site: Site, shape: Shape, count: number): Promise<Sample> {
  const pods: Pod[] = [];
  try {
    return await weighCrowd(count, async () => {
      const pod = await site.peapod.up(site.manifest(shape));
      pods.push(pod);
      return (await pod.inspect()).sandbox.keeperPid;
    });
  } finally {
    for (const pod of pods) await pod.down({ graceMs: 0 });
  }
}

/** `start` starts one more pod, which stays, and answers with its keeper's process id. */
export async function weighCrowd(count: number, start: () => Promise<number>): Promise<Sample> {
  const readings: Reading[] = [];
  // The first pod brings what all share; it is in no reading.
  const keepers = [await start()];
  await Bun.sleep(settleMs);
  const before = readMeminfo();
  for (let step = 1; step <= steps; step += 1) {
    const wanted = 1 + Math.round((count * step) / steps);
    while (keepers.length < wanted) keepers.push(await start());
    await Bun.sleep(settleMs);
    readings.push(read(keepers, before));
  }
  return {
    pods: readings.map(({ pods: running }) => running),
    "keeper-memory": readings.map(({ keeper }) => keeper),
    "kernel-memory": readings.map(({ kernel }) => kernel),
    "taken-memory": readings.map(({ taken }) => taken),
  };
}

type Reading = Readonly<Record<"pods" | "keeper" | "kernel" | "taken", number>>;
type Meminfo = Readonly<Record<"kernel" | "available", number>>;

function read(keepers: readonly number[], before: Meminfo): Reading {
  const now = readMeminfo();
  return {
    pods: keepers.length - 1,
    keeper: median(keepers.map(privateKiB)),
    kernel: now.kernel - before.kernel,
    taken: before.available - now.available,
  };
}

/** Pages that would be free again without the process; those it shares are another's, too. */
export function privateKiB(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  return fieldOf(rollup, "Private_Clean") + fieldOf(rollup, "Private_Dirty");
}

function readMeminfo(): Meminfo {
  const text = readFileSync("/proc/meminfo", "utf8");
  const kernel = ["Slab", "KernelStack", "PageTables", "Percpu"]
    .map((name) => fieldOf(text, name))
    .reduce((sum, value) => sum + value, 0);
  return { kernel, available: fieldOf(text, "MemAvailable") };
}

/** man 5 proc_meminfo: every field is in kB, which are KiB. */
function fieldOf(text: string, name: string): number {
  const [, value] = new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text) ?? [];
  if (value === undefined) throw new Error(`the kernel does not tell ${name}`);
  return Number(value);
}
