// A pod's own network, with real traffic: between pods, the host, and a world outside it.

import { afterAll, beforeAll, expect } from "bun:test";
import { readPodManifest } from "../../src/read/pod-manifest/read.ts";
import type { Heard } from "../support/echo.ts";
import { tcpAsk, tcpDigest, tcpEcho, tcpSend, udpAsk, udpEcho } from "../support/echo.ts";
import { eventually, hostMissing, podOf } from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";
import type { AddressedPod } from "../support/network-host.ts";
import { addresses, NetworkHost, run, within } from "../support/network-host.ts";

const kernelTest = testOrSkip(hostMissing === undefined, hostMissing ?? "");
const { host4, host6, outside4, outside6 } = addresses;
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
  const heard = await serving(here(), () => heardBy(a.namespace, [host4, host6]));
  expect(heard).toEqual([a.v4, a.v6, a.v4, a.v6]);
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
