// What pods have of the network: addresses, ways out, published ports, traffic.

import type { PodNetwork, PublishedPort, Traffic } from "../../pod/shapes.ts";
import { defineCommand } from "../command.ts";
import { printData } from "../data.ts";
import type { FlagTable } from "../flags.ts";
import { usageError } from "../flags.ts";
import { openFromFlags } from "../open.ts";
import { getPod, namespaceFlag } from "../pods.ts";
import { printTable } from "../table.ts";
import { podLabel } from "../text.ts";

const usage = "net [NAME] [flags]";
const flagTable = {
  ...namespaceFlag,
  check: { kind: "switch", help: "ask the plugins of a CNI network whether all of it is there" },
} as const satisfies FlagTable;

/** One pod, as `-o json` has it; without `network` it has only loopback, or the host's. */
interface Entry {
  readonly pod: string;
  readonly network?: PodNetwork;
}

export const net = defineCommand({
  usage: [usage],
  about: [
    "Print the addresses of pods, their ports on the host and what went through their interface;",
    "of one pod also its gateways, and who sees it by which address.",
  ],
  examples: [
    ["peapod net", "all pods"],
    ["peapod net web", "one of them"],
    ["peapod net -o json web", "for programs"],
    ["peapod net --check web", "does its CNI network still do what it did at the start?"],
  ],
  flags: flagTable,
  run: async ({ flags, operands, io }) => {
    const [name, extra] = operands;
    if (extra !== undefined) {
      throw usageError(`unexpected ${JSON.stringify(extra)}`, `usage: peapod ${usage}`);
    }
    if (flags.check && name === undefined) {
      throw usageError("no pod is named", `usage: peapod ${usage}`);
    }
    await using peapod = await openFromFlags(flags, io);
    const pods = name === undefined ? await peapod.list() : [await getPod(peapod, name, flags)];
    const entries: Entry[] = [];
    for (const pod of pods) {
      if ("error" in pod) continue;
      if (flags.check) await pod.checkNetwork();
      const { network } = (await pod.inspect()).sandbox;
      entries.push({ pod: podLabel(pod), ...(network && { network }) });
    }
    const [only] = entries;
    const data = name === undefined ? entries : only;
    if (flags.output) io.stdout.write(await printData(flags.output, data));
    else if (name === undefined) io.stdout.write(printAll(entries));
    else if (only) io.stdout.write(printOne(only));
    return 0;
  },
});

function printAll(entries: readonly Entry[]): string {
  const rows = entries.map(({ pod, network }) => [
    pod,
    network?.podIPs.join(",") ?? "<none>",
    network?.ports.map(printPort).join(",") || "<none>",
    network?.interface ?? "<none>",
    network ? printTraffic(network.received) : "",
    network ? printTraffic(network.sent) : "",
  ]);
  return printTable(["NAME", "IP", "PORTS", "INTERFACE", "RECEIVED", "SENT"], rows);
}

function printOne({ pod, network }: Entry): string {
  if (!network)
    return `${pod} has no addresses of its own: loopback alone, or the host's network\n`;
  const { podIPs, hostIPs, gateways, ports, received, sent } = network;
  const lines = [
    ["addresses", podIPs.join(", ")],
    ["interface", `eth0 in the pod, ${network.interface} on the host`],
    ["gateways", gateways.join(", ") || "none"],
    ["host", `reached at ${hostIPs.join(", ")}`],
    ["outside", "sees the host's address"],
    ...ports.map((port) => ["port", describePort(port)]),
    ["received", describeTraffic(received)],
    ["sent", describeTraffic(sent)],
  ];
  const width = Math.max(...lines.map(([what = ""]) => what.length));
  return lines.map(([what = "", text = ""]) => `${what.padEnd(width)}  ${text}\n`).join("");
}

/** `0.0.0.0:8080->80/tcp`, as docker and podman write it. */
function printPort({ hostIP, hostPort, containerPort, protocol }: PublishedPort): string {
  const at = hostIP === "" ? "*" : hostIP.includes(":") ? `[${hostIP}]` : hostIP;
  return `${at}:${hostPort}->${containerPort}/${protocol.toLowerCase()}`;
}

function describePort(port: PublishedPort): string {
  const where = port.hostIP === "" ? "every address of the host" : port.hostIP;
  return `${port.hostPort}/${port.protocol.toLowerCase()} at ${where}, to ${port.containerPort} in the pod`;
}

function printTraffic({ bytes }: Traffic): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = bytes < 1 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), units.length - 1);
  const value = bytes / 1024 ** power;
  return `${power === 0 ? value : value.toFixed(1)} ${units[power]}`;
}

function describeTraffic(traffic: Traffic): string {
  const { packets, dropped } = traffic;
  return `${printTraffic(traffic)} in ${packets} packets, ${dropped} dropped`;
}
