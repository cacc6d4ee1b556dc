// What a pod holds of its disk: writable layers, volumes on disk, logs. Containers own these trees
// and change them meanwhile: every step is one name beneath a descriptor, no link is followed, no
// other mount is entered. Nothing is remembered: who asks seldom pays seldom.

import type { Stats } from "node:fs";
import { lstatSync } from "node:fs";
import { basename, dirname } from "node:path";
import { closeFd } from "../native/syscalls.ts";
import { openDirectory, readNames, tryOpenNames } from "../native/tree.ts";
import type { PodState } from "./read-state.ts";
import { names } from "./state.ts";
import type { DiskUse, PodDiskUse } from "./types.ts";

export interface MeasureOptions {
  readonly signal?: AbortSignal | undefined;
  /** Of all trees together; default two million. */
  readonly inodesMax?: number;
}

const inodesMaxDefault = 2_000_000;
/** Looked at before other work gets its turn: about a millisecond. */
const sliceEntries = 200;
/** A descriptor is kept open for each level. */
const depthMax = 256;
const blockBytes = 512;

export async function measurePod(
  { places, containers }: Pick<PodState, "places" | "containers">,
  options: MeasureOptions = {},
): Promise<PodDiskUse> {
  const budget = { left: options.inodesMax ?? inodesMaxDefault };
  const measure = (path: string) => measureTree(path, budget, options.signal);
  const data = `${places.dataParent}/${places.uid}`;
  const logs = `${places.logsParent}/${places.logsName}`;
  const directories = names(data);
  const measured: PodDiskUse["containers"][number][] = [];
  for (const { name } of containers) {
    // One for each run; names of containers have no dots.
    const uppers = directories.filter((entry) => entry.replace(/(\.\d+)?\.upper$/, "") === name);
    const runs: DiskUse[] = [];
    for (const upper of uppers) runs.push(await measure(`${data}/${upper}`));
    measured.push({ name, writable: addUp(runs), logs: await measure(`${logs}/${name}`) });
  }
  const volumes: PodDiskUse["volumes"][number][] = [];
  for (const entry of directories.filter((name) => name.endsWith(".volume"))) {
    volumes.push({
      name: entry.slice(0, -".volume".length),
      ...(await measure(`${data}/${entry}`)),
    });
  }
  const all = [...measured.flatMap(({ writable, logs: own }) => [writable, own]), ...volumes];
  return { total: addUp(all), containers: measured, volumes };
}

function addUp(uses: readonly DiskUse[]): DiskUse {
  return {
    bytes: uses.reduce((sum, { bytes }) => sum + bytes, 0),
    inodes: uses.reduce((sum, { inodes }) => sum + inodes, 0),
    isPartial: uses.some(({ isPartial }) => isPartial),
  };
}

/** Nothing of what is not there, or goes meanwhile. */
export async function measureTree(
  path: string,
  budget: { left: number } = { left: inodesMaxDefault },
  signal?: AbortSignal,
): Promise<DiskUse> {
  const walk = new Walk(path, budget);
  try {
    while (walk.look(sliceEntries)) {
      await new Promise((resolve) => setImmediate(resolve));
      signal?.throwIfAborted();
    }
    return walk.use;
  } finally {
    walk[Symbol.dispose]();
  }
}

class Walk implements Disposable {
  /** From the top down: what is open, and its names that were read and not yet looked at. */
  readonly #levels: { readonly fd: number; waiting: string[] }[] = [];
  readonly #budget: { left: number };
  /** Inodes with several names. */
  readonly #linked = new Set<number>();
  #bytes = 0;
  #inodes = 0;
  #isPartial = false;

  constructor(path: string, budget: { left: number }) {
    this.#budget = budget;
    const parent = openParent(path);
    if (parent < 0) return;
    this.#take(parent, Buffer.from(basename(path)).toString("latin1"));
    closeFd(parent);
  }

  get use(): DiskUse {
    return { bytes: this.#bytes, inodes: this.#inodes, isPartial: this.#isPartial };
  }

  /** At so many entries; false when there are no more. */
  look(entriesMax: number): boolean {
    for (let count = 0; count < entriesMax; count += 1) {
      const level = this.#levels.at(-1);
      if (level === undefined) return false;
      if (level.waiting.length === 0) level.waiting = readNames(level.fd);
      const name = level.waiting.pop();
      if (name === undefined) closeFd(this.#levels.pop()?.fd ?? -1);
      else this.#take(level.fd, name);
    }
    return true;
  }

  #take(parent: number, name: string): void {
    const stat = tryStat(parent, name);
    if (stat === undefined) return;
    if (this.#budget.left === 0) {
      this.#isPartial = true;
      this[Symbol.dispose]();
      return;
    }
    this.#budget.left -= 1;
    if (!stat.isDirectory() && stat.nlink > 1) {
      if (this.#linked.has(stat.ino)) return;
      this.#linked.add(stat.ino);
    }
    this.#inodes += 1;
    this.#bytes += stat.blocks * blockBytes;
    if (!stat.isDirectory()) return;
    if (this.#levels.length === depthMax) {
      this.#isPartial = true;
      return;
    }
    const fd = tryOpenNames(parent, name);
    if (fd >= 0) this.#levels.push({ fd, waiting: [] });
  }

  [Symbol.dispose](): void {
    for (const { fd } of this.#levels.splice(0)) closeFd(fd);
  }
}

function openParent(path: string): number {
  try {
    return openDirectory(dirname(path));
  } catch {
    return -1; // The pod is gone.
  }
}

/** The parent is a descriptor, and the name itself is not followed. */
function tryStat(parent: number, name: string): Stats | undefined {
  try {
    const place = Buffer.from(`/proc/self/fd/${parent}/${name}`, "latin1");
    return lstatSync(place, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}
