// Probing the host: by calling and reading, never by guessing from names.

import { existsSync, lstatSync, readdirSync, readFileSync } from "node:fs";
import { totalmem } from "node:os";

export interface CgroupMount {
  /** Where the cgroup v2 hierarchy is mounted. */
  readonly path: string;
  /** Controllers that it offers at its top. */
  readonly controllers: readonly string[];
}

/** Null-free: undefined where no cgroup v2 hierarchy is mounted. */
export function findCgroupMount(): CgroupMount | undefined {
  // man 5 proc_pid_mountinfo: "… mountpoint options [fields] - type source options".
  for (const line of readFileSync("/proc/self/mountinfo", "utf8").split("\n")) {
    const [left = "", right = ""] = line.split(" - ");
    if (!right.startsWith("cgroup2 ")) continue;
    const path = unescapeMount(left.split(" ")[4] ?? "");
    return { path, controllers: readWords(`${path}/cgroup.controllers`) };
  }
  return undefined;
}

/** mountinfo writes blanks and backslashes in octal. */
function unescapeMount(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

/** Words of a file of one line; none when it is not there. */
export function readWords(path: string): string[] {
  try {
    return readFileSync(path, "utf8").split(/\s+/).filter(Boolean);
  } catch {
    return [];
  }
}

export function kernelVersion(): readonly [major: number, minor: number] {
  const release = readFileSync("/proc/sys/kernel/osrelease", "utf8");
  const [major = 0, minor = 0] = release.split(".").map((part) => Number.parseInt(part, 10));
  return [major, minor];
}

export function isAtLeast(
  kernel: readonly [number, number],
  wanted: readonly [number, number],
): boolean {
  return kernel[0] !== wanted[0] ? kernel[0] > wanted[0] : kernel[1] >= wanted[1];
}

export function memoryBytes(): number {
  return totalmem();
}

/** Hard limit of open files; Bun has raised its soft one to it. */
export function openFilesMax(): number {
  const line = readFileSync("/proc/self/limits", "utf8").match(/^Max open files\s+\S+\s+(\S+)/m);
  const value = Number(line?.[1]);
  return Number.isFinite(value) ? value : 1_048_576;
}

/** The CPUs' thermal_throttle directories, as a container would see them. */
export function thermalThrottlePaths(): string[] {
  const base = "/sys/devices/system/cpu";
  try {
    return readdirSync(base)
      .filter((name) => /^cpu[0-9]+$/.test(name))
      .map((name) => `${base}/${name}/thermal_throttle`)
      .filter((path) => existsSync(path));
  } catch {
    return [];
  }
}

export function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
}

export interface SecurityFacts {
  readonly capabilities: bigint;
  readonly appArmorProfiles: ReadonlySet<string> | undefined;
  readonly hasSeLinux: boolean;
}

export function securityFacts(): SecurityFacts {
  const permitted = readFileSync("/proc/self/status", "utf8").match(/^CapPrm:\t([0-9a-f]+)$/m)?.[1];
  return {
    capabilities: BigInt(`0x${permitted ?? "0"}`),
    appArmorProfiles: appArmorProfiles(),
    hasSeLinux: existsSync("/sys/fs/selinux/enforce"),
  };
}

/** Lines of `name (mode)`. Without securityfs nobody can say which are loaded. */
function appArmorProfiles(): ReadonlySet<string> | undefined {
  if (readWords("/sys/module/apparmor/parameters/enabled")[0] !== "Y") return undefined;
  try {
    const text = readFileSync("/sys/kernel/security/apparmor/profiles", "utf8");
    return new Set(text.split("\n").map((line) => line.replace(/ \([a-z]+\)$/, "")));
  } catch {
    return new Set();
  }
}

/** `2MB` and the like, as control groups name them. */
export function hugePageSizes(): string[] {
  const names = readdirSync("/sys/kernel/mm/hugepages").flatMap(
    (name) => /^hugepages-(\d+)kB$/.exec(name)?.[1] ?? [],
  );
  return names.map((kib) => {
    const size = Number(kib);
    if (size >= 1 << 20) return `${size >> 20}GB`;
    return size >= 1 << 10 ? `${size >> 10}MB` : `${size}KB`;
  });
}
