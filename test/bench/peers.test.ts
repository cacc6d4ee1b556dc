// Peers are asked for what peapod's plan says, and leave the host as it was.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Job } from "../../bench/cell.ts";
import { countCalls } from "../../bench/end-state/calls.ts";
import { findProgram } from "../../bench/peers/find.ts";
import { privateMemory } from "../../bench/peers/memory.ts";
import { peerSpans, peerSubjects } from "../../bench/peers/peers.ts";
import { ociSeccomp, type OciSyscall } from "../../bench/peers/seccomp.ts";
import { openSite } from "../../bench/peers/site.ts";
import { fullShape } from "../../bench/shape.ts";
import { findCgroupMount } from "../../src/native/host.ts";
import { hostMissing } from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";

const kernelTest = testOrSkip(hostMissing === undefined, hostMissing ?? "");
const crunTest = testOrSkip(
  hostMissing === undefined && findProgram("crun") !== undefined,
  "needs root and crun",
);

let directory = "";
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "peapod-peers-"));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe("seccomp rules as OCI JSON", () => {
  const target = { arch: "x64", kernel: [6, 18], capabilities: new Set<string>() } as const;
  // The shape that ociSeccomp builds.
  const profile = ociSeccomp(target) as { defaultErrnoRet: number; syscalls: OciSyscall[] };
  const rulesOf = (name: string) =>
    profile.syscalls
      .filter(({ names }) => names.includes(name))
      .map(({ names: _, ...rule }) => rule);

  test("a call that no rule names is refused with EPERM", () => {
    expect(profile.defaultErrnoRet).toBe(1);
    expect(rulesOf("bpf")).toEqual([]);
  });

  test("a family of sockets is left out by what lies below, between and above", () => {
    const action = "SCMP_ACT_ALLOW";
    expect(rulesOf("socket")).toEqual([
      { action, args: [{ index: 0, value: 38, op: "SCMP_CMP_LT" }] },
      { action, args: [{ index: 0, value: 39, op: "SCMP_CMP_EQ" }] },
      { action, args: [{ index: 0, value: 40, op: "SCMP_CMP_GT" }] },
    ]);
  });

  test("clone may not ask for namespaces, and clone3 is not there", () => {
    const flags = { index: 0, value: 0x7e020000, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" };
    expect(rulesOf("clone")).toEqual([{ action: "SCMP_ACT_ALLOW", args: [flags] }]);
    expect(rulesOf("clone3")).toEqual([{ action: "SCMP_ACT_ERRNO", errnoRet: 38 }]);
  });
});

test("calls are counted without the shell's, the container's, and second halves of lines", () => {
  const trace = [
    '10 execve("/bin/sh", ["sh"], 0x7ffe /* 9 vars */) = 0',
    "10 fork() = 11",
    '11 execve("/usr/bin/crun", ["crun"], 0x7ffe /* 9 vars */) = 0',
    "11 clone(flags=CLONE_NEWPID <unfinished ...>",
    "12 prctl(PR_SET_NO_NEW_PRIVS, 1) = 0",
    "11 <... clone resumed>) = 12",
    '12 execve("/stamp", ["/stamp"], 0x55 /* 3 vars */) = 0',
    '12 write(1, "12345678", 8) = 8',
    "11 exit_group(0) = ?",
    "11 +++ exited with 0 +++",
  ];
  expect(countCalls(`${trace.join("\n")}\n`)).toBe(5);
});

test("every peer says what it is asked to do, or nothing is asked of it", () => {
  const silent = peerSubjects()
    .map(({ name }) => name)
    .filter((name) => Object.keys(peerSpans(name)).length === 0);
  expect(silent).toEqual(["CRI (crictl)"]);
});

kernelTest(
  "a site shows plain cgroup2 and an empty /run, and is gone without a trace",
  async () => {
    const mount = findCgroupMount()?.path ?? "";
    const look = () => ({
      mounts: readFileSync("/proc/self/mountinfo", "utf8"),
      groups: readdirSync(mount).filter((name) => name.startsWith("peapod-bench-site-")),
      isSeen: existsSync("/run/seen"),
      files: readdirSync(directory),
    });
    const before = look();
    {
      await using site = await openSite({ name: "site", directory, hostMounts: 3 });
      const lane = await site.addLane();
      const inside = '[ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ] && [ -e /run/seen ]';
      await site.lane.must(`: >/run/seen && mkdir /sys/fs/cgroup/of-a-peer && ${inside}`);
      await lane.must(`${inside} && [ "$lane" = 1 ] && grep -q '^0::/caller$' /proc/self/cgroup`);
      await site.lane.must(`[ "$(grep -c ${directory} /proc/self/mountinfo)" -gt 3 ]`);
      expect(await lane.send("echo oh no >&2; false")).toEqual({ status: 1, output: "oh no" });
      expect(readdirSync(site.group)).toContain("of-a-peer");
      await site.lane.must("sleep 300 & :"); // Whatever a peer leaves behind ends, too.
      expect(privateMemory(site.group, ["sh", "sleep"])).toBeGreaterThan(0);
      expect(privateMemory(site.group, ["conmon"])).toBe(0);
    }
    expect(look()).toEqual(before);
  },
  30_000,
);

crunTest(
  "crun starts, is joined, runs a command and ends, all in the right order",
  async () => {
    const crun = peerSubjects().find(({ name }) => name === "crun");
    const measure = async (work: Job["work"], shape = fullShape) => {
      const cell = crun?.cell({ work, shape, directory });
      const absent = await cell?.prepare();
      try {
        return absent ?? (await cell?.run());
      } finally {
        await cell?.cleanup();
      }
    };
    const one = [expect.any(Number)];
    const launched = await measure({ kind: "launch" });
    expect(launched).toEqual({ up: one, "up-cpu": one, first: one, down: one, "down-cpu": one });
    const joined = await measure({ kind: "join", count: 2 });
    expect(Object.keys(joined ?? {}).sort()).toEqual(["join", "join-cpu", "join-first"]);
    const ran = await measure({ kind: "exec", count: 1 }, { ...fullShape, existing: 3 });
    expect(ran).toEqual({ exec: one, "exec-cpu": one, "exec-first": one });
    expect(await measure({ kind: "memory", pods: 1 })).toEqual({
      absent: "has nothing like memory",
    });
    expect(await measure({ kind: "launch" }, { ...fullShape, userNamespace: true })).toEqual({
      absent: "its bundle has no user namespace",
    });
  },
  60_000,
);
