// Pods on networks of CNI plugins: the real ones of Debian, on a machine of its own as far as the
// network goes.

import { afterAll, beforeAll, describe, expect } from "bun:test";
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
} from "node:fs";
import { openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  addAttachment,
  askStatus,
  checkAttachment,
  collectGarbage,
  readAttachments,
} from "../../src/network/cni/attachment.ts";
import { findList } from "../../src/network/cni/configuration.ts";
import { PodHost } from "../../src/pod/peapod.ts";
import type { PodManifest } from "../../src/read/pod-manifest/read.ts";
import { readPodManifest } from "../../src/read/pod-manifest/read.ts";
import type { HostPath } from "../../src/spec/paths.ts";
import { tcpAsk, tcpEcho } from "../support/echo.ts";
import { eventually, hostMissing, podOf } from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";
import { addresses, NetworkHost, run, within } from "../support/network-host.ts";
import { errorOf } from "../support/pods.ts";
import { probeAnswers } from "../support/probe.ts";

const hasPlugins = existsSync("/usr/lib/cni/bridge");
const missing = hostMissing ?? (hasPlugins ? undefined : "needs containernetworking-plugins");
const kernelTest = testOrSkip(missing === undefined, missing ?? "");

let machine: NetworkHost;
let folder: string;

beforeAll(async () => {
  if (missing !== undefined) return;
  machine = new NetworkHost();
  folder = mkdtempSync(join(tmpdir(), "peapod-cni-"));
  mkdirSync(join(folder, "net.d"));
  process.env["CNI_CONF_DIR"] = join(folder, "net.d");
  process.env["CNI_PATH"] = `/usr/lib/cni:${join(folder, "bin")}`;
  // Once, so that what is opened and made for good is there.
  writePlugin("warm", `echo '{"cniVersion": "1.0.0"}'`);
  writeList("warm-up", [{ type: "warm" }]);
  await look("warm-up");
  machine.host.before = machine.host.snapshot();
});

afterAll(async () => {
  if (missing !== undefined) return;
  await machine[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
  delete process.env["CNI_CONF_DIR"];
  delete process.env["CNI_PATH"];
});

const hostLocal = (subnet: string) => ({
  type: "host-local",
  dataDir: join(folder, "ipam"),
  ranges: [[{ subnet }]],
  routes: [{ dst: "0.0.0.0/0" }],
});

function writeList(name: string, plugins: readonly object[], more: object = {}): void {
  const list = { cniVersion: "1.0.0", name, plugins, ...more };
  writeFileSync(join(folder, "net.d", `${name}.conflist`), JSON.stringify(list));
}

/** Addresses that host-local holds for a network. */
function leases(name: string): string[] {
  const directory = join(folder, "ipam", name);
  if (!existsSync(directory)) return [];
  return readdirSync(directory).filter((file) => /^\d/.test(file));
}

interface Seen {
  readonly links: Readonly<Record<string, { readonly ipv4: string; readonly up: boolean }>>;
  readonly podIPs: readonly string[];
  readonly log: string;
}

/** A pod of that network says what it sees; then it is gone. */
async function look(
  name: string,
  act: (podIP: string) => Promise<void> = async () => {},
  container: object = {},
  metadata: object = {},
): Promise<Seen> {
  await using host = new PodHost({ ...machine.host.places, network: `cni:${name}` });
  const words = ["links", "pause"];
  const base = podOf(machine.host, `on-${name}`, { main: words }, {}, container);
  const manifest = { ...base, metadata: { ...base.metadata, ...metadata } } as PodManifest;
  await using pod = await host.up(readPodManifest(manifest), {});
  const object = (await pod.object()) as { status: { podIPs?: { ip: string }[] } };
  const podIPs = (object.status.podIPs ?? []).map(({ ip }) => ip);
  const [inspected] = (await pod.inspect()).containers;
  const netns = openSync(`/proc/${inspected?.pid}/ns/net`, "r");
  const server = within(netns, () => tcpEcho("0.0.0.0", 80));
  try {
    await act(podIPs[0] ?? "");
  } finally {
    server.stop(true);
    closeSync(netns);
  }
  const log = await untilLinks(pod.logs({ follow: true }));
  const links = probeAnswers(log)["links"] as Seen["links"];
  return { links, podIPs, log };
}

async function untilLinks(lines: AsyncIterable<{ readonly line: Uint8Array }>): Promise<string> {
  for await (const { line } of lines) return new TextDecoder().decode(line);
  return "";
}

describe("the plugins of Debian", () => {
  kernelTest("bridge with host-local gives a pod an address that the host reaches", async () => {
    const before = run("ip", "-brief", "link");
    writeList("bridged", [
      { type: "bridge", bridge: "cnibr0", isGateway: true, ipam: hostLocal("10.77.0.0/24") },
    ]);
    const seen = await look("bridged", async (podIP) => {
      expect(leases("bridged")).toEqual([podIP]);
      const { text } = await within(machine.inside, () => tcpAsk(podIP, 80, "hello"));
      expect(text).toBe("hello");
    });
    expect(seen.podIPs).toEqual(["10.77.0.2"]);
    expect(seen.links["eth0"]).toMatchObject({ ipv4: "10.77.0.2", up: true });
    expect(leases("bridged")).toEqual([]);
    expect(readAttachments(machine.host.places.state as HostPath)).toEqual([]);
    run("ip", "link", "delete", "cnibr0");
    expect(run("ip", "-brief", "link")).toBe(before);
  });

  kernelTest("ptp routes, and the default route is the plugin's", async () => {
    writeList("pointed", [{ type: "ptp", ipam: hostLocal("10.78.0.0/24") }]);
    const seen = await look("pointed", async (podIP) => {
      const { text } = await within(machine.inside, () => tcpAsk(podIP, 80, "hello"));
      expect(text).toBe("hello");
    });
    expect(seen.links["eth0"]).toMatchObject({ ipv4: "10.78.0.2", up: true });
    expect(leases("pointed")).toEqual([]);
  });

  kernelTest("macvlan hangs on a device of the host", async () => {
    const ipam = { type: "static", addresses: [{ address: `${addresses.host4}0/24` }] };
    writeList("hung", [{ type: "macvlan", master: "up0", mode: "bridge", ipam }]);
    const seen = await look("hung");
    expect(seen.podIPs).toEqual([`${addresses.host4}0`]);
    expect(seen.links["eth0"]).toMatchObject({ ipv4: `${addresses.host4}0`, up: true });
  });

  kernelTest("tuning and bandwidth are chained behind it", async () => {
    writeList("chained", [
      { type: "ptp", ipam: hostLocal("10.79.0.0/24") },
      { type: "tuning", mtu: 1280, dataDir: join(folder, "tuning") },
      { type: "bandwidth", ingressRate: 8_000_000, ingressBurst: 800_000 },
    ]);
    const seen = await look("chained", async () => {
      expect(run("tc", "qdisc", "show")).toContain("tbf");
    });
    expect(seen.links["eth0"]).toMatchObject({ mtu: 1280 });
    await untilNoLimits();
  });

  kernelTest("bandwidth gets the rates of the pod's annotations", async () => {
    writeList("limited", [
      { type: "ptp", ipam: hostLocal("10.84.0.0/24") },
      { type: "bandwidth", capabilities: { bandwidth: true } },
    ]);
    const annotations = { "kubernetes.io/ingress-bandwidth": "9M" };
    const check = async () => expect(run("tc", "qdisc", "show")).toContain("rate 9Mbit");
    await look("limited", check, {}, { annotations });
    await untilNoLimits();
  });

  kernelTest("portmap gets the pod's published ports", async () => {
    writeList("mapped", [
      { type: "ptp", ipam: hostLocal("10.80.0.0/24") },
      { type: "portmap", capabilities: { portMappings: true }, snat: true },
    ]);
    const ports = [{ containerPort: 80, hostPort: 18_080 }];
    const ask = () => tcpAsk(addresses.host4, 18_080, "hello");
    await look(
      "mapped",
      async () => {
        const { text } = await within(machine.outside, ask);
        expect(text).toBe("hello");
      },
      { ports },
    );
    expect(run("iptables-save", "-t", "nat")).not.toContain("18080");
  });
});

describe("a bridge of the host", () => {
  const onBridge = (range?: string) => ({
    ...machine.host.places,
    network: "bridge:own0" as const,
    ...(range !== undefined && { networkRange: range }),
  });

  kernelTest("pods are on it, with its address as their way out", async () => {
    // Its own, or it would have that of a port, and another when the port goes.
    run("ip", "link", "add", "own0", "address", "02:00:00:00:90:01", "type", "bridge");
    run("ip", "address", "add", "10.90.0.1/24", "dev", "own0");
    run("ip", "link", "set", "own0", "up");
    const before = run("ip", "-brief", "link");
    {
      await using host = new PodHost(onBridge("10.90.0.128/26"));
      const up = (name: string) =>
        host.up(readPodManifest(podOf(machine.host, name, { main: ["pause"] })), {});
      await using a = await up("a");
      await using b = await up("b");
      const seen = await Promise.all([a, b].map(async (pod) => (await pod.inspect()).sandbox));
      expect(seen.map(({ network }) => network?.gateways)).toEqual([["10.90.0.1"], ["10.90.0.1"]]);
      const [first = "", second = ""] = seen.flatMap(({ network }) => network?.podIPs ?? []);
      expect([first, second]).toEqual(["10.90.0.129", "10.90.0.130"]);
      const [there = 0, here = 0] = seen.map(({ keeperPid }) =>
        openSync(`/proc/${keeperPid}/ns/net`, "r"),
      );
      const server = within(there, () => tcpEcho("0.0.0.0", 80));
      const heard = [
        await within(here, () => tcpAsk(first, 80, "hello")),
        await within(machine.inside, () => tcpAsk(first, 80, "hello")),
      ];
      server.stop(true);
      closeSync(there);
      closeSync(here);
      expect(heard.map(({ from }) => from)).toEqual([second, "10.90.0.1"]);
      // Whoever asks is told what is missing, in the plugin's words.
      await a.checkNetwork();
      const [port = ""] = run("ip", "-o", "link", "show", "master", "own0").match(/veth\w+/) ?? [];
      run("ip", "link", "set", port, "nomaster");
      const errors = [await checked(a), await checked(b)].filter((text) => text !== "");
      expect(errors.length).toBe(1);
      expect(errors[0]).toMatch(/^the CNI plugin bridge failed at CHECK: /);
    }
    const links = () => run("ip", "-brief", "link");
    expect(await eventually(links, (now) => now === before)).toBe(before);
    expect(readAttachments(machine.host.places.state as HostPath)).toEqual([]);
    run("ip", "link", "delete", "own0");
  });

  kernelTest("one that is not there, or whose addresses nobody chose, is refused", async () => {
    const spec = readPodManifest(podOf(machine.host, "lost", { main: ["pause"] }));
    const errorWith = async (range?: string) => {
      await using host = new PodHost(onBridge(range));
      const { code, message } = await errorOf(host.up(spec, {}));
      return { code, message };
    };
    expect(await errorWith("10.90.0.0/24")).toEqual({
      code: "network.unknown",
      message: 'this host has no bridge "own0"',
    });
    run("ip", "link", "add", "own0", "type", "bridge");
    expect(await errorWith()).toEqual({
      code: "network.no-range",
      message: "nothing says which addresses of the bridge own0 are for pods",
    });
    expect((await errorWith("10.90.0.9/24")).code).toBe("network.bad-range");
    run("ip", "link", "delete", "own0");
  });
});

const checked = (pod: { checkNetwork(): Promise<void> }) =>
  pod.checkNetwork().then(
    () => "",
    (error: unknown) => (error instanceof Error ? error.message : ""),
  );

/** The kernel ends a namespace, and what hung on it, in its own time. */
async function untilNoLimits(): Promise<void> {
  const shown = () => run("tc", "qdisc", "show");
  expect(await eventually(shown, (text) => !text.includes("tbf"))).not.toContain("tbf");
}

/** A plugin of our own, for what those of Debian do not do: it writes down how it is called. */
function writePlugin(name: string, script: string): void {
  mkdirSync(join(folder, "bin"), { recursive: true });
  const path = join(folder, "bin", name);
  const log = join(folder, `${name}.log`);
  writeFileSync(path, `#!/bin/sh\ninput=$(cat)\necho "$CNI_COMMAND $input" >>${log}\n${script}\n`);
  chmodSync(path, 0o755);
}

function callsOf(name: string): { command: string; input: Record<string, unknown> }[] {
  const lines = readFileSync(join(folder, `${name}.log`), "utf8")
    .trimEnd()
    .split("\n");
  return lines.map((line) => {
    const cut = line.indexOf(" ");
    return { command: line.slice(0, cut), input: JSON.parse(line.slice(cut + 1)) };
  });
}

const refusing = (message: string) =>
  `case $CNI_COMMAND in ADD) echo '{"code": 11, "msg": "${message}", "details": "try later"}'; ` +
  `exit 1;; esac; echo '{}'`;

describe("what plugins are told, and what they tell", () => {
  kernelTest("a plugin that fails is quoted, and what the others did is taken back", async () => {
    const before = run("ip", "-brief", "link");
    writePlugin("refuses", refusing("the switch is on fire"));
    writeList("broken", [
      { type: "ptp", ipam: hostLocal("10.81.0.0/24") },
      { type: "refuses", option: 7 },
    ]);
    const error = await errorOf(look("broken"));
    expect({ code: error.code, message: error.message }).toEqual({
      code: "network.plugin-failed",
      message: "the CNI plugin refuses failed at ADD: the switch is on fire; try later",
    });
    expect(callsOf("refuses").map(({ command }) => command)).toEqual(["ADD", "DEL"]);
    expect(callsOf("refuses")[0]?.input).toMatchObject({
      ...{ cniVersion: "1.0.0", name: "broken", type: "refuses", option: 7 },
      prevResult: { ips: [{ address: "10.81.0.2/24" }] },
    });
    expect(leases("broken")).toEqual([]);
    expect(run("ip", "-brief", "link")).toBe(before);
    // Bun keeps what it gave a child to read until it collects garbage.
    const leaks = () => machine.host.leaks();
    expect(await eventually(leaks, (found) => found.length === 0)).toEqual([]);
  });

  kernelTest("CHECK, STATUS and GC, with the result and the valid attachments", async () => {
    writePlugin("notes", `echo '{"cniVersion": "1.1.0", "ips": [{"address": "10.82.0.9/24"}]}'`);
    writeList("noted", [{ type: "notes" }], { cniVersion: "1.1.0" });
    const list = findList(join(folder, "net.d"), "noted");
    const state = join(folder, "state") as HostPath;
    const words = { containerId: "one", netns: "/proc/self/ns/net", ifname: "eth0", args: "" };
    await askStatus(list);
    await addAttachment(state, { list, words, capabilities: {} });
    const [kept] = readAttachments(state);
    if (!kept) throw new Error("an attachment is kept");
    await checkAttachment(kept);
    await collectGarbage(state, list);
    const calls = callsOf("notes");
    expect(calls.map(({ command }) => command)).toEqual(["STATUS", "ADD", "CHECK", "GC"]);
    expect(calls[2]?.input["prevResult"]).toMatchObject({ ips: [{ address: "10.82.0.9/24" }] });
    const valid = [{ containerID: "one", ifname: "eth0" }];
    expect(calls[3]?.input["cni.dev/valid-attachments"]).toEqual(valid);
  });

  kernelTest("the attachment of a pod whose starter was killed is taken back later", async () => {
    writePlugin("late", `echo '{"cniVersion": "1.0.0", "ips": [{"address": "10.83.0.9/24"}]}'`);
    writeList("orphaned", [{ type: "late" }]);
    const list = findList(join(folder, "net.d"), "orphaned");
    const { state } = machine.host.places;
    const words = { containerId: "nobody", netns: "/proc/0/ns/net", ifname: "eth0", args: "" };
    await addAttachment(state as HostPath, { list, words, capabilities: {} });
    await look("orphaned");
    expect(readAttachments(state as HostPath)).toEqual([]);
    const ends = callsOf("late").filter(({ command }) => command === "DEL");
    expect(ends.length).toBe(2);
  });

  kernelTest(
    "a network that nobody configured, and a configuration that nobody can use",
    async () => {
      const unknown = await errorOf(look("nowhere"));
      expect(unknown.message).toBe(
        `no file of ${join(folder, "net.d")} has a CNI configuration of the network "nowhere"`,
      );
      const path = join(folder, "net.d", "00-bad.conflist");
      writeFileSync(
        path,
        JSON.stringify({ cniVersion: "0.2.0", name: "old", plugins: [{ type: "x" }] }),
      );
      expect((await errorOf(look("old"))).message).toBe(
        `the CNI configuration ${path} cannot be used: its cniVersion 0.2.0 is none of 0.4, 1.0, 1.1`,
      );
      rmSync(path);
      writeList("absent", [{ type: "no-such-plugin" }]);
      expect((await errorOf(look("absent"))).code).toBe("network.no-plugin");
    },
  );

  kernelTest("with hostUsers: false it is refused by that line", async () => {
    const host = new PodHost({ ...machine.host.places, network: "cni" });
    const manifest = podOf(machine.host, "mapped", { main: ["pause"] }, { hostUsers: false });
    const error = await errorOf(host.up(readPodManifest(manifest), {}));
    await host[Symbol.asyncDispose]();
    expect(error.message).toBe(
      "pod mapped cannot have a user namespace of its own on a CNI network",
    );
    expect(error.origin?.field).toBe("spec.hostUsers");
  });
});
