// What a manifest says of privileges, and what a container and a command in it then are.

import { expect } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { printError, PodError } from "../../src/errors/pod-error.ts";
import type { PodManifest } from "../../src/read/pod-manifest/read.ts";
import type { TestHost } from "../support/host.ts";
import { eventually, hostMissing, logOf, openTestHost, podOf } from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";
import { probeAnswers } from "../support/probe.ts";

const kernelTest = testOrSkip(hostMissing === undefined, hostMissing ?? "");

type Answers = Record<string, unknown>;
type Spec = NonNullable<PodManifest["spec"]>;
type Context = NonNullable<Spec["containers"][number]["securityContext"]>;

const nine = 0x5fbn;
const bit = (number: number) => 1n << BigInt(number);
const [SETPCAP, NET_ADMIN, NET_RAW, SYS_ADMIN, NET_BIND_SERVICE] = [8, 12, 13, 21, 10];

/** From inside, by the container itself and by a command in it. */
async function both(
  host: TestHost,
  words: readonly string[],
  context: Context,
  spec: Partial<Spec> = {},
): Promise<{ readonly own: Answers; readonly exec: Answers }> {
  const manifest = podOf(host, "seen", { only: [...words, "pause"] }, spec, {
    securityContext: context,
  });
  await using pod = await host.up(manifest);
  const said = await eventually(
    async () => probeAnswers(await logOf(pod, "only")),
    (answers) => "pause" in answers,
  );
  const { pause: _, ...own } = said;
  // Not before: some of what both try can be done once at a time.
  const { stdout } = await pod.exec(["/probe", ...words]).result;
  const exec = probeAnswers(new TextDecoder().decode(stdout));
  return { own: identity(own), exec: identity(exec) };
}

/** Without what makes one process another. */
function identity({ ids, ...others }: Answers): Answers {
  if (ids === undefined) return others;
  const { uid, gid, groups } = ids as { uid: number[]; gid: number[]; groups: number[] };
  return { ...others, ids: { uid, gid, groups: groups.toSorted((a, b) => a - b) } };
}

async function same(
  host: TestHost,
  words: readonly string[],
  context: Context,
  spec: Partial<Spec> = {},
): Promise<Answers> {
  const { own, exec } = await both(host, words, context, spec);
  expect(exec).toEqual(own);
  return own;
}

function capabilitiesOf({ caps }: Answers): Record<string, bigint> {
  const entries = Object.entries(caps as Record<string, string>);
  return Object.fromEntries(entries.map(([set, mask]) => [set, BigInt(`0x${mask}`)]));
}

function filled(mask: bigint) {
  return { bounding: mask, permitted: mask, effective: mask, inheritable: 0n, ambient: 0n };
}

/** What of the kernel's the tests themselves may hand on. */
function held(): bigint {
  const status = readFileSync("/proc/self/status", "utf8");
  return BigInt(`0x${/^CapPrm:\t([0-9a-f]+)$/m.exec(status)?.[1] ?? "0"}`);
}

const added: readonly (readonly [string, Context["capabilities"], bigint])[] = [
  [
    "adds to the default",
    { add: ["NET_ADMIN", "cap_net_raw"] },
    nine | bit(NET_ADMIN) | bit(NET_RAW),
  ],
  ["drops from the default", { drop: ["SETPCAP"] }, nine & ~bit(SETPCAP)],
  ["drops all", { drop: ["ALL"] }, 0n],
  ["drops all and adds one", { drop: ["all"], add: ["NET_BIND_SERVICE"] }, bit(NET_BIND_SERVICE)],
  ["drops by name what it adds", { add: ["MKNOD"], drop: ["MKNOD"] }, nine],
  ["adds all and drops one", { add: ["ALL"], drop: ["SYS_ADMIN"] }, held() & ~bit(SYS_ADMIN)],
];

for (const [what, capabilities, mask] of added) {
  kernelTest(`a container that ${what} has just that, and so have its commands`, async () => {
    await using host = await openTestHost();
    const seen = await same(host, ["caps"], { capabilities });
    expect(capabilitiesOf(seen)).toEqual(filled(mask));
  });
}

kernelTest(
  "a user other than root holds no capability that its program does not have",
  async () => {
    await using host = await openTestHost();
    const context = { runAsUser: 1000, capabilities: { add: ["NET_ADMIN" as const] } };
    const seen = await same(host, ["caps", "ids"], context);
    const mask = nine | bit(NET_ADMIN);
    expect(capabilitiesOf(seen)).toEqual({ ...filled(0n), bounding: mask });
    expect(seen["ids"]).toMatchObject({ uid: [1000, 1000, 1000], gid: [0, 0, 0], groups: [0] });
  },
);

kernelTest("no_new_privs goes where escalation is allowed, and the filter stays", async () => {
  await using host = await openTestHost();
  const plain = { seccomp: 2, seccompFilters: 1 };
  const cases: readonly (readonly [Context, object])[] = [
    [{}, { ...plain, noNewPrivs: 1 }],
    [{ allowPrivilegeEscalation: false }, { ...plain, noNewPrivs: 1 }],
    [{ allowPrivilegeEscalation: true }, { ...plain, noNewPrivs: 0 }],
    [
      { allowPrivilegeEscalation: true, runAsUser: 7 },
      { ...plain, noNewPrivs: 0 },
    ],
    [{ capabilities: { add: ["SYS_ADMIN"] } }, { ...plain, noNewPrivs: 0 }],
    [{ seccompProfile: { type: "Unconfined" } }, { noNewPrivs: 1, seccomp: 0, seccompFilters: 0 }],
    [{ privileged: true }, { noNewPrivs: 0, seccomp: 0, seccompFilters: 0 }],
  ];
  for (const [context, expected] of cases) {
    const { security } = await same(host, ["security"], context);
    expect({ context, security }).toEqual({ context, security: expected });
  }
});

function writeAccounts(host: TestHost): void {
  mkdirSync(join(host.rootfs, "etc"), { recursive: true });
  const passwd = "root:x:0:0::/root:/bin/sh\napp:x:1000:2000::/home/app:/bin/sh\n";
  writeFileSync(join(host.rootfs, "etc/passwd"), passwd);
  const group = "root:x:0:\napp:x:2000:\nstaff:x:50:app\naudio:x:63:app,other\nother:x:70:other\n";
  writeFileSync(join(host.rootfs, "etc/group"), group);
}

interface Ids {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
}

const users: readonly (readonly [string, Spec["securityContext"], Context, Ids])[] = [
  [
    "by the image's files",
    {},
    { runAsUser: 1000 },
    { uid: 1000, gid: 2000, groups: [50, 63, 2000] },
  ],
  ["that the files do not know", {}, { runAsUser: 1234 }, { uid: 1234, gid: 0, groups: [0] }],
  [
    "with a group of its own",
    { runAsGroup: 9 },
    { runAsUser: 1000, runAsGroup: 8 },
    { uid: 1000, gid: 8, groups: [8, 50, 63] },
  ],
  ["of the pod", { runAsUser: 1000 }, {}, { uid: 1000, gid: 2000, groups: [50, 63, 2000] }],
  ["that is the container's", { runAsUser: 1 }, { runAsUser: 2 }, { uid: 2, gid: 0, groups: [0] }],
  [
    "with the pod's groups too",
    { supplementalGroups: [7, 5], fsGroup: 6 },
    { runAsUser: 1000 },
    { uid: 1000, gid: 2000, groups: [5, 6, 7, 50, 63, 2000] },
  ],
  [
    "with the pod's groups only",
    { supplementalGroups: [7], supplementalGroupsPolicy: "Strict", fsGroup: 6 },
    { runAsUser: 1000 },
    { uid: 1000, gid: 2000, groups: [6, 7, 2000] },
  ],
  ["with a group and no user", { runAsGroup: 5 }, {}, { uid: 0, gid: 5, groups: [5] }],
];

for (const hostUsers of [true, false]) {
  for (const [what, forPod, context, { uid, gid, groups }] of users) {
    kernelTest(`a user ${what}${hostUsers ? "" : ", among the pod's own"}`, async () => {
      await using host = await openTestHost();
      writeAccounts(host);
      const spec = { hostUsers, securityContext: forPod };
      const seen = await same(host, ["ids", "env"], context, spec);
      expect(seen["ids"]).toEqual({
        uid: [uid, uid, uid],
        gid: [gid, gid, gid],
        groups,
      });
      const home = uid === 1000 ? "/home/app" : uid === 0 ? "/root" : "/";
      expect(seen["env"]).toContain(`HOME=${home}`);
    });
  }
}

for (const hostUsers of [true, false]) {
  for (const runAsUser of [0, 1000]) {
    const who = `user ${runAsUser}${hostUsers ? "" : " of the pod's own"}`;
    kernelTest(`${who} can open its streams anew`, async () => {
      await using host = await openTestHost();
      const attempts = ["open-write /dev/stdout", "open-write /dev/stderr", "open-write /dev/null"];
      const words = attempts.flatMap((attempt) => ["try", ...attempt.split(" ")]);
      const seen = await same(host, words, { runAsUser }, { hostUsers });
      expect(seen).toEqual(Object.fromEntries(attempts.map((name) => [`try ${name}`, "ok"])));
      // The terminal of a command.
      await using pod = await host.up(
        podOf(
          host,
          "terminal",
          { only: ["pause"] },
          { hostUsers },
          { securityContext: { runAsUser } },
        ),
      );
      const { stdout } = await pod.exec(["/probe", "try", "open-write", "/dev/tty", ...words], {
        tty: true,
      }).result;
      const typed = probeAnswers(new TextDecoder().decode(stdout).replaceAll("\r", ""));
      expect(typed).toEqual({ ...seen, "try open-write /dev/tty": "ok" });
    });
  }
}

kernelTest("a privileged container has what the host has, and so have its commands", async () => {
  await using host = await openTestHost();
  const attempts = ["mount /sys/firmware", "sethostname other", "fsopen"];
  const words = attempts.flatMap((attempt) => ["try", ...attempt.split(" ")]);
  const seen = await same(host, ["caps", "mounts", "ls", "/dev", ...words], { privileged: true });
  expect(capabilitiesOf(seen)).toEqual(filled(held()));
  expect(seen).toMatchObject(Object.fromEntries(attempts.map((name) => [`try ${name}`, "ok"])));
  const mounts = (seen["mounts"] as Record<string, string>[]).map(
    ({ target, options }) => `${target} ${options?.replace(/,relatime$/, "")}`,
  );
  expect(mounts.filter((line) => / ro(,|$)|\/proc\/|\/sys\/(firmware|dev)/.test(line))).toEqual([]);
  expect(mounts).toContain("/ rw");
  expect(mounts).toContain("/sys rw,nosuid,nodev,noexec");
  expect(mounts).toContain("/sys/fs/cgroup rw,nosuid,nodev,noexec");
  // Devices that no other container has, where the host has them.
  const names = Object.keys(seen["ls /dev"] as object);
  for (const name of ["kmsg", "fuse", "loop-control", "mem"]) {
    expect([name, names.includes(name)]).toEqual([name, existsSync(`/dev/${name}`)]);
  }
});

kernelTest(
  "root of a user namespace with every privilege cannot open a read-only volume",
  async () => {
    await using host = await openTestHost();
    const source = join(host.rootfs, "source");
    mkdirSync(source);
    writeFileSync(join(source, "file"), "of the host");
    const spec = {
      hostUsers: false,
      volumes: [{ name: "host", hostPath: { path: source } }],
    } satisfies Partial<Spec>;
    const words = "try mount /etc try remount-rw /volume try umount /volume write /volume/file x";
    const manifest = podOf(host, "locked", { only: words.split(" ") }, spec, {
      securityContext: { privileged: true },
      volumeMounts: [{ name: "host", mountPath: "/volume", readOnly: true }],
    });
    expect((await host.answers(manifest))["only"]).toEqual({
      // The control: it has what it takes to mount.
      "try mount /etc": "ok",
      "try remount-rw /volume": "EPERM",
      "try umount /volume": "EINVAL",
      "write /volume/file x": "EROFS",
    });
    expect(readFileSync(join(source, "file"), "utf8")).toBe("of the host");
  },
);

kernelTest("an unmasked /proc hides nothing, in a user namespace", async () => {
  await using host = await openTestHost();
  const { mounts } = await same(host, ["mounts"], { procMount: "Unmasked" }, { hostUsers: false });
  const targets = (mounts as Record<string, string>[]).map(({ target }) => target ?? "");
  expect(targets.filter((target) => /^\/proc\/|^\/sys\/(firmware|devices)/.test(target))).toEqual(
    [],
  );
});

kernelTest("sysctls are the pod's own", async () => {
  await using host = await openTestHost();
  const before = readFileSync("/proc/sys/net/ipv4/ip_unprivileged_port_start", "utf8");
  for (const hostUsers of [true, false]) {
    const words = [
      ...["read", "/proc/sys/net/ipv4/ip_unprivileged_port_start"],
      ...["read", "/proc/sys/kernel/shm_rmid_forced"],
    ];
    const seen = await same(
      host,
      words,
      {},
      {
        hostUsers,
        securityContext: {
          sysctls: [
            { name: "net.ipv4.ip_unprivileged_port_start", value: "80" },
            { name: "kernel/shm_rmid_forced", value: "1" },
          ],
        },
      },
    );
    expect(seen).toEqual({
      "read /proc/sys/net/ipv4/ip_unprivileged_port_start": "80\n",
      "read /proc/sys/kernel/shm_rmid_forced": "1\n",
    });
  }
  expect(readFileSync("/proc/sys/net/ipv4/ip_unprivileged_port_start", "utf8")).toBe(before);
});

kernelTest("an unsafe sysctl is for the host's owner to allow", async () => {
  const securityContext = { sysctls: [{ name: "kernel.msgmax", value: "12345" }] };
  await using host = await openTestHost();
  const manifest = podOf(
    host,
    "sysctl",
    { only: ["read", "/proc/sys/kernel/msgmax"] },
    {
      securityContext,
    },
  );
  const refused = await host.up(manifest).then(undefined, (error: unknown) => error);
  expect(refused instanceof PodError && printError(refused)).toBe(
    `error[pod.sysctl-forbidden] forbidden sysctl: "kernel.msgmax" not allowlisted
  from   spec.securityContext.sysctls[0].name
  hint   allow it on this host with --allowed-unsafe-sysctls`,
  );
  await using allowing = host.another({ allowedUnsafeSysctls: ["kernel.msg*"] });
  const { readPodManifest } = await import("../../src/read/pod-manifest/read.ts");
  await using pod = await allowing.up(readPodManifest(manifest), {});
  await pod.container("only").exited;
  expect(probeAnswers(await logOf(pod, "only"))).toEqual({
    "read /proc/sys/kernel/msgmax": "12345\n",
  });
});

kernelTest(
  "a node can be made and not opened, unless it is one of those that are given",
  async () => {
    await using host = await openTestHost();
    const words = "try mknod /dev/a 1 3 try mknod /dev/b 1 11 try mknod /dev/c 10 229".split(" ");
    const seen = await same(host, words, { capabilities: { add: ["MKNOD"] } });
    expect(seen).toEqual({
      "try mknod /dev/a 1 3": "ok",
      "try mknod /dev/b 1 11": "EPERM",
      "try mknod /dev/c 10 229": "EPERM",
    });
  },
);
