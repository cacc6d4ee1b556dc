// All that the probe sees and may do in a container, as lines of text that two hosts agree on.

import { hostname } from "node:os";
import type { ProbeLine } from "../support/probe.ts";

/** CLONE_NEW… flags, address families and descriptors stand as numbers. */
const attempts = [
  ...["mount /etc", "umount /sys", "remount-rw /sys", "remount-rw /", "open-write /proc/sys"],
  ...["open-write /proc/sys/kernel/domainname", "open-write /sys/kernel/profiling"],
  ...["open-read /proc/kcore", "open-read /proc/keys", "open-read /proc/timer_list"],
  ...["open-write /dev/null", "open-read /dev/kmsg", "open-read /dev/mem", "open-read /dev/fuse"],
  ...["mknod /device 1 3", "mknod /device 8 0", "chroot /etc", "setuid 1000", "setuid 0"],
  ...["unshare 0x20000", "unshare 0x10000000", "clone3 0x10000000", "setns /proc/self/ns/net"],
  ...["sethostname other", "socket 17 3 0", "socket 38 5 0", "socket 40 1 0", "nofile 2000000"],
  ...["ptrace 1", "kill 1 0", "bpf", "keyctl", "add-key", "reboot", "dmesg", "fsopen"],
  ...[
    "userfaultfd",
    "io-uring",
    "perf-event",
    "chmod-setuid /own",
    "clone-into-cgroup /sys/fs/cgroup",
  ],
];

export const words: readonly string[] = [
  ...["create", "/own", "x"],
  ...["ids", "caps", "security", "signals", "limits", "umask", "process", "cwd", "env", "fds"],
  ...["host", "ls", "/dev", "mounts", "pids", "links", "terminal"],
  ...["read", "/proc/self/uid_map", "read", "/proc/self/cgroup", "read", "/proc/self/attr/current"],
  ...attempts.flatMap((attempt) => ["try", ...attempt.split(" ")]),
];

/** Masks of what only some kernels have, devices and links that only some machines have. */
const mayBeMissing = [
  /^mount \/proc\/(acpi|asound|kcore|latency_stats|sched_debug|scsi|timer_stats) /,
  /^mount \/sys\/devices\//,
  /^ls \/dev (?!(core|fd|full|fuse|kmsg|mqueue|null|ptmx|pts|random|shm|std.*|tty|urandom|zero):)/,
  /^links (?!lo:)/,
];

/** One line for each thing seen. */
export function linesOf(answers: readonly ProbeLine[]): string[] {
  return answers
    .flatMap(({ ask, answer, error }) => {
      if (error !== undefined) return [`${ask}: ${error}`];
      if (ask === "mounts") return mountLines(answer);
      if (ask === "limits") return limitLines(answer);
      if (ask === "host") return [`host name: ${nameOf(answer)}`];
      if (ask === "env") return (answer as string[]).map(variableLine);
      if (Array.isArray(answer)) return answer.map((value) => `${ask} ${plain(value)}`);
      if (typeof answer !== "object" || answer === null) return [`${ask}: ${plain(answer)}`];
      return Object.entries(answer).map(([key, value]) => `${ask} ${key}: ${plain(value)}`);
    })
    .filter((line) => !mayBeMissing.some((pattern) => pattern.test(line)))
    .toSorted();
}

type Mount = Readonly<Record<"target" | "fstype" | "options" | "root" | "propagation", string>>;

function mountLines(mounts: unknown): string[] {
  return (mounts as readonly Mount[]).map(({ target, fstype, options, root, propagation }) => {
    const kept = options.split(",").filter((option) => option !== "relatime");
    return `mount ${target} ${fstype} ${root} ${kept.join()}${propagation && ` ${propagation}`}`;
  });
}

/** A hard limit that is the host's own is not ours to say. */
function limitLines(limits: unknown): string[] {
  const table = limits as Readonly<Record<string, readonly [soft: unknown, hard: unknown]>>;
  return ["NOFILE", "CORE"].map((name) => `limit ${name} ${plain(table[name]?.[0])}`);
}

function nameOf(host: unknown): string {
  const { hostname: own } = host as { readonly hostname: string };
  return own === hostname() ? "the machine's" : own;
}

function variableLine(variable: string): string {
  const isMachines = variable === `HOSTNAME=${hostname()}`;
  return `env ${isMachines ? "HOSTNAME=the machine's" : variable}`;
}

/** Without the numbers that no two runs share. */
function plain(value: unknown): string {
  return JSON.stringify(value)
    .replace(/pipe:\[\d+\]/g, "pipe")
    .replace(/[0-9]+:[a-z,=]+:[^0]*(?=0::)/g, "")
    .replace(/exec-\d+/g, "exec-N")
    .replace(/( +0 )\d{10}( +65536)/g, "$1FIRST$2");
}

/** What differs from the lines of another container: `-` what is missing, `+` what is new. */
export function difference(base: readonly string[], lines: readonly string[]): string[] {
  return [
    ...base.filter((line) => !lines.includes(line)).map((line) => `- ${line}`),
    ...lines.filter((line) => !base.includes(line)).map((line) => `+ ${line}`),
  ].toSorted((a, b) => (a.slice(2) < b.slice(2) ? -1 : a.slice(2) > b.slice(2) ? 1 : 0));
}
