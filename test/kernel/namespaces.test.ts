// The table of namespaces in ARCHITECTURE.md, asked of the kernel for every combination of the
// flags of a Pod.

import { expect, test } from "bun:test";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import { PodError, printError } from "../../src/errors/pod-error.ts";
import type { Pod } from "../../src/pod/types.ts";
import { readPodManifest } from "../../src/read/pod-manifest/read.ts";
import type { TestHost } from "../support/host.ts";
import { eventually, hostMissing, logOf, openTestHost, podOf } from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";
import { probeAnswers } from "../support/probe.ts";

const kernelTest = testOrSkip(hostMissing === undefined, hostMissing ?? "");

const kinds = ["net", "uts", "ipc", "pid", "mnt", "cgroup", "user", "time"] as const;
type Kind = (typeof kinds)[number];

interface Flags {
  readonly hostNetwork: boolean;
  readonly hostIPC: boolean;
  readonly hostPID: boolean;
  readonly shareProcessNamespace: boolean;
  readonly hostUsers: boolean;
}

/**
 * `host`: of the machine. `pod`: of both containers and the keeper. `shared`: of both containers,
 * not of the keeper. `own`: of one container alone.
 */
type Owner = "host" | "pod" | "shared" | "own";

const table: Readonly<Record<Kind, (flags: Flags) => Owner>> = {
  net: ({ hostNetwork }) => (hostNetwork ? "host" : "pod"),
  uts: ({ hostNetwork }) => (hostNetwork ? "host" : "pod"),
  ipc: ({ hostIPC }) => (hostIPC ? "host" : "pod"),
  pid: ({ hostPID, shareProcessNamespace }) =>
    hostPID ? "host" : shareProcessNamespace ? "shared" : "own",
  mnt: () => "own",
  cgroup: () => "own",
  user: ({ hostUsers }) => (hostUsers ? "host" : "shared"),
  time: () => "host",
};

const bits = [false, true];
const everyFlags: readonly Flags[] = bits.flatMap((hostNetwork) =>
  bits.flatMap((hostIPC) =>
    bits.flatMap((hostPID) =>
      bits.flatMap((shareProcessNamespace) =>
        [true, false].map((hostUsers) => ({
          ...{ hostNetwork, hostIPC, hostPID, shareProcessNamespace, hostUsers },
        })),
      ),
    ),
  ),
);

const reasons = {
  shareProcessNamespace:
    "spec.shareProcessNamespace: invalid value true: ShareProcessNamespace and HostPID cannot both be enabled",
  hostNetwork: "spec.hostNetwork: forbidden: when `hostUsers` is false",
  hostPID: "spec.hostPID: forbidden: when `hostUsers` is false",
  hostIPC: "spec.hostIPC: forbidden: when `hostUsers` is false",
} as const;

/** Kubernetes' reasons against a combination; none when it accepts it. */
function refusals(flags: Flags): (keyof typeof reasons)[] {
  const host = (["hostNetwork", "hostPID", "hostIPC"] as const).filter((flag) => flags[flag]);
  return [
    ...(flags.hostPID && flags.shareProcessNamespace ? (["shareProcessNamespace"] as const) : []),
    ...(flags.hostUsers ? [] : host),
  ];
}

function nameOf(flags: Flags): string {
  const set = Object.entries(flags).filter(([name, value]) => value !== (name === "hostUsers"));
  return set.length === 0 ? "no flag" : set.map(([name, value]) => `${name}: ${value}`).join(", ");
}

function inode(pid: number | "self", kind: Kind): string {
  return readlinkSync(`/proc/${pid}/ns/${kind}`);
}

/** Who has the namespaces of the pod's two containers; anything else is said as it is. */
async function ownersIn(pod: Pod): Promise<Record<Kind, string>> {
  const { sandbox, containers } = await pod.inspect();
  const [first, second] = containers;
  if (!first || !second) throw new Error("the pod has two containers");
  return classify(sandbox.keeperPid, first.pid, second.pid);
}

function classify(keeper: number, first: number, second: number): Record<Kind, string> {
  const owner = (kind: Kind): string => {
    const [a, b] = [inode(first, kind), inode(second, kind)];
    const [host, keepers] = [inode("self", kind), inode(keeper, kind)];
    if (a === b) return a === host ? "host" : a === keepers ? "pod" : "shared";
    return a === host || b === host || a === keepers || b === keepers ? `${a} and ${b}` : "own";
  };
  return forEveryKind(owner);
}

function forEveryKind(value: (kind: Kind) => string): Record<Kind, string> {
  return Object.fromEntries(kinds.map((kind) => [kind, value(kind)])) as Record<Kind, string>;
}

function twoOf(host: Pick<TestHost, "rootfs">, flags: Partial<Flags>, ...words: string[]) {
  const spec = Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined));
  return podOf(host, "two", { first: [...words, "pause"], second: ["pause"] }, spec);
}

for (const flags of everyFlags.filter((candidate) => refusals(candidate).length === 0)) {
  kernelTest(`the namespaces of a pod with ${nameOf(flags)}`, async () => {
    await using host = await openTestHost();
    await using pod = await host.up(twoOf(host, flags));
    expect(await ownersIn(pod)).toEqual(forEveryKind((kind) => table[kind](flags)));
  });
}

kernelTest("the look at namespaces tells host, own and shared apart", async () => {
  const { pid } = process;
  expect(classify(pid, pid, pid)).toEqual(forEveryKind(() => "host"));
});

kernelTest("a pod has a loopback of its own, and its containers meet on it", async () => {
  await using host = await openTestHost();
  const { server, client } = await host.answers(
    podOf(host, "web", {
      server: ["links", "tcp-listen", "8080"],
      client: ["tcp-await", "8080", "5000"],
    }),
  );
  expect(server?.["links"]).toMatchObject({ lo: { up: true, ipv4: "127.0.0.1" } });
  expect(Object.keys(server?.["links"] as object)).toEqual(["lo"]);
  expect(client).toEqual({ "tcp-await 8080 5000": "hello from web\n" });
});

kernelTest("with hostNetwork the interfaces and the name are the machine's", async () => {
  await using host = await openTestHost();
  const manifest = podOf(host, "web", { only: ["host", "links"] }, { hostNetwork: true });
  const { only } = await host.answers(manifest);
  expect(only?.["host"]).toMatchObject({ hostname: hostname() });
  const links = readdirSync("/sys/class/net").filter((name) => name !== "bonding_masters");
  expect(Object.keys(only?.["links"] as object).sort()).toEqual(links.sort());
});

kernelTest("the hostname is the manifest's, else the pod's name, in all containers", async () => {
  await using host = await openTestHost();
  const words = ["host", "read", "/etc/hostname", "try", "sethostname", "other"];
  const see = async (spec: object) =>
    await host.answers(podOf(host, "web", { first: words, second: words }, spec));
  const expected = (name: string) => ({
    host: expect.objectContaining({ hostname: name, domainname: "(none)" }),
    "read /etc/hostname": `${name}\n`,
    "try sethostname other": "EPERM",
  });
  expect(await see({})).toEqual({ first: expected("web"), second: expected("web") });
  expect(await see({ hostname: "db-0" })).toMatchObject({ second: expected("db-0") });
});

kernelTest("/dev/shm and what else IPC means are one per pod", async () => {
  await using host = await openTestHost();
  const { reader } = await host.answers(
    podOf(host, "memory", {
      writer: ["create", "/dev/shm/note", "from writer"],
      reader: ["await", "/dev/shm/note", "5000", "read", "/dev/shm/note", "statfs", "/dev/shm"],
    }),
  );
  expect(reader).toMatchObject({ "read /dev/shm/note": "from writer" });
  expect(readdirSync("/dev/shm")).not.toContain("note");
});

const shared = { shareProcessNamespace: true };

kernelTest(
  "in a shared PID namespace containers see each other, and pause is the first",
  async () => {
    await using host = await openTestHost();
    const both = { first: ["sleep", "100", "pids", "pause"], second: ["pause"] };
    await using pod = await host.up(podOf(host, "two", both, shared));
    const seen = await eventually(
      async () => probeAnswers(await logOf(pod, "first"))["pids"],
      (pids) => pids !== undefined,
    );
    expect(Object.values(seen as Record<string, string>)).toEqual(["pause", "probe", "probe"]);
    expect(seen).toHaveProperty("1", "pause");
  },
);

kernelTest(
  "pause reaps what has lost its parent; without it a container's first process must",
  async () => {
    await using host = await openTestHost();
    const words = ["spawn-orphan", "1", "sleep", "150", "pids"];
    const orphanIn = async (spec: object) => {
      const { only } = await host.answers(podOf(host, "parent", { only: words }, spec));
      return Object.keys(only?.["pids"] as object).includes(String(only?.["spawn-orphan 1"]));
    };
    expect(await orphanIn(shared)).toBe(false);
    expect(await orphanIn({})).toBe(true);
  },
);

kernelTest("pause reaps in a user namespace too", async () => {
  await using host = await openTestHost();
  const words = ["spawn-orphan", "1", "sleep", "150", "pids"];
  const spec = { ...shared, hostUsers: false };
  const { only } = await host.answers(podOf(host, "parent", { only: words }, spec));
  expect(Object.values(only?.["pids"] as object).sort()).toEqual(["pause", "probe"]);
});

kernelTest("root of a pod's user namespace is nobody that the machine knows", async () => {
  await using host = await openTestHost();
  const words = ["ids", "read", "/proc/self/uid_map", "pause"];
  await using pod = await host.up(podOf(host, "mapped", { only: words }, { hostUsers: false }));
  const { containers } = await pod.inspect();
  const status = readFileSync(`/proc/${containers[0]?.pid}/status`, "utf8");
  const uid = Number(/^Uid:\t(\d+)/m.exec(status)?.[1]);
  const answers = await eventually(
    async () => probeAnswers(await logOf(pod, "only")),
    (all) => all["pause"] !== undefined,
  );
  expect(uid).toBeGreaterThanOrEqual(1_879_048_192);
  expect(answers["ids"]).toMatchObject({ uid: [0, 0, 0], gid: [0, 0, 0], groups: [0] });
  const map = (answers["read /proc/self/uid_map"] as string).trim().split(/\s+/).map(Number);
  expect(map).toEqual([0, uid, 65_536]);
});

kernelTest("two pods with user namespaces have no id in common", async () => {
  await using host = await openTestHost();
  const user = { hostUsers: false };
  await using first = await host.up(podOf(host, "first", { only: ["pause"] }, user));
  await using second = await host.up(podOf(host, "second", { only: ["pause"] }, user));
  const uidOf = async (pod: Pod) => {
    const pid = (await pod.inspect()).containers[0]?.pid;
    return Number(/^Uid:\t(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
  };
  const [a, b] = [await uidOf(first), await uidOf(second)];
  expect(Math.abs(a - b)).toBeGreaterThanOrEqual(65_536);
});

for (const flags of everyFlags.filter((candidate) => refusals(candidate).length > 0)) {
  test(`a pod with ${nameOf(flags)} is refused with Kubernetes' reason`, () => {
    const text = refusalOf(() => readPodManifest(twoOf({ rootfs: "/nowhere" }, flags)));
    expect(text).toBe(
      refusals(flags)
        .map((flag) => `error[manifest.invalid] ${reasons[flag]}\n  from   spec.${flag}`)
        .join("\n"),
    );
  });
}

function refusalOf(attempt: () => unknown): string {
  try {
    attempt();
  } catch (error) {
    if (error instanceof PodError) return printError(error);
    throw error;
  }
  return "accepted";
}
