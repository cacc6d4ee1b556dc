// What the probe is asked inside every container, and its answers as named fields that can be
// compared: numbers that differ from run to run (inodes, pids, device numbers) become what they
// mean.
import { readlinkSync, statSync } from "node:fs";
import { capabilityNames } from "../../src/spec/capabilities.ts";
import { probeLines } from "../../test/support/probe.ts";
import { describeMounts, type MountAnswer } from "./mounts.ts";

/** Field to value. A field that a container does not have (a mount, a limit) is not in it. */
export type EndState = Readonly<Record<string, string>>;

export type Paths = {
  readonly masked: readonly string[];
  readonly readOnly: readonly string[];
};

/** What is asked, each with its arguments. */
export function questions({ masked, readOnly }: Paths): string[][] {
  const plain = "ns ids caps security signals limits process fds env cwd umask links mounts pids";
  const read = ["/proc/self/cgroup", "/proc/self/oom_score_adj", ...generated];
  return [
    ...plain.split(" ").map((word) => [word]),
    ...read.map((path) => ["read", path]),
    ...["/", "/dev"].map((path) => ["ls", path]),
    ...["/sys/fs/cgroup", "/dev/null", "/dev/ptmx", "/tmp"].map((path) => ["stat", path]),
    ...masked.flatMap((path) => [
      ["head", path, "64"],
      ["ls", path],
    ]),
    ...readOnly.map((path) => ["statfs", path]),
    ["append", "/written", "x"],
    ...attempts.map((words) => ["try", ...words.split(" ")]),
  ];
}

const generated = ["/etc/hosts", "/etc/hostname", "/etc/resolv.conf"];

/** The probe's command line; its output ends with a line that says so. */
export const probeWords = (asked: readonly (readonly string[])[]): string[] => [
  ...asked.flat(),
  ...["say", lastWord],
];

/** What a seccomp filter or missing capabilities must refuse, and how. */
const attempts = [
  "open-write /proc/sys/kernel/domainname",
  "mount /tmp",
  "umount /proc",
  "mknod /dev/new 1 3",
  "chroot /",
  "chmod-setuid /etc/hostname",
  "unshare 0x10000000",
  "unshare 0x20000000",
  "clone3 0",
  "setns /proc/self/ns/net",
  "sethostname other",
  "setuid 1000",
  "socket 38 5 0",
  "socket 40 1 0",
  "socket 17 3 0",
  "socket 2 3 1",
  "bpf",
  "keyctl",
  "add-key",
  "reboot",
  "dmesg",
  "fsopen",
  "userfaultfd",
  "io-uring",
  "perf-event",
  "ptrace 1",
];

export const lastWord = "that was all";

export const isWhole = (output: string): boolean => output.includes(lastWord);

/** `others` are the same question's answers in the pod's other container, and on the host. */
export function readEndState(
  output: string,
  others: { readonly sibling?: string; readonly cgroupInode: number },
  paths: Paths,
): EndState {
  const own = answersOf(output);
  const sibling = others.sibling === undefined ? undefined : answersOf(others.sibling);
  return {
    ...namespaces(own, sibling),
    ...identity(own),
    ...rights(own),
    ...cgroup(own, sibling, others.cgroupInode),
    ...limits(own),
    ...describeMounts(own["mounts"] as readonly MountAnswer[]),
    ...hidden(own, paths),
    ...files(own),
    ...refusals(own),
  };
}

type Answers = Readonly<Record<string, unknown>>;

/** Refusals keep the errno's name. */
function answersOf(output: string): Answers {
  return Object.fromEntries(
    probeLines(output).map((line) => [line.ask, line.error ?? line.answer]),
  );
}

/** An answer whose format zig/guest/see.zig and files.zig fix. */
const record = (answers: Answers, ask: string): Record<string, unknown> =>
  (typeof answers[ask] === "object" ? answers[ask] : {}) as Record<string, unknown>;

const namespaceFiles = ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"] as const;

function namespaces(own: Answers, sibling: Answers | undefined): EndState {
  const inodes = record(own, "ns");
  const entries = namespaceFiles.map((name) => {
    const inode = inodes[name];
    const host = Number(readlinkSync(`/proc/self/ns/${name}`).replace(/\D/g, ""));
    if (inode === host) return [`namespace ${name}`, "the host's"];
    if (sibling === undefined) return [`namespace ${name}`, "its own"];
    const isShared = record(sibling, "ns")[name] === inode;
    return [`namespace ${name}`, isShared ? "the pod's" : "the container's"];
  });
  return Object.fromEntries(entries);
}

function identity(own: Answers): EndState {
  const { pid, sid, pgid, uid, gid, groups } = record(own, "ids");
  const text = (value: unknown) => JSON.stringify(value);
  const { parentDeathSignal, ...process } = record(own, "process");
  return {
    pid: String(pid),
    session: sid === pid ? "its own" : `of ${String(sid)}`,
    "process group": pgid === pid ? "its own" : `of ${String(pgid)}`,
    "user ids": text(uid),
    "group ids": text(gid),
    "further groups": text(groups),
    "working directory": String(own["cwd"]),
    umask: String(own["umask"]),
    environment: text([...((own["env"] as string[] | undefined) ?? [])].sort()),
    "ignored signals": String(record(own, "signals")["ignored"]),
    "blocked signals": String(record(own, "signals")["blocked"]),
    "parent-death signal": String(parentDeathSignal),
    ...prefixed("process", process),
    oom_score_adj: String(own["read /proc/self/oom_score_adj"]).trim(),
    "visible processes": String(Object.keys(record(own, "pids")).length),
    descriptors: Object.entries(record(own, "fds"))
      .map(([fd, target]) => `${fd} ${describeDescriptor(String(target))}`)
      .join(", "),
    loopback: text(record(record(own, "links") as Answers, "lo")["up"] ?? "none"),
    interfaces: Object.keys(record(own, "links")).sort().join(" "),
  };
}

const prefixed = (prefix: string, values: Record<string, unknown>): EndState =>
  Object.fromEntries(
    Object.entries(values).map(([name, value]) => [`${prefix} ${name}`, JSON.stringify(value)]),
  );

function describeDescriptor(target: string): string {
  if (target === "/dev/null") return target;
  const [kind = ""] = /^(pipe|socket|anon_inode):/.exec(target) ?? [];
  return kind === "" ? "a file" : kind.replace(":", "");
}

function rights(own: Answers): EndState {
  const sets = Object.entries(record(own, "caps")).map(([name, mask]) => {
    const names = capabilityNames(BigInt(`0x${String(mask)}`) & knownCapabilities);
    return [`capabilities ${name}`, names.join(" ") || "none"];
  });
  const { noNewPrivs, seccomp, seccompFilters } = record(own, "security");
  return {
    ...Object.fromEntries(sets),
    no_new_privs: String(noNewPrivs),
    "seccomp mode": String(seccomp),
    "seccomp filters": String(seccompFilters),
  };
}

/** A newer kernel may have more than we have names for. */
const knownCapabilities = (1n << 41n) - 1n;

/**
 * With a cgroup namespace the path says nothing; the inode of the mounted group does, because it is
 * the group's own.
 */
function cgroup(own: Answers, sibling: Answers | undefined, hostInode: number): EndState {
  const lines = String(own["read /proc/self/cgroup"]).split("\n");
  const path = lines.find((line) => line.startsWith("0::"))?.slice("0::".length) ?? "none";
  const inode = record(own, "stat /sys/fs/cgroup")["inode"];
  const shared = sibling && record(sibling, "stat /sys/fs/cgroup")["inode"] === inode;
  const shown = inode === undefined ? "none" : inode === hostInode ? "the host's" : "its own";
  return {
    "cgroup path as seen inside": path === "/" ? path : "not /",
    "cgroup that is shown": shared === true && shown === "its own" ? "the pod's" : shown,
  };
}

export const hostCgroupInode = (mount: string): number => statSync(mount).ino;

function limits(own: Answers): EndState {
  return Object.fromEntries(
    Object.entries(record(own, "limits")).map(([name, pair]) => {
      const words = (pair as (number | null)[]).map((value) => value ?? "unlimited");
      return [`limit ${name}`, words.join(":")];
    }),
  );
}

/** A mask may be an empty file, an empty directory or the null device: nothing is seen in each. */
function hidden(own: Answers, paths: Paths): EndState {
  const masks = paths.masked.map((path) => {
    const content = own[`head ${path} 64`];
    const list = own[`ls ${path}`];
    const names = typeof list === "object" && list !== null ? Object.keys(list) : undefined;
    const isNothing = content === "" || names?.length === 0;
    const seen = content === "ENOENT" ? "not there" : isNothing ? "nothing" : "the host's content";
    return [`masked ${path}`, seen];
  });
  const readOnly = paths.readOnly.map((path) => {
    const flags = record(own, `statfs ${path}`)["flags"];
    const state = typeof flags !== "number" ? "not there" : flags & 1 ? "read-only" : "writable";
    return [`read-only ${path}`, state];
  });
  return Object.fromEntries([...masks, ...readOnly]);
}

function files(own: Answers): EndState {
  const list = (path: string) =>
    Object.entries(record(own, `ls ${path}`))
      .filter(([name]) => !isProgram(name))
      .map(([name, kind]) => `${name} (${String(kind)})`)
      .sort()
      .join(" ");
  const { mode, uid, gid } = record(own, "stat /dev/null");
  const lines = (path: string) => String(own[`read ${path}`]).split("\n").length - 1;
  return {
    "files of /": list("/"),
    "files of /dev": list("/dev").replace(`${lastMessage} `, ""),
    "file for a last message": String(list("/dev").includes(lastMessage)),
    "/dev/null": `${String(mode)} ${String(uid)}:${String(gid)}`,
    "/dev/ptmx": String(record(own, "stat /dev/ptmx")["type"]),
    "/tmp": String(record(own, "stat /tmp")["mode"]),
    "lines of /etc/hosts": String(lines("/etc/hosts")),
    "/etc/hostname": String(own["read /etc/hostname"]).trim(),
    "lines of /etc/resolv.conf": String(lines("/etc/resolv.conf")),
  };
}

/** Made for every container, and read when it has ended. */
const lastMessage = "termination-log (file)";

/** What the benchmark put there itself. */
const isProgram = (name: string): boolean => ["stamp", "peapod-probe"].includes(name);

function refusals(own: Answers): EndState {
  const asked = ["append /written x", ...attempts.map((words) => `try ${words}`)];
  return Object.fromEntries(asked.map((ask) => [ask, String(own[ask])]));
}
