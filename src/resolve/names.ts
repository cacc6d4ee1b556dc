// The host's part in a pod's generated files: its name servers, and its hosts file where the pod
// shares its network.

import { existsSync, readFileSync } from "node:fs";
import { printHosts, printNodeHosts, printResolvConf } from "./generated-files.ts";

export function printHostsFor(network: "POD" | "NODE", hostname: string): string {
  return network === "NODE"
    ? printNodeHosts(read("/etc/hosts"), [])
    : printHosts({ hostname, podIPs: [], aliases: [] });
}

/**
 * systemd-resolved's stub listens on the host's loopback, which a pod does not share: its upstream
 * list then.
 */
const resolvConfPaths = ["/run/systemd/resolve/resolv.conf", "/etc/resolv.conf"];

export function printResolvConfFor(): string {
  const path = resolvConfPaths.find((candidate) => existsSync(candidate));
  const lines = (path === undefined ? "" : read(path)).split("\n").map((line) => line.trim());
  const values = (key: string) =>
    lines
      .filter((line) => new RegExp(`^${key}\\s`).test(line))
      .map((line) => line.slice(key.length).trim());
  // The resolver's own limits (man 5 resolv.conf; the kubelet's for searches).
  const [nameserversMax, searchesMax] = [3, 32];
  return printResolvConf({
    nameservers: values("nameserver").filter(isWord).slice(0, nameserversMax),
    searches: (values("search").at(-1) ?? "").split(/\s+/).filter(isWord).slice(0, searchesMax),
    options: values("options")
      .flatMap((line) => line.split(/\s+/))
      .filter(isWord),
  });
}

/**
 * The host's file is the administrator's, but it may hold anything; what is not a plain word stays
 * outside.
 */
function isWord(text: string): boolean {
  return /^[\x21-\x7e]+$/.test(text);
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
