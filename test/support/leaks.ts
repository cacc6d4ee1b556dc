// What a machine shows of the pods that ran on it: compared before and after, nothing may be left.

import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";

/** Sorted lines of text each, so that a difference reads like one. */
export interface Snapshot {
  readonly processes: readonly string[];
  readonly namespaces: readonly string[];
  readonly cgroups: readonly string[];
  readonly files: readonly string[];
  readonly mounts: readonly string[];
  readonly descriptors: readonly string[];
}

export interface SnapshotPlaces {
  /** Directory of the run's own control groups. */
  readonly cgroupRoot: string;
  /** Where the hierarchy is mounted. */
  readonly cgroupMount: string;
  readonly folder: string;
  /** Built once and kept: not a leak. */
  readonly kept: (path: string) => boolean;
}

/** A machine of its own has no neighbours whose pods come and go meanwhile. */
const isAlone = process.env.PEAPOD_TEST_IN_VM === "1";

export function takeSnapshot(places: SnapshotPlaces): Snapshot {
  const processes = ownProcesses(places);
  return {
    processes: processes.map(({ pid, name }) => `${pid} ${name}`).sort(),
    namespaces: namespacesOf(isAlone ? allPids() : processes.map(({ pid }) => pid)),
    cgroups: walk(places.cgroupRoot, "directories"),
    files: walk(places.folder, "all").filter((path) => !places.kept(path)),
    mounts: readFileSync("/proc/self/mountinfo", "utf8").trimEnd().split("\n").sort(),
    descriptors: ownDescriptors(),
  };
}

/** What is there now and was not before; empty when nothing leaked. */
export function leaksSince(before: Snapshot, after: Snapshot): string[] {
  return (Object.keys(before) as (keyof Snapshot)[]).flatMap((kind) =>
    after[kind].filter((line) => !before[kind].includes(line)).map((line) => `${kind}: ${line}`),
  );
}

interface Process {
  readonly pid: number;
  readonly name: string;
}

/** Descendants of this process, and whatever is in the run's control groups, whoever its parent. */
export function ownProcesses(places: Pick<SnapshotPlaces, "cgroupRoot" | "cgroupMount">) {
  const group = places.cgroupRoot.slice(places.cgroupMount.length);
  const parents = new Map<number, number>();
  const found: (Process & { readonly isInGroup: boolean })[] = [];
  for (const pid of allPids()) {
    const stat = tryRead(`/proc/${pid}/stat`);
    const [, name = "", state, parent = "0"] = /^\d+ \((.*)\) (.) (\d+)/s.exec(stat) ?? [];
    if (stat === "") continue;
    parents.set(pid, Number(parent));
    const own = /^0::(.*)$/m.exec(tryRead(`/proc/${pid}/cgroup`))?.[1] ?? "";
    // What is dead and has lost its parent is for another to reap: the machine's first process, or
    // a subreaper.
    const isInGroup = state !== "Z" && (own === group || own.startsWith(`${group}/`));
    found.push({ pid, name: `${name} (${state}, of ${parent})`, isInGroup });
  }
  const descends = (pid: number): boolean => {
    const parent = parents.get(pid) ?? 0;
    return parent === process.pid || (parent !== 0 && descends(parent));
  };
  return found.filter(({ pid, isInGroup }) => isInGroup || descends(pid));
}

function allPids(): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

function namespacesOf(pids: readonly number[]): string[] {
  const found = new Set<string>();
  for (const pid of pids) {
    for (const kind of ["net", "ipc", "uts", "mnt", "pid", "cgroup", "user"]) {
      const link = tryLink(`/proc/${pid}/ns/${kind}`);
      if (link !== "") found.add(link);
    }
  }
  return [...found].sort();
}

/** Bun opens descriptors of its own when it first needs them, and these stay. */
const bunsOwn = /^anon_inode:(inotify|\[(eventpoll|eventfd|timerfd|io_uring)\])$/;

function ownDescriptors(): string[] {
  return readdirSync("/proc/self/fd")
    .map((fd) => ({ fd, target: tryLink(`/proc/self/fd/${fd}`) }))
    .filter(({ target }) => target !== "" && !bunsOwn.test(target))
    .filter(({ target }) => !/^\/proc\/\d+\/fd$/.test(target))
    .map(({ fd, target }) => `${fd} ${target}`)
    .sort();
}

function walk(folder: string, what: "directories" | "all"): string[] {
  const found: string[] = [];
  const visit = (path: string) => {
    for (const entry of tryList(path)) {
      const inner = join(path, entry.name);
      if (entry.isDirectory() || what === "all") found.push(inner);
      if (entry.isDirectory()) visit(inner);
    }
  };
  visit(folder);
  return found.sort();
}

function tryList(path: string) {
  try {
    return readdirSync(path, { withFileTypes: true });
  } catch {
    return [];
  }
}

function tryRead(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function tryLink(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}
