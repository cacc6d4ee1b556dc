// A pod's own network, with real traffic: between pods, the host, and a world outside it.

import { afterAll, beforeAll, expect } from "bun:test";
import { readdirSync, readFileSync, symlinkSync } from "node:fs";
import { sweepClaims } from "../../src/network/claims.ts";
import type { HostPath } from "../../src/spec/paths.ts";
import type { Pod } from "../../src/pod/types.ts";
import { readPodManifest } from "../../src/read/pod-manifest/read.ts";
import type { Heard } from "../support/echo.ts";
import { tcpAsk, tcpDigest, tcpEcho, tcpSend, udpAsk, udpEcho } from "../support/echo.ts";
import { eventually, hostMissing, podOf, TestHost } from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";
import type { AddressedPod } from "../support/network-host.ts";
import { addresses, NetworkHost, run, within } from "../support/network-host.ts";
import { errorOf } from "../support/pods.ts";

const kernelTest = testOrSkip(hostMissing === undefined, hostMissing ?? "");
const { host4, host6, outside4, outside6 } = addresses;
const gateway4 = "10.209.0.1";
const gateway6 = "fd52:da94:1b0c::1";
const port = 7777;

let machine: NetworkHost;

beforeAll(async () => {
  if (hostMissing !== undefined) return;
  machine = new NetworkHost();
  // Once, so that what is opened and made for good is there.
  const warm = await up("warm-up");
  await warm[Symbol.asyncDispose]();
  machine.host.before = machine.host.snapshot();
});

afterAll(async () => {
  if (hostMissing === undefined) await machine[Symbol.asyncDispose]();
});

const pause = { main: ["pause"] };

function published(name: string, hostPort: number) {
  const pod = manifest(name);
  const containers = (pod.spec?.containers ?? []).map((container) => ({
    ...container,
    ports: [{ containerPort: 80, hostPort }],
  }));
  return { ...pod, spec: { ...pod.spec, containers } };
}

/** A host that was never warm: what it made for good is no leak. */
async function close(host: TestHost): Promise<void> {
  await host.pods[Symbol.asyncDispose]();
  expect(host.leaks().filter((leak) => !/^(cgroups|files):/.test(leak))).toEqual([]);
  host.before = host.snapshot();
  await host[Symbol.asyncDispose]();
}

function claims(): string[] {
  return readdirSync(`${machine.host.places.state}/addresses`);
}

/** Packets that the host has sent by an interface. */
function transmitted(name: string): number {
  const [line = ""] = readFileSync("/proc/thread-self/net/dev", "utf8")
    .split("\n")
    .filter((text) => text.trim().startsWith(`${name}:`));
  return Number(line.trim().split(/\s+/)[10]);
}

async function logOf(pod: Pod): Promise<string> {
  let text = "";
  for await (const { line } of pod.logs()) text += new TextDecoder().decode(line);
  return text;
}

const manifest = (name: string) => podOf(machine.host, name, { main: ["pause"] });

function up(name: string): Promise<AddressedPod> {
  return machine.up(manifest(name));
}

type Asker = (hostname: string, port: number, text: string) => Promise<Heard>;

/** Servers on every address of a namespace, for as long as it takes. */
async function serving<Value>(namespace: number, act: () => Promise<Value>): Promise<Value> {
  const server = within(namespace, () => tcpEcho("::", port));
  const talker = await within(namespace, () => udpEcho("::", port));
  try {
    return await act();
  } finally {
    server.stop(true);
    talker.close();
  }
}

/** Who each of the servers says has asked. */
async function heardBy(from: number, hostnames: readonly string[]): Promise<string[]> {
  const heard: string[] = [];
  for (const ask of [tcpAsk, udpAsk] satisfies Asker[]) {
    for (const hostname of hostnames) {
      const { from: asker, text } = await within(from, () => ask(hostname, port, "hello"));
      expect(text).toBe("hello");
      heard.push(asker);
    }
  }
  return heard;
}

/** This test's own namespace, where it is the host. */
const here = (): number => machine.inside;

kernelTest("pods reach each other, and each sees the other's own address", async () => {
  await using a = await up("a");
  await using b = await up("b");
  const heard = await serving(b.namespace, () => heardBy(a.namespace, [b.v4, b.v6]));
  expect(heard).toEqual([a.v4, a.v6, a.v4, a.v6]);
});

kernelTest("the host reaches a pod, which sees the host", async () => {
  await using a = await up("a");
  const heard = await serving(a.namespace, () => heardBy(here(), [a.v4, a.v6]));
  expect(heard).toEqual([host4, host6, host4, host6]);
});

kernelTest("a pod reaches the host, which sees the pod", async () => {
  await using a = await up("a");
  const heard = await serving(here(), async () => [
    ...(await heardBy(a.namespace, [host4, host6])),
    (await within(a.namespace, () => tcpAsk(gateway4, port, "hello"))).from,
    (await within(a.namespace, () => tcpAsk(gateway6, port, "hello"))).from,
  ]);
  expect(heard).toEqual([a.v4, a.v6, a.v4, a.v6, a.v4, a.v6]);
});

kernelTest("a pod reaches the outside, which sees the host", async () => {
  await using a = await up("a");
  const heard = await serving(machine.outside, () => heardBy(a.namespace, [outside4, outside6]));
  expect(heard).toEqual([host4, host6, host4, host6]);
});

kernelTest("a neighbour that sends a packet for a pod to the host reaches it", async () => {
  await using a = await up("a");
  within(machine.outside, () => run("ip", "route", "add", a.v4, "via", host4));
  try {
    const asked = serving(a.namespace, () =>
      within(machine.outside, () => tcpAsk(a.v4, port, "hello")),
    );
    // Pods are routed, and not hidden.
    expect(await asked).toEqual({ from: outside4, text: "hello" });
  } finally {
    within(machine.outside, () => run("ip", "route", "del", a.v4));
  }
});

kernelTest(
  "much goes through unharmed",
  async () => {
    await using a = await up("a");
    await using b = await up("b");
    const bytes = new Uint8Array(64 << 20).map((_, index) => index ^ (index >> 8));
    const digest = new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
    const talks = [
      [b.namespace, a.namespace, b.v4],
      [b.namespace, a.namespace, b.v6],
      [machine.outside, a.namespace, outside4],
      [machine.outside, a.namespace, outside6],
    ] as const;
    for (const [serverIn, clientIn, hostname] of talks) {
      const server = within(serverIn, () => tcpDigest("::", port));
      try {
        expect(await within(clientIn, () => tcpSend(hostname, port, bytes))).toBe(digest);
      } finally {
        server.stop(true);
      }
    }
  },
  30_000,
);

kernelTest("a pod says its addresses", async () => {
  await using a = await up("a");
  const { status } = (await a.pod.object()) as { status: Record<string, unknown> };
  const { hostIP, hostIPs, podIP, podIPs } = status;
  expect({ hostIP, hostIPs, podIP, podIPs }).toEqual({
    ...{ hostIP: host4, hostIPs: [{ ip: host4 }, { ip: host6 }] },
    ...{ podIP: a.v4, podIPs: [{ ip: a.v4 }, { ip: a.v6 }] },
  });
});

kernelTest("nothing of a pod's network is left, and forwarding is as it was", async () => {
  // The kernel takes its time to end the namespaces of earlier pods.
  const quiet = (traces: readonly string[]) => !traces.some((line) => line.startsWith("pod"));
  const { host } = machine;
  const lives = async (act: () => void) => {
    // What pods have in common goes when a peapod is closed and there are none.
    await using peapod = host.another({ network: "default" });
    await using pod = await peapod.up(readPodManifest(manifest("a")), {});
    act();
    await pod.down({ graceMs: 0 });
  };
  await lives(() => {});
  const before = await eventually(() => machine.traces(), quiet);
  expect(before.filter((line) => line.startsWith("table"))).toEqual([]);
  await lives(() => expect(machine.traces().length).toBeGreaterThan(before.length + 5));
  const same = (traces: readonly string[]) => traces.join("\n") === before.join("\n");
  expect(await eventually(() => machine.traces(), same)).toEqual(before);
});

kernelTest("the network is there when a container starts", async () => {
  // A packet sent before would be lost, and the next try comes a second later.
  const server = tcpEcho("::", port);
  const patienceMs = 700;
  try {
    for (let round = 0; round < 12; round++) {
      const command = ["bash", "-c", `exec 3<>/dev/tcp/${host4}/${port}; head -1 <&3`];
      const pod = manifest(`first-${round}`);
      const containers = [{ name: "main", image: "host", command }];
      await using up = await machine.up({ ...pod, spec: { ...pod.spec, containers } });
      const startedMs = performance.now();
      const { exitCode } = await up.pod.container("main").exited;
      expect(exitCode).toBe(0);
      expect(performance.now() - startedMs).toBeLessThan(patienceMs);
      expect(await logOf(up.pod)).toBe(up.v4);
    }
  } finally {
    server.stop(true);
  }
});

kernelTest("a pod whose keeper was killed gives everything back with down", async () => {
  const pod = await machine.host.up(published("lost", 8099));
  const { sandbox } = await pod.inspect();
  process.kill(sandbox.keeperPid, "SIGKILL");
  await machine.host.pods.down("lost", {});
  await using again = await machine.up(published("next", 8099));
  expect(claims()).toEqual([again.v4]);
});

kernelTest(
  "a range of one's own is used, and one that the host routes is refused",
  async () => {
    const host = new TestHost({ network: "default", networkRange: "10.77.0.16/28" });
    try {
      const specs = Array.from({ length: 14 }, (_, index) => podOf(host, `p${index}`, pause));
      await using pods = new AsyncDisposableStack();
      const found: string[] = [];
      for (const spec of specs.slice(0, 13)) {
        const pod = await host.up(spec);
        pods.defer(() => pod.down({ graceMs: 0 }));
        const { network } = (await pod.inspect()).sandbox;
        found.push(...(network?.podIPs.slice(0, 1) ?? []));
      }
      // Neither the first nor the last, nor the host's.
      const all = Array.from({ length: 13 }, (_, index) => `10.77.0.${index + 18}`);
      expect(found.toSorted()).toEqual(all);
      const full = await errorOf(host.up(podOf(host, "p13", pause)));
      expect([full.code, full.message]).toEqual([
        "network.range-full",
        "all 13 addresses of 10.77.0.16/28 are in use",
      ]);
    } finally {
      await close(host);
    }
    const taken = new TestHost({ network: "default", networkRange: "198.18.0.0/16" });
    const error = await errorOf(taken.up(podOf(taken, "p", pause)));
    await close(taken);
    expect([error.code, error.message]).toEqual([
      "network.range-taken",
      "this host has routes to addresses of 198.18.0.0/16, so its pods can have none there",
    ]);
  },
  20_000,
);

kernelTest("what is no range is refused by name", async () => {
  for (const networkRange of ["10.0.0.1/8", "10.0.0.0/30", "all", "10.0.0.0/16,fd00::/120"]) {
    const host = new TestHost({ network: "default", networkRange });
    const error = await errorOf(host.up(podOf(host, "p", pause)));
    await close(host);
    expect(error.code).toBe("network.bad-range");
  }
});

kernelTest("a host that forwarded nothing forwards for pods alone", async () => {
  await using _ = await up("a");
  const elsewhere = "203.0.113.5";
  run("ip", "address", "add", "203.0.113.1/24", "dev", "lo");
  run("ip", "link", "add", "other0", "type", "veth", "peer", "name", "other1");
  // Only what is forwarded is to be counted.
  run("sh", "-c", "echo 1 | tee /proc/sys/net/ipv6/conf/other[01]/disable_ipv6");
  run("ip", "link", "set", "other0", "up");
  run("ip", "link", "set", "other1", "up");
  run("ip", "route", "add", elsewhere, "dev", "other0");
  run("ip", "neigh", "add", elsewhere, "lladdr", "02:00:00:00:00:55", "dev", "other0");
  within(machine.outside, () => run("ip", "route", "add", elsewhere, "via", host4));
  try {
    expect(run("sh", "-c", "cat /proc/sys/net/ipv4/conf/up0/forwarding")).toBe("1\n");
    const before = transmitted("other0");
    const socket = await within(machine.outside, () => Bun.udpSocket({}));
    within(machine.outside, () => socket.send("hello", 9, elsewhere));
    await Bun.sleep(50);
    socket.close();
    expect(transmitted("other0")).toBe(before);
  } finally {
    within(machine.outside, () => run("ip", "route", "del", elsewhere));
    run("ip", "link", "del", "other0");
    run("ip", "address", "del", "203.0.113.1/24", "dev", "lo");
  }
});

kernelTest("an address of no pod and no interface is given back", async () => {
  await using pod = await up("a");
  const { state } = machine.host.places;
  symlinkSync("../pods/nobody", `${state}/addresses/10.209.200.200`);
  const sweep = (isYoung: boolean) =>
    sweepClaims(
      state as HostPath,
      () => false,
      () => isYoung,
    );
  sweep(true);
  expect(claims().toSorted()).toEqual(["10.209.200.200", pod.v4].toSorted());
  sweep(false);
  expect(claims()).toEqual([pod.v4]);
});
