// An OCI bundle of the shape that the floor's containers have: same namespaces, mounts, masks,
// limits, capabilities, filter, program.
import { mkdir, symlink } from "node:fs/promises";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { buildFloor } from "../floor.ts";

/** The same directories as the floor's image, with the floor's program of a container in it. */
export async function makeRoot(root: string): Promise<void> {
  const directories = ["usr", "proc", "sys", "dev", "etc", "tmp", "run", "var", "home", "root"];
  for (const name of directories) await mkdir(join(root, name), { recursive: true });
  for (const name of ["bin", "lib", "lib64", "sbin"])
    await symlink(`usr/${name}`, join(root, name));
  for (const name of ["hosts", "hostname", "resolv.conf"])
    await Bun.write(join(root, "etc", name), "");
  const local = join(root, "..", "local", "bin");
  await mkdir(local, { recursive: true });
  for (const name of ["hosts", "hostname", "resolv.conf", "bun"])
    await Bun.write(join(root, "..", name), "floor\n");
  await Bun.write(join(local, "bun"), "");
  const stamp = join(await buildFloor(), "..", "stamp");
  await Bun.write(join(root, "stamp"), Bun.file(stamp), { mode: 0o755 });
}

const capabilities = [
  "CHOWN",
  "DAC_OVERRIDE",
  "FOWNER",
  "FSETID",
  "KILL",
  "NET_BIND_SERVICE",
  "SETGID",
  "SETPCAP",
  "SETUID",
].map((name) => `CAP_${name}`);

/** One line, in which a joining container has `@PID@` where the sandbox's pid belongs. */
export function bundleConfig(options: { readonly cgroup: string; readonly join: boolean }): string {
  const shared = ["network", "ipc", "uts"].map((type) =>
    options.join ? { type, path: `/proc/@PID@/ns/${type === "network" ? "net" : type}` } : { type },
  );
  return `${JSON.stringify({
    ociVersion: "1.0.2",
    ...(options.join ? {} : { hostname: "floor" }),
    root: { path: "rootfs" },
    process: {
      args: ["/stamp"],
      cwd: "/",
      env: ["PATH=/usr/bin:/bin"],
      user: { uid: 0, gid: 0 },
      noNewPrivileges: true,
      oomScoreAdj: 1000,
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
      rlimits: [{ type: "RLIMIT_NOFILE", soft: 1024, hard: 4096 }],
    },
    mounts: mounts(),
    linux: {
      cgroupsPath: options.cgroup,
      namespaces: [...shared, { type: "mount" }, { type: "pid" }, { type: "cgroup" }],
      maskedPaths: present(maskedPaths),
      readonlyPaths: present([
        "/proc/bus",
        "/proc/fs",
        "/proc/irq",
        "/proc/sys",
        "/proc/sysrq-trigger",
      ]),
      seccomp: filter(),
    },
  })}\n`;
}

const maskedPaths = [
  ..."acpi asound interrupts kcore keys latency_stats sched_debug scsi timer_list timer_stats"
    .split(" ")
    .map((name) => `/proc/${name}`),
  "/sys/devices/virtual/powercap",
  "/sys/firmware",
];

const present = (paths: readonly string[]): string[] => paths.filter((path) => existsSync(path));

function mounts(): object[] {
  const closed = ["nosuid", "noexec", "nodev"];
  const bind = (destination: string, source: string, ...options: string[]) => ({
    destination,
    source,
    type: "bind",
    options: ["bind", ...options],
  });
  const make = (destination: string, type: string, ...options: string[]) => ({
    destination,
    type,
    source: type,
    options,
  });
  return [
    bind("/usr", "/usr", "ro", "nosuid"),
    bind("/usr/local", "local", "ro", "nosuid"),
    bind("/usr/local/bin/bun", "bun", "ro", "nosuid"),
    make("/proc", "proc", ...closed),
    make("/dev", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
    make(
      "/dev/pts",
      "devpts",
      "nosuid",
      "noexec",
      "newinstance",
      "ptmxmode=0666",
      "mode=0620",
      "gid=5",
    ),
    make("/dev/shm", "tmpfs", ...closed, "mode=1777", "size=65536k"),
    make("/dev/mqueue", "mqueue", ...closed),
    make("/sys", "sysfs", ...closed, "ro"),
    make("/sys/fs/cgroup", "cgroup", ...closed, "ro"),
    ...["hosts", "hostname", "resolv.conf"].map((name) => bind(`/etc/${name}`, name)),
  ];
}

/** The names that the floor's filter allows, read from its source so that there is one list. */
function filter(): object {
  const source = readFileSync(join(import.meta.dir, "..", "floor", "filter.zig"), "utf8");
  const names = [...source.matchAll(/^ +\\\\(.*)$/gm)].flatMap(
    (line) => line[1]?.trim().split(" ") ?? [],
  );
  return {
    defaultAction: "SCMP_ACT_ERRNO",
    defaultErrnoRet: 1,
    architectures: [process.arch === "arm64" ? "SCMP_ARCH_AARCH64" : "SCMP_ARCH_X86_64"],
    syscalls: [{ names, action: "SCMP_ACT_ALLOW" }],
  };
}
