// What a launch does, as the kernel saw it: once the container has mounts of its own, nothing is
// opened by an absolute path, and no descriptor is ever made that an exec would hand on.

import { expect } from "bun:test";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { hostMissing, openTestHost, podOf } from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";
import { Canary } from "./canary.ts";

const strace = Bun.which("strace");
const missing = hostMissing ?? (strace === null ? "needs strace" : undefined);
const traceTest = testOrSkip(missing === undefined, missing ?? "");

/** By process, what it did until it became a container's program; others are left out. */
async function traceStarter(modes: object): Promise<string[][]> {
  await using host = await openTestHost();
  using canary = new Canary();
  mkdirSync(join(canary.scratch, "trace"));
  const volumes = [
    { name: "empty", emptyDir: {} },
    { name: "memory", emptyDir: { medium: "Memory" as const } },
    { name: "host", hostPath: { path: host.rootfs } },
  ];
  const volumeMounts = [
    { name: "empty", mountPath: "/a/b", subPath: "c/d" },
    { name: "memory", mountPath: "/memory" },
    { name: "host", mountPath: "/host", readOnly: true },
  ];
  const containers = { first: ["pause"], second: ["pause"] };
  const manifest = podOf(host, "traced", containers, { volumes, ...modes }, { volumeMounts });
  const wish = JSON.stringify({ open: host.places, manifest });
  const child = Bun.spawn(
    [
      ...[strace ?? "", "-ff", "-s", "4096", "-o", join(canary.scratch, "trace/of")],
      ...[process.execPath, join(import.meta.dir, "traced-starter.ts"), wish],
    ],
    { stdout: "ignore", stderr: "pipe" },
  );
  const errors = await child.stderr.text();
  expect({ errors, status: await child.exited }).toEqual({ errors: "", status: 0 });
  return readdirSync(join(canary.scratch, "trace"))
    .map((name) => readFileSync(join(canary.scratch, "trace", name), "utf8").split("\n"))
    .flatMap((lines) => {
      const end = lines.findIndex((line) => line.startsWith('execve("/probe"'));
      if (end >= 0) return [lines.slice(0, end)];
      // With a user namespace the first of two clones builds, and ends.
      const isBuilder = lines[0]?.startsWith("prctl(PR_SET_PDEATHSIG") ?? false;
      return isBuilder && lines.some((line) => placeRoot.test(line)) ? [lines] : [];
    });
}

/** Calls that take a path, with one that is absolute and relative to nothing that was opened. */
const absolute =
  /^(open|creat|stat|lstat|access|readlink|chmod|chown|mkdir|mknod|symlink|mount|umount2?)\("\/|AT_FDCWD, "\//;
/** The root is stacked on "/" of a namespace that holds nothing else. */
const placeRoot = /^move_mount\(\d+, "", AT_FDCWD, "\/", MOVE_MOUNT_F_EMPTY_PATH\)/;

/** Calls that make a descriptor, and what must stand among their flags. */
const makers: Readonly<Record<string, RegExp>> = {
  accept4: /SOCK_CLOEXEC/,
  dup3: /O_CLOEXEC/,
  epoll_create1: /EPOLL_CLOEXEC/,
  fsmount: /FSMOUNT_CLOEXEC/,
  fsopen: /FSOPEN_CLOEXEC/,
  memfd_create: /MFD_CLOEXEC/,
  open_tree: /OPEN_TREE_CLOEXEC/,
  openat: /O_CLOEXEC/,
  openat2: /O_CLOEXEC/,
  pipe2: /O_CLOEXEC/,
  socket: /SOCK_CLOEXEC/,
  socketpair: /SOCK_CLOEXEC/,
};

function isInherited(line: string): boolean {
  const [, call = ""] = /^(\w+)\(/.exec(line) ?? [];
  const flags = makers[call];
  return flags !== undefined && !flags.test(line);
}

const modes: Readonly<Record<string, object>> = {
  "": {},
  ", in a user namespace": { hostUsers: false },
  ", in a shared PID namespace": { shareProcessNamespace: true },
};

for (const [where, spec] of Object.entries(modes)) {
  traceTest(
    `no absolute path and no descriptor for the container's program${where}`,
    async () => {
      const children = await traceStarter(spec);
      const containersAndCommands = 4;
      expect(children.length).toBeGreaterThanOrEqual(containersAndCommands);
      const lines = children.flat();
      // The trace shows what is looked for.
      expect(lines.filter((line) => placeRoot.test(line)).length).toBeGreaterThan(1);
      expect(lines.filter((line) => line.includes("O_CLOEXEC")).length).toBeGreaterThan(20);
      expect(lines.filter((line) => absolute.test(line) && !placeRoot.test(line))).toEqual([]);
      expect(lines.filter(isInherited)).toEqual([]);
    },
    60_000,
  );
}
