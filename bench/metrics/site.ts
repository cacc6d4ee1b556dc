// Where peapod is measured: one module for all cells of a process, as a service would have it, with
// directories and control groups of its own.
import { copyFile, mkdir, readFile, rm } from "node:fs/promises";
import { readdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { buildFloor } from "../floor.ts";
import { cpuOfGroups, cpuOfSelf } from "../cpu.ts";
import { fullShape, type Shape } from "../shape.ts";
import { findCgroupMount } from "../../src/native/host.ts";
import { openPeapod, type Peapod } from "../../src/open.ts";
import type { OpenOptions, Pod } from "../../src/pod/types.ts";
import type { PodManifest } from "../../src/read/pod-manifest/read.ts";
import { resolveHostImage } from "../../src/resolve/host-image.ts";

export type Site = {
  readonly peapod: Peapod;
  readonly options: OpenOptions &
    Readonly<Record<"root" | "state" | "logs" | "cgroupRoot", string>>;
  /** CPU time of this process and of all keepers and containers, dead ones included. */
  cpu(): number;
  /** Of a name that no other pod of this process has. */
  manifest(shape: Shape, command?: readonly string[]): NamedManifest;
  close(): Promise<void>;
};

export const cpuCounts =
  "this process with all its threads, and whatever ran in the groups of keepers and pods; " +
  "not the kernel's own threads";

const shared = new Map<string, { site: Promise<Site>; users: number }>();

/**
 * Bun compiles what runs often on another processor, for about the first hundred pods of a process,
 * and that delays keepers. What a service pays in its first second is measured on its own.
 */
const warmUpPods = 150;
const warmUpGapMs = 5;

/** The same for all cells with the same directory; the last one that closes it removes it. */
export async function openSite(
  directory: string,
  { isWarm }: { readonly isWarm: boolean },
): Promise<Site> {
  const made = async () => {
    const site = await makeSite(directory);
    if (isWarm) await warmUp(site);
    return site;
  };
  const known = shared.get(directory) ?? { site: made(), users: 0 };
  shared.set(directory, known);
  known.users += 1;
  const site = await known.site;
  const close = async () => {
    known.users -= 1;
    if (known.users > 0) return;
    shared.delete(directory);
    await site.close();
  };
  return { ...site, close };
}

async function makeSite(parent: string): Promise<Site> {
  const directory = join(parent, `peapod-${process.pid}`);
  const options = optionsBelow(directory);
  await mkdir(options.root, { recursive: true });
  for (const image of resolveHostImage(options.root).layers) await copyStamp(image);
  const peapod = await openPeapod(options);
  return {
    peapod,
    options,
    cpu: () => cpuOfSelf() + cpuOfGroups([options.cgroupRoot]),
    manifest: manifestOf,
    async close() {
      await peapod[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
      removeGroups(options.cgroupRoot);
    },
  };
}

async function warmUp({ peapod, manifest }: Site): Promise<void> {
  for (let started = 0; started < warmUpPods; started += 1) {
    const pod = await peapod.up(manifest(fullShape));
    await pod.exec(["/stamp", "exit"]).result;
    await pod.down({ graceMs: 0 });
    await Bun.sleep(warmUpGapMs);
  }
}

export function optionsBelow(directory: string): Site["options"] {
  const mount = findCgroupMount()?.path ?? "/sys/fs/cgroup";
  return {
    root: join(directory, "root"),
    state: join(directory, "state"),
    logs: join(directory, "logs"),
    cgroupRoot: `${mount}/peapod-bench-${process.pid}`,
    missingControllers: "warn",
    network: "none",
  };
}

/**
 * The program of every container goes into the built-in image, so that the measured pods have no
 * volume that the floor's have not.
 */
export async function copyStamp(image: string): Promise<void> {
  await copyFile(join(await buildFloor(), "..", "stamp"), join(image, "stamp"));
}

let pods = 0;

export type NamedManifest = PodManifest & { readonly metadata: { readonly name: string } };

export function manifestOf(
  shape: Shape,
  command: readonly string[] = ["/stamp", "line"],
): NamedManifest {
  pods += 1;
  const image = "host";
  const security = shape.readOnlyRoot
    ? { securityContext: { readOnlyRootFilesystem: true as const } }
    : {};
  const containers = Array.from({ length: shape.containers }, (_, index) => ({
    name: `c${index}`,
    image,
    command: [...command],
    ...security,
  }));
  // What is not supported yet is refused by the reader, which then says why a cell is absent.
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: `bench-${process.pid}-${pods}` },
    spec: {
      restartPolicy: "Never",
      terminationGracePeriodSeconds: 0,
      ...(shape.network ? {} : { hostNetwork: true }),
      ...(shape.userNamespace ? { hostUsers: false } : {}),
      containers,
    },
  } as NamedManifest;
}

/** Containers that run beside the measured pod, in one pod of their own. */
export async function startExisting(site: Site, shape: Shape): Promise<AsyncDisposable> {
  if (shape.existing === 0) return { async [Symbol.asyncDispose]() {} };
  const pod = await site.peapod.up(
    site.manifest({ ...shape, containers: shape.existing, existing: 0 }),
  );
  return { [Symbol.asyncDispose]: () => pod.down({ graceMs: 0 }) };
}

/** When each container of the pod ran its first instruction: nanoseconds of CLOCK_MONOTONIC. */
export async function firstInstructions(pod: Pod): Promise<bigint[]> {
  const states = await Promise.all(pod.containers.map((container) => container.state()));
  return await Promise.all(states.map(({ logPath }) => readStamp(logPath)));
}

/** From the one line in a container's log, in the CRI format: time, stream, tag, text. */
export async function readStamp(logPath: string): Promise<bigint> {
  const limitMs = 5000;
  const until = performance.now() + limitMs;
  while (performance.now() < until) {
    const [, digits] = / F (\d+)\n/.exec(await readFile(logPath, "utf8").catch(() => "")) ?? [];
    if (digits !== undefined) return BigInt(digits);
    await Bun.sleep(1);
  }
  throw new Error(`${logPath} has no time stamp after ${limitMs} ms`);
}

export function removeGroups(group: string): void {
  try {
    for (const entry of readdirSync(group, { withFileTypes: true }))
      if (entry.isDirectory()) removeGroups(join(group, entry.name));
    rmdirSync(group);
  } catch {
    // Gone already, or in use by what is about to say so itself.
  }
}
