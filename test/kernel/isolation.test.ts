// What a container is, and what it may not do, told by the probe from inside.

import { expect } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Plan } from "../../src/plan/plan.ts";
import { answersOfChanged } from "../support/changed-plan.ts";
import type { TestHost } from "../support/host.ts";
import { hostMissing, openTestHost, podOf } from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";
import { probeAnswers } from "../support/probe.ts";

const kernelTest = testOrSkip(hostMissing === undefined, hostMissing ?? "");

/** CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID, SETPCAP, NET_BIND_SERVICE. */
const nine = "00000000000005fb";
const none = "0000000000000000";
const modes: Readonly<Record<string, object>> = {
  "in the host's user namespace": {},
  "in a user namespace of its own": { hostUsers: false },
  "in a shared PID namespace": { shareProcessNamespace: true },
};

type Answers = Record<string, unknown>;

async function see(host: TestHost, words: readonly string[], spec: object = {}): Promise<Answers> {
  const { only } = await host.answers(podOf(host, "seen", { only: words }, spec));
  return only ?? {};
}

for (const [mode, spec] of Object.entries(modes)) {
  kernelTest(`a process ${mode} starts with little and hides nothing`, async () => {
    await using host = await openTestHost();
    const words = [
      "caps",
      "security",
      "fds",
      "signals",
      "limits",
      "umask",
      "cwd",
      "env",
      "ls",
      "/",
    ];
    const seen = await see(host, words, spec);
    expect(seen["caps"]).toEqual({
      ...{ inheritable: none, ambient: none },
      ...{ permitted: nine, effective: nine, bounding: nine },
    });
    expect(seen["security"]).toMatchObject({ noNewPrivs: 1, seccomp: 2, seccompFilters: 1 });
    expect(seen["fds"]).toEqual({
      "0": "/dev/null",
      "1": expect.stringMatching(/^pipe:/),
      "2": expect.stringMatching(/^pipe:/),
    });
    expect(seen["signals"]).toEqual({
      ...{ pending: none, blocked: none, ignored: none, caught: none },
    });
    expect(seen["limits"]).toMatchObject({ NOFILE: [1024, expect.any(Number)], CORE: [0, 0] });
    expect(seen["umask"]).toBe("0022");
    expect(seen["cwd"]).toBe("/");
    expect(seen["env"]).toEqual([
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      "HOSTNAME=seen",
      "HOME=/root",
    ]);
    expect(Object.keys(seen["ls /"] as object).sort()).toEqual([
      ...["dev", "etc", "probe", "proc", "sys"],
    ]);
  });

  kernelTest(`the mounts of a container ${mode} are these and no others`, async () => {
    await using host = await openTestHost();
    const { mounts } = await see(host, ["mounts"], spec);
    const lines = (mounts as Record<string, string>[])
      .map(({ target, fstype, options, root }) => `${target} ${fstype} ${root} ${options}`)
      .map((line) => line.replace(/,relatime$/, ""));
    expect(lines.filter((line) => !mayBeMissing.test(line)).sort()).toEqual(expectedMounts);
    // Nothing names a place of the host: not as a source, a root or an option.
    expect(JSON.stringify(mounts)).not.toContain(host.folder);
    expect((mounts as Record<string, string>[]).map((mount) => mount["propagation"])).toEqual(
      lines.map(() => ""),
    );
  });
}

const masked = "tmpfs / ro,nosuid,nodev,noexec";
const nulled = "tmpfs /null rw,nosuid,noexec";
const kernelOwn = "ro,nosuid,nodev,noexec";
/** Masks of what only some kernels have. */
const mayBeMissing =
  /^(\/proc\/(acpi|asound|kcore|latency_stats|sched_debug|scsi|timer_stats)|\/sys\/devices\/)/;
const expectedMounts = [
  "/ overlay / rw,nodev",
  "/dev tmpfs / rw,nosuid,noexec",
  "/dev/mqueue mqueue / rw,nosuid,nodev,noexec",
  "/dev/pts devpts / rw,nosuid,noexec",
  "/dev/shm tmpfs / rw,nosuid,nodev,noexec",
  "/etc/hostname tmpfs /hostname rw,nosuid,nodev,noexec",
  "/etc/hosts tmpfs /hosts rw,nosuid,nodev,noexec",
  "/etc/resolv.conf tmpfs /resolv.conf rw,nosuid,nodev,noexec",
  "/proc proc / rw,nosuid,nodev,noexec",
  `/proc/bus proc /bus ${kernelOwn}`,
  `/proc/fs proc /fs ${kernelOwn}`,
  `/proc/interrupts ${nulled}`,
  `/proc/irq proc /irq ${kernelOwn}`,
  `/proc/keys ${nulled}`,
  `/proc/sys proc /sys ${kernelOwn}`,
  `/proc/timer_list ${nulled}`,
  "/sys sysfs / ro,nosuid,nodev,noexec",
  `/sys/firmware ${masked}`,
  "/sys/fs/cgroup cgroup2 / ro,nosuid,nodev,noexec",
].filter((line) => !line.startsWith("/proc/sysrq-trigger"));

/**
 * Each with what the kernel says in every mode. Numbers are CLONE_NEW… flags and address families.
 */
const forbidden: Readonly<Record<string, string>> = {
  "mount /etc": "EPERM",
  "umount /sys": "EPERM",
  "remount-rw /sys": "EPERM",
  "unshare 0x00020000": "EPERM",
  "unshare 0x10000000": "EPERM",
  // With ENOSYS C libraries go back to clone, whose flags the filter can see.
  "clone3 0": "ENOSYS",
  "clone3 0x10000000": "ENOSYS",
  "setns /proc/self/ns/net": "EPERM",
  bpf: "EPERM",
  keyctl: "EPERM",
  "add-key": "EPERM",
  reboot: "EPERM",
  dmesg: "EPERM",
  fsopen: "EPERM",
  userfaultfd: "EPERM",
  "io-uring": "EPERM",
  "perf-event": "EPERM",
  "mknod /device 1 3": "EPERM",
  "mknod /device 8 0": "EPERM",
  "chroot /etc": "EPERM",
  "sethostname other": "EPERM",
  "socket 17 3 0": "EPERM",
  "socket 40 1 0": "EPERM",
  "nofile 2000000": "EPERM",
  "open-write /dev/kmsg": "ENOENT",
};

const wordsOf = (attempts: readonly string[]) =>
  attempts.flatMap((attempt) => ["try", ...attempt.split(" ")]);

for (const [mode, spec] of Object.entries(modes)) {
  kernelTest(`what reaches beyond a container is refused ${mode}`, async () => {
    await using host = await openTestHost();
    const seen = await see(host, wordsOf(Object.keys(forbidden)), spec);
    const expected = Object.entries(forbidden).map(([name, errno]) => [`try ${name}`, errno]);
    expect(seen).toEqual(Object.fromEntries(expected));
  });
}

kernelTest("the refusals are the container's: what it may do succeeds", async () => {
  await using host = await openTestHost();
  const allowed = ["setuid 1000", "chmod-setuid /probe", "socket 2 1 0", "kill 1 0", "ptrace 1"];
  const seen = await see(host, wordsOf(allowed));
  expect(seen).toEqual(Object.fromEntries(allowed.map((name) => [`try ${name}`, "ok"])));
});

kernelTest("sysctls of the host stay as they are, and masked files are empty", async () => {
  await using host = await openTestHost();
  const domain = readFileSync("/proc/sys/kernel/domainname", "utf8");
  const words = ["write", "/proc/sys/kernel/domainname", "peapod"];
  const seen = await see(host, [...words, "read", "/proc/keys", "ls", "/sys/firmware"]);
  expect(seen).toEqual({
    "write /proc/sys/kernel/domainname peapod": "EROFS",
    "read /proc/keys": "",
    "ls /sys/firmware": {},
  });
  expect(readFileSync("/proc/sys/kernel/domainname", "utf8")).toBe(domain);
});

kernelTest("pause shares its PID namespace and nothing else", async () => {
  await using host = await openTestHost();
  const attempts = ["ptrace 1", "open-read /proc/1/root/", "open-read /proc/1/mem"];
  const more = ["setns /proc/1/ns/mnt", "open-read /proc/1/environ", "kill 1 9"];
  for (const spec of [{}, { hostUsers: false }]) {
    const shared = { ...spec, shareProcessNamespace: true };
    const words = wordsOf([...attempts, ...more]);
    const seen = await see(host, [...words, "sleep", "50", "pids"], shared);
    expect(seen).toEqual({
      "try ptrace 1": "EPERM",
      "try open-read /proc/1/root/": "EACCES",
      "try open-read /proc/1/mem": "EACCES",
      "try setns /proc/1/ns/mnt": "EACCES",
      "try open-read /proc/1/environ": "EACCES",
      // Sent and dropped: the first process of a namespace is safe from those inside it.
      "try kill 1 9": "ok",
      "sleep 50": undefined,
      pids: expect.objectContaining({ "1": "pause" }),
    });
  }
});

function without(plan: Plan, names: readonly string[]): Plan {
  return { ...plan, steps: plan.steps.filter(({ op }) => !names.includes(op.op)) };
}

const privileges = ["drop_bounding", "set_capabilities", "set_no_new_privileges", "set_seccomp"];

function volumePod(host: TestHost, words: readonly string[], spec: object) {
  const source = join(host.rootfs, "volume");
  mkdirSync(source);
  writeFileSync(join(source, "file"), "of the host");
  return podOf(
    host,
    "volume",
    { only: words },
    { ...spec, volumes: [{ name: "host", hostPath: { path: source } }] },
    { volumeMounts: [{ name: "host", mountPath: "/volume", readOnly: true }] },
  );
}

kernelTest(
  "root of a user namespace with every capability cannot open a read-only volume",
  async () => {
    await using host = await openTestHost();
    const words = [
      "try",
      "mount",
      "/etc",
      "try",
      "remount-rw",
      "/volume",
      "try",
      "umount",
      "/volume",
    ];
    const manifest = volumePod(host, [...words, "write", "/volume/file", "x"], {
      hostUsers: false,
    });
    const seen = await answersOfChanged(host, manifest, (plan) => without(plan, privileges));
    expect(seen).toEqual({
      // The control: it has what it takes to mount.
      "try mount /etc": "ok",
      "try remount-rw /volume": "EPERM",
      "try umount /volume": "EINVAL",
      "write /volume/file x": "EROFS",
    });
    expect(readFileSync(join(host.rootfs, "volume/file"), "utf8")).toBe("of the host");
  },
);

kernelTest(
  "root of the host with every capability can: that is what the limits are for",
  async () => {
    await using host = await openTestHost();
    const words = ["try", "remount-rw", "/volume"];
    const manifest = volumePod(host, words, {});
    const seen = await answersOfChanged(host, manifest, (plan) => without(plan, privileges));
    expect(seen).toEqual({ "try remount-rw /volume": "ok" });
  },
);

/** The same place by every road that leads up and out. */
const escapes = ["/..", "/../..", "/proc/self/root/..", "/proc/1/root/..", "/proc/1/cwd/.."];

for (const enter of ["enter_by_move", "enter_by_pivot"] as const) {
  kernelTest(`nothing lies above the root that was entered with ${enter}`, async () => {
    await using host = await openTestHost();
    const words = ["stat", "/", "mounts", ...escapes.flatMap((path) => ["ls", path])];
    const seen = await answersOfChanged(
      host,
      podOf(host, "entered", { only: [...words, "try", "chroot", "/etc"] }),
      (plan) => ({
        ...without(plan, privileges),
        steps: without(plan, privileges).steps.map((step) =>
          step.op.op === "enter_by_move" ? { ...step, op: { op: enter } } : step,
        ),
      }),
    );
    const root = ["dev", "etc", "probe", "proc", "sys"];
    for (const path of escapes) {
      expect(Object.keys(seen[`ls ${path}`] as object).sort()).toEqual(root);
    }
    expect(seen["try chroot /etc"]).toBe("ok");
    const targets = (seen["mounts"] as Record<string, string>[]).map(({ target }) => target);
    expect(targets.filter((target) => target === "/").length).toBe(1);
  });
}

for (const [mode, spec] of Object.entries(modes)) {
  kernelTest(`a signal to its own process group ${mode} ends there`, async () => {
    await using host = await openTestHost();
    const command = (text: string) => ({ image: "host", command: ["sh", "-c", text] });
    const manifest = podOf(host, "group", { killer: [], other: [] }, spec);
    const [killer, other] = manifest.spec?.containers ?? [];
    Object.assign(killer ?? {}, command("sleep 0.1; kill -KILL 0; sleep 60"));
    Object.assign(other ?? {}, command("sleep 60"));
    await using pod = await host.up(manifest);
    // An init of a PID namespace does not take SIGKILL from inside; then its shell goes on.
    const kill = pod.exec(["sh", "-c", "kill -KILL 0"], { container: "killer" });
    expect(await kill.result).toMatchObject({ signal: "SIGKILL" });
    await Bun.sleep(200);
    const still = pod.exec(["echo", "here"], { container: "other" });
    const { exitCode, stdout } = await still.result;
    expect([exitCode, new TextDecoder().decode(stdout)]).toEqual([0, "here\n"]);
  });
}

kernelTest(
  "the fiftieth container of a pod starts with as little, and can be asked as much",
  async () => {
    await using host = await openTestHost();
    const names = Array.from({ length: 50 }, (_, index) => `c${index}`);
    const words = Object.fromEntries(names.map((name) => [name, ["fds", "say", name]]));
    const answers = await host.answers(podOf(host, "crowd", words));
    const streams = { "0": "/dev/null", "1": "pipe", "2": "pipe" };
    for (const name of names) {
      const fds = Object.entries<string>(answers[name]?.["fds"] as Record<string, string>);
      const kinds = Object.fromEntries(fds.map(([fd, what]) => [fd, what.replace(/:.*/, "")]));
      expect({ name, kinds }).toEqual({ name, kinds: streams });
    }
    const sleepers = Object.fromEntries(names.map((name) => [name, ["pause"]]));
    await using pod = await host.up(podOf(host, "crowd", sleepers));
    const seen = pod.exec(["/probe", "fds"], { container: "c49" });
    const { exitCode, stdout } = await seen.result;
    expect(exitCode).toBe(0);
    const { fds } = probeAnswers(new TextDecoder().decode(stdout)) as { fds: object };
    expect(Object.keys(fds)).toEqual(["0", "1", "2"]);
  },
);
