// What a pod has of the network, as its state and the kernel say it.

import { readFileSync } from "node:fs";
import type { PodState } from "./read-state.ts";
import type { PodNetwork, Traffic } from "./shapes.ts";

/** Undefined for a pod that has only loopback, or the host's network. */
export function readPodNetwork(
  { network }: Pick<PodState, "network">,
  keeperPid: number,
): PodNetwork | undefined {
  if (!network) return undefined;
  const { interface: name, podIPs, hostIPs, ports } = network;
  return {
    ...{ interface: name, podIPs, hostIPs },
    gateways: readGateways(keeperPid),
    ports: ports.map(({ hostIP, hostPort, containerPort, protocol }) => ({
      ...{ hostIP, hostPort, containerPort, protocol },
    })),
    ...readTraffic(keeperPid),
  };
}

/** man 5 proc_pid_net: /proc/PID/net/dev of the pod's own namespace. */
export function readTraffic(keeperPid: number): Record<"received" | "sent", Traffic> {
  const line = lines(keeperPid, "dev").find((text) => text.startsWith("eth0:")) ?? "";
  const counts = line
    .slice(line.indexOf(":") + 1)
    .trim()
    .split(/\s+/)
    .map(Number);
  const from = (at: number): Traffic => ({
    bytes: counts[at] || 0,
    packets: counts[at + 1] || 0,
    dropped: counts[at + 3] || 0,
  });
  return { received: from(0), sent: from(8) };
}

function readGateways(keeperPid: number): string[] {
  const v4 = lines(keeperPid, "route")
    .map((line) => line.split(/\s+/))
    .filter(([name, destination]) => name === "eth0" && destination === "00000000")
    .map(([, , gateway = ""]) => Uint8Array.from(Buffer.from(gateway, "hex")).reverse().join("."));
  const v6 = lines(keeperPid, "ipv6_route")
    .map((line) => line.split(/\s+/))
    .filter((words) => words.at(-1) === "eth0" && words[1] === "00")
    .map((words) => (words[4] ?? "").replace(/(.{4})(?=.)/g, "$1:"))
    .map((address) => new URL(`http://[${address}]`).hostname.slice(1, -1));
  return [...v4, ...v6];
}

function lines(keeperPid: number, file: string): string[] {
  try {
    const text = readFileSync(`/proc/${keeperPid}/net/${file}`, "utf8");
    return text.split("\n").map((line) => line.trim());
  } catch {
    return [];
  }
}
