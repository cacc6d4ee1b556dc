// Facts of this host, looked up once a process; and the cgroup root, which is made on the way.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { PodError } from "../errors/pod-error.ts";
import * as host from "../native/host.ts";
import type { CgroupFacts, HostFacts, SecurityFacts } from "../spec/host-facts.ts";
import type { HostPath } from "../spec/paths.ts";

export const oldestKernel = [6, 1] as const;
const controllersUsed = ["cpu", "memory", "pids", "hugetlb"] as const;

export interface FactsOptions {
  readonly cgroupRoot?: string;
}

export function resolveHostFacts(options: FactsOptions): HostFacts {
  const kernel = host.kernelVersion();
  if (!host.isAtLeast(kernel, oldestKernel)) {
    throw new PodError({
      code: "host.kernel-too-old",
      message: `the kernel is ${kernel.join(".")} and peapod needs ${oldestKernel.join(".")}`,
    });
  }
  if (process.getuid?.() !== 0) {
    throw new PodError({
      code: "host.not-root",
      message: `peapod was started by user ${process.getuid?.()}`,
    });
  }
  return {
    arch: process.arch === "arm64" ? "arm64" : "x64",
    kernel,
    memoryBytes: host.memoryBytes(),
    openFilesMax: host.openFilesMax(),
    // 6.13 takes descriptors of attached mounts only; the keeper's are detached (fs/namespace.c,
    // clone_private_mount).
    layersByDescriptor: host.isAtLeast(kernel, [6, 15]),
    clonesDetached: host.isAtLeast(kernel, [6, 15]),
    tmpfsWithoutSwap: host.isAtLeast(kernel, [6, 4]),
    thermalThrottle: host.thermalThrottlePaths(),
    cgroup: resolveCgroupRoot(options.cgroupRoot),
    get security() {
      return (securityFacts ??= host.securityFacts());
    },
  };
}

let securityFacts: SecurityFacts | undefined;

/** `--cgroup-root`, else the delegated subtree this process is in, else `peapod` at the top. */
function resolveCgroupRoot(wanted: string | undefined): CgroupFacts {
  const mount = host.findCgroupMount();
  if (!mount) {
    throw new PodError({ code: "host.no-cgroup2", message: "no cgroup v2 hierarchy is mounted" });
  }
  const root = wanted ?? delegatedRoot(mount.path) ?? `${mount.path}/peapod`;
  if (root !== mount.path && !root.startsWith(`${mount.path}/`)) {
    throw new PodError({
      code: "host.cgroup-unusable",
      message: `the cgroup root ${root} is not below ${mount.path}, where cgroup v2 is mounted`,
    });
  }
  const wish = mount.controllers.filter((name) => isUsed(name));
  try {
    makeGroups(mount.path, root, wish);
  } catch (error) {
    throw new PodError({
      code: "host.cgroup-unusable",
      message: `the cgroup root ${root} cannot be used`,
      step: error instanceof Error ? error.message : String(error),
    });
  }
  const offered = host.readWords(`${root}/cgroup.subtree_control`).filter(isUsed);
  return {
    root: root as HostPath,
    controllers: new Set(offered),
    hugePageSizes: offered.includes("hugetlb") ? host.hugePageSizes() : [],
  };
}

function isUsed(name: string): boolean {
  return (controllersUsed as readonly string[]).includes(name);
}

/**
 * A subtree that systemd delegated (Delegate=yes) and that no process sits in the top of is marked
 * by its xattr; the environment of the service names it.
 */
function delegatedRoot(mount: string): string | undefined {
  const own = readFileSync("/proc/self/cgroup", "utf8").match(/^0::(.*)$/m)?.[1];
  if (!process.env["INVOCATION_ID"] || own === undefined || own === "/") return undefined;
  const group = `${mount}${own}`;
  return host.readWords(`${dirname(group)}/cgroup.procs`).length === 0 ? dirname(group) : undefined;
}

/**
 * Every group on the way, with the controllers passed down; the QoS parents and the keepers' group
 * below the root.
 */
function makeGroups(mount: string, root: string, controllers: readonly string[]): void {
  const names = root.slice(mount.length).split("/").filter(Boolean);
  let path = mount;
  for (const name of names) {
    enableControllers(path, controllers);
    path = `${path}/${name}`;
    if (!existsSync(path)) mkdirSync(path);
  }
  enableControllers(path, controllers);
  for (const name of ["burstable", "besteffort", "keepers"]) {
    const group = `${path}/${name}`;
    if (!existsSync(group)) mkdirSync(group);
    if (name !== "keepers") enableControllers(group, controllers);
  }
}

function enableControllers(group: string, controllers: readonly string[]): void {
  const file = `${group}/cgroup.subtree_control`;
  const enabled = host.readWords(file);
  const missing = controllers.filter((name) => !enabled.includes(name));
  // One at a time: the kernel takes all or none, and a parent may have withdrawn one.
  for (const name of missing) {
    try {
      writeFileSync(file, `+${name}`);
    } catch (error) {
      if (!isBusy(error)) continue;
      throw new Error(`${group} holds processes of its own, so it cannot pass ${name} on (EBUSY)`);
    }
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EBUSY";
}
