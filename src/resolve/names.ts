// The host's part in a pod's generated files: its name servers, and its hosts file where the pod
// shares its network.

import { readFileSync } from "node:fs";
import type { ResolvConfInput } from "./generated-files.ts";
import { printHosts, printNodeHosts, printResolvConf } from "./generated-files.ts";

export function printHostsFor(
  network: "POD" | "NODE",
  hostname: string,
  podIPs: readonly string[],
): string {
  return network === "NODE"
    ? printNodeHosts(read("/etc/hosts"), [])
    : printHosts({ hostname, podIPs, aliases: [] });
}

/**
 * systemd-resolved's stub listens on the host's loopback, which a pod does not share: its upstream
 * list then (man 8 systemd-resolved).
 */
const stub = "127.0.0.53";
const upstreamPath = "/run/systemd/resolve/resolv.conf";

/** The file is read for every pod, and understood again only when it has changed. */
let last = { file: "", printed: "" };

export function printResolvConfFor(): string {
  const own = read("/etc/resolv.conf");
  const file = own.includes(stub) ? read(upstreamPath) || own : own;
  if (file !== last.file) last = { file, printed: printResolvConf(readResolvConf(file)) };
  return last.printed;
}

function readResolvConf(file: string): ResolvConfInput {
  const lines = file.split("\n").map((line) => line.trim().split(/\s+/));
  const values = (key: string) =>
    lines.filter(([keyword]) => keyword === key).map((line) => line.slice(1));
  // The resolver's own limits (man 5 resolv.conf; the kubelet's for searches).
  const [nameserversMax, searchesMax] = [3, 32];
  return {
    nameservers: values("nameserver")
      .map(([address = ""]) => address)
      .filter(isWord)
      .slice(0, nameserversMax),
    searches: (values("search").at(-1) ?? []).filter(isWord).slice(0, searchesMax),
    options: values("options").flat().filter(isWord),
  };
}

/**
 * The host's file is the administrator's, but it may hold anything; what is not a plain word stays
 * outside.
 */
function isWord(text: string): boolean {
  return /^[!"$-~]+$/.test(text);
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
