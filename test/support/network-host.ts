// A machine of its own, as far as the network goes: this process moves into a fresh network
// namespace, and another stands for the world outside. Interfaces, rules and switches of the real
// host are never touched. Sockets that are made in a namespace stay there.

import { closeSync, openSync, readFileSync } from "node:fs";
import { library } from "../../src/native/library.ts";
import { NetlinkSocket } from "../../src/native/netlink.ts";
import { flag, NetlinkWriter } from "../../src/network/netlink.ts";
import type { OpenOptions, Pod, UpOptions } from "../../src/pod/types.ts";
import type { PodManifest } from "../../src/read/pod-manifest/read.ts";
import { TestHost } from "./host.ts";

const cloneNewNet = 0x4000_0000;
const numbers =
  process.arch === "arm64" ? { unshare: 97, setns: 268 } : { unshare: 272, setns: 308 };

/** Of this host towards the outside, and of the outside. */
export const addresses = {
  host4: "198.18.0.1",
  host6: "2001:db8:9::1",
  outside4: "198.18.0.9",
  outside6: "2001:db8:9::9",
} as const;

function call(number: number, ...[a = 0, b = 0]: readonly number[]): void {
  const result = Number(library().peapod_syscall(number, a, b, 0, 0, 0, 0));
  if (result < 0) throw new Error(`system call ${number} failed with ${-result}`);
}

/** Whatever is made meanwhile belongs to that namespace; nothing may be awaited in there. */
export function within<Value>(namespace: number, act: () => Value): Value {
  const here = openSync("/proc/thread-self/ns/net", "r");
  try {
    call(numbers.setns, namespace, cloneNewNet);
    return act();
  } finally {
    call(numbers.setns, here, cloneNewNet);
    closeSync(here);
  }
}

export function run(...words: readonly string[]): string {
  const ran = Bun.spawnSync([...words], { env: process.env });
  if (ran.exitCode !== 0) throw new Error(`${words.join(" ")}: ${ran.stderr.toString()}`);
  return ran.stdout.toString();
}

export class NetworkHost implements AsyncDisposable {
  readonly #home = openSync("/proc/thread-self/ns/net", "r");
  readonly #holder: Bun.Subprocess;
  /** This host's own namespace, and that of the world outside. */
  readonly inside: number;
  readonly outside: number;
  readonly host: TestHost;

  constructor(options: OpenOptions = {}) {
    call(numbers.unshare, cloneNewNet);
    this.inside = openSync("/proc/thread-self/ns/net", "r");
    run("ip", "link", "set", "lo", "up");
    this.#holder = Bun.spawn(["unshare", "--net", "sleep", "1000"], { env: process.env });
    const { pid } = this.#holder;
    this.outside = openOther(pid);
    run("ip", "link", "add", "up0", "type", "veth", "peer", "name", "eth0", "netns", String(pid));
    const { host4, host6, outside4, outside6 } = addresses;
    addressed("up0", { mac: insideMac, v4: host4, v6: host6 }, { mac: outsideMac, v6: outside6 });
    run("ip", "route", "add", "default", "via", outside4);
    run("ip", "-6", "route", "add", "default", "via", outside6);
    within(this.outside, () => {
      run("ip", "link", "set", "lo", "up");
      addressed(
        "eth0",
        { mac: outsideMac, v4: outside4, v6: outside6 },
        { mac: insideMac, v6: host6 },
      );
    });
    this.host = new TestHost({ network: "default", ...options });
  }

  /** Up until it is disposed, with a descriptor of its network namespace. */
  async up(manifest: PodManifest, options: UpOptions = {}): Promise<AddressedPod> {
    const pod = await this.host.up(manifest, options);
    return await addressedPod(pod);
  }

  /** What networks leave behind: interfaces, rules, routes, switches. */
  traces(): string[] {
    return [
      ...run("ip", "-brief", "link").split("\n"),
      ...run("ip", "-4", "address").split("\n"),
      ...run("ip", "-4", "route").split("\n"),
      ...run("ip", "-6", "route").split("\n"),
      ...run("ip", "neigh", "show", "nud", "permanent").split("\n"),
      ...tables(),
      ...switches.map((path) => `${path} ${readFileSync(path, "utf8")}`),
    ].filter((line) => line.trim() !== "");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.host[Symbol.asyncDispose]();
    } finally {
      this.#holder.kill("SIGKILL");
      await this.#holder.exited;
      call(numbers.setns, this.#home, cloneNewNet);
      closeSync(this.inside);
      closeSync(this.outside);
      closeSync(this.#home);
    }
  }
}

export interface AddressedPod extends AsyncDisposable {
  readonly pod: Pod;
  readonly namespace: number;
  readonly v4: string;
  readonly v6: string;
}

export async function addressedPod(pod: Pod): Promise<AddressedPod> {
  const { sandbox } = await pod.inspect();
  const namespace = openSync(`/proc/${sandbox.keeperPid}/ns/net`, "r");
  const { status } = (await pod.object()) as { status: { podIPs?: { ip: string }[] } };
  const [v4 = "", v6 = ""] = (status.podIPs ?? []).map(({ ip }) => ip);
  const end = async () => {
    closeSync(namespace);
    await pod.down({ graceMs: 0 });
  };
  return { pod, namespace, v4, v6, [Symbol.asyncDispose]: end };
}

const switches = [
  "/proc/sys/net/ipv4/ip_forward",
  "/proc/sys/net/ipv4/conf/up0/forwarding",
  "/proc/sys/net/ipv6/conf/all/forwarding",
  "/proc/sys/net/ipv6/conf/up0/forwarding",
  "/proc/sys/net/ipv6/conf/up0/accept_ra",
];

/** Names of the tables of packet rules in this namespace. */
function tables(): string[] {
  const [nfTables, getTable, inet] = [10, 1, 1];
  const writer = new NetlinkWriter().begin("tables", (nfTables << 8) | getTable, flag.dump);
  using socket = new NetlinkSocket("netfilter");
  return [...socket.dump(writer.u32(inet).finish().messages)].map(({ body }) => {
    const text = new TextDecoder().decode(body.subarray(8));
    return `table ${text.slice(0, text.indexOf("\0"))}`;
  });
}

const insideMac = "02:00:00:00:00:01";
const outsideMac = "02:00:00:00:00:09";

/** IPv6 takes a second to find its neighbours on a fresh link: here they know each other. */
function addressed(
  name: string,
  own: { readonly mac: string; readonly v4: string; readonly v6: string },
  other: { readonly mac: string; readonly v6: string },
): void {
  run("ip", "link", "set", name, "address", own.mac, "addrgenmode", "none");
  run("ip", "address", "add", `${own.v4}/24`, "dev", name);
  run("ip", "-6", "address", "add", `${own.v6}/64`, "dev", name, "nodad");
  run("ip", "link", "set", name, "up");
  run("ip", "-6", "neigh", "add", other.v6, "lladdr", other.mac, "dev", name, "nud", "permanent");
}

/** When it has made its namespace. */
function openOther(pid: number): number {
  const own = run("readlink", "/proc/self/ns/net");
  for (let attempt = 0; attempt < 500; attempt++) {
    if (run("readlink", `/proc/${pid}/ns/net`) !== own) return openSync(`/proc/${pid}/ns/net`, "r");
    Bun.sleepSync(2);
  }
  throw new Error("the outside did not come up");
}
