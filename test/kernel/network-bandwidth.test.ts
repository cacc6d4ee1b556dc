// Rates that annotations allow a pod: real bytes against the clock.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { PodError } from "../../src/errors/pod-error.ts";
import { PodHost } from "../../src/pod/peapod.ts";
import { readPodManifest } from "../../src/read/pod-manifest/read.ts";
import { tcpDigest, tcpSend } from "../support/echo.ts";
import { hostMissing, podOf } from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";
import type { AddressedPod } from "../support/network-host.ts";
import { addressedPod, addresses, NetworkHost, run, within } from "../support/network-host.ts";

const kernelTest = testOrSkip(hostMissing === undefined, hostMissing ?? "");
const port = 7777;

let machine: NetworkHost;

beforeAll(async () => {
  if (hostMissing !== undefined) return;
  machine = new NetworkHost();
  const warm = await up("warm-up", {});
  await warm[Symbol.asyncDispose]();
  machine.host.before = machine.host.snapshot();
});

afterAll(async () => {
  if (hostMissing === undefined) await machine[Symbol.asyncDispose]();
});

function up(name: string, annotations: Record<string, string>): Promise<AddressedPod> {
  const manifest = podOf(machine.host, name, { main: ["pause"] });
  return machine.up({ ...manifest, metadata: { name, annotations } });
}

/** Bits a second of `megabytes` from one namespace to an address of another. */
async function rate(from: number, to: number, hostname: string, megabytes: number) {
  const bytes = new Uint8Array(megabytes * 1_000_000).fill(7);
  const server = within(to, () => tcpDigest("::", port));
  try {
    const start = performance.now();
    await within(from, () => tcpSend(hostname, port, bytes));
    return (bytes.length * 8000) / (performance.now() - start);
  } finally {
    server.stop(true);
  }
}

function expectAbout(bits: number, wanted: number): void {
  expect(bits).toBeGreaterThan(wanted * 0.7);
  expect(bits).toBeLessThan(wanted * 1.3);
}

kernelTest(
  "a pod takes in and sends as many bits a second as its annotations say",
  async () => {
    const annotations = {
      "kubernetes.io/ingress-bandwidth": "20M",
      "kubernetes.io/egress-bandwidth": "40M",
    };
    await using pod = await up("slow", annotations);
    const { namespace, v4, v6 } = pod;
    const { outside4, outside6 } = addresses;
    expectAbout(await rate(machine.inside, namespace, v4, 4), 20e6);
    expectAbout(await rate(namespace, machine.outside, outside4, 8), 40e6);
    expectAbout(await rate(machine.inside, namespace, v6, 4), 20e6);
    expectAbout(await rate(namespace, machine.outside, outside6, 8), 40e6);
  },
  60_000,
);

kernelTest("one direction alone, and a pod without annotations has no limit", async () => {
  await using slow = await up("slow", { "kubernetes.io/egress-bandwidth": "80M" });
  await using fast = await up("fast", {});
  expectAbout(await rate(slow.namespace, fast.namespace, fast.v4, 8), 80e6);
  expect(await rate(fast.namespace, slow.namespace, slow.v4, 8)).toBeGreaterThan(160e6);
  expect(within(fast.namespace, () => run("tc", "qdisc", "show"))).not.toContain("tbf");
});

kernelTest("what a pod takes in and sends is counted", async () => {
  await using a = await up("counted", {});
  await rate(a.namespace, machine.outside, addresses.outside4, 3);
  await rate(machine.outside, a.namespace, await routed(a), 1);
  const [stats] = await a.pod.stats();
  const { sentBytes = 0, receivedBytes = 0 } = stats ?? {};
  expect([sentBytes, receivedBytes].map((bytes) => Math.round(bytes / 1e6))).toEqual([3, 1]);
});

/** The outside learns the way to a pod. */
async function routed({ v4 }: AddressedPod): Promise<string> {
  within(machine.outside, () => run("ip", "route", "replace", v4, "via", addresses.host4));
  return v4;
}

kernelTest("interfaces take packets of the size that was asked for, at both ends", async () => {
  await using host = new PodHost({ ...machine.host.places, network: "default", networkMtu: 1400 });
  const manifest = podOf(machine.host, "small", { main: ["pause"] });
  await using pod = await addressedPod(await host.up(readPodManifest(manifest), {}));
  const inside = within(pod.namespace, () => run("ip", "link", "show", "eth0"));
  const { network } = (await pod.pod.inspect()).sandbox;
  const outside = run("ip", "link", "show", network?.interface ?? "");
  for (const shown of [inside, outside]) expect(shown).toContain("mtu 1400 ");
});

test("a size that no packet has is refused", async () => {
  const refusal = (networkMtu: number) => {
    try {
      return String(new PodHost({ network: "default", networkMtu }));
    } catch (error) {
      return error instanceof PodError ? `${error.code}: ${error.message}` : "";
    }
  };
  expect([refusal(1279), refusal(1500.5)]).toEqual([
    "network.bad-mtu: 1279 is no size of packets from 1280 to 65535 bytes",
    "network.bad-mtu: 1500.5 is no size of packets from 1280 to 65535 bytes",
  ]);
});

kernelTest("very small and very large rates are taken", async () => {
  for (const rateText of ["1k", "1P"]) {
    const annotations = {
      "kubernetes.io/ingress-bandwidth": rateText,
      "kubernetes.io/egress-bandwidth": rateText,
    };
    await using pod = await up(`extreme-${rateText.toLowerCase()}`, annotations);
    const shown = [
      run("tc", "qdisc", "show"),
      within(pod.namespace, () => run("tc", "qdisc", "show")),
    ];
    for (const text of shown)
      expect(text).toContain(rateText === "1k" ? "rate 1Kbit" : "rate 1000Tbit");
  }
});
