// What a pod is called, and the files that say so: its host name, /etc/hosts, and its name servers.

import { readFileSync } from "node:fs";
import { hostname as hostHostname } from "node:os";
import type { PodSpec } from "../spec/pod-spec.ts";
import type { ResolvedPod } from "../spec/resolved.ts";
import type { ClusterDns } from "./dns.ts";
import { fitResolver, resolveDns } from "./dns.ts";
import { fault } from "./fault.ts";
import type { ResolvConfInput } from "./generated-files.ts";
import { printHostname, printHosts, printNodeHosts, printResolvConf } from "./generated-files.ts";

export interface NamesInput {
  readonly spec: PodSpec;
  /** None while the pod has only loopback. */
  readonly podIPs: readonly string[];
  readonly cluster: ClusterDns;
  readonly warn: (message: string) => void;
}

export const noCluster: ClusterDns = { nameservers: [], domain: "cluster.local" };

/** The kernel's own limit (__NEW_UTS_LEN). */
const hostnameMax = 64;
/** Of one label of a name, which a pod's name may be longer than. */
const labelMax = 63;

export function resolveNames(input: NamesInput): Pick<ResolvedPod, "hostname" | "files"> {
  const { spec, podIPs } = input;
  const isNode = spec.namespaces.network === "NODE";
  const host = isNode ? hostHostname() : ownName(spec);
  const domain = isNode ? undefined : domainOf(spec, input.cluster);
  const hostname = kernelName(spec, host, domain);
  const aliases = spec.hostAliases;
  return {
    hostname,
    files: {
      hosts: isNode
        ? printNodeHosts(read("/etc/hosts"), aliases)
        : printHosts({ hostname: host, podIPs, aliases, ...(domain !== undefined && { domain }) }),
      hostname: printHostname(hostname),
      resolvConf: resolvConfOf(input),
    },
  };
}

/** The pod's name cut to a label's length (kubelet, `GeneratePodHostNameAndDomain`). */
function ownName({ name, hostname, hostnameOverride }: PodSpec): string {
  if (hostnameOverride !== undefined) return hostnameOverride;
  return (hostname ?? name).slice(0, labelMax).replace(/[-.]+$/, "");
}

/** An override is the whole name. */
function domainOf(spec: PodSpec, { domain }: ClusterDns): string | undefined {
  const { subdomain, hostnameOverride, namespace } = spec;
  if (!subdomain || hostnameOverride !== undefined) return undefined;
  return `${subdomain}.${namespace}.svc.${domain}`;
}

function kernelName(spec: PodSpec, host: string, domain: string | undefined): string {
  if (!spec.setHostnameAsFqdn || domain === undefined) return host;
  const full = `${host}.${domain}`;
  if (full.length <= hostnameMax) return full;
  throw fault(spec, "spec.setHostnameAsFQDN", {
    code: "manifest.invalid",
    message: `the full name ${full} has ${full.length} characters, and a host name at most ${hostnameMax}`,
  });
}

/** The files are read for every pod, and understood again only when they have changed. */
let last: { file: string; read: ResolvConfInput; printed: string } | undefined;

function resolvConfOf({ spec, cluster, warn }: NamesInput): string {
  const { policy, nameservers, searches, options } = spec.dns;
  const isPlain = nameservers.length + searches.length + options.length === 0;
  // Where the pod's loopback is the host's, so is all that its file says.
  const isNode = spec.namespaces.network === "NODE";
  const isHost = policy === "Default" || policy === "ClusterFirst";
  if (isNode && isPlain && isHost) return read("/etc/resolv.conf");
  const host = hostConf(isNode);
  if (isPlain && isHost && cluster.nameservers.length === 0) {
    // Nobody has asked for a cluster who says nothing.
    if (policy === "Default" || !isWritten(spec)) return host.printed;
  }
  return printResolvConf(resolveDns({ spec, host: () => host.read, cluster, warn }));
}

function isWritten({ manifest }: PodSpec): boolean {
  return "dnsPolicy" in ((manifest["spec"] ?? {}) as Readonly<Record<string, unknown>>);
}

/**
 * systemd-resolved's stub listens on the host's loopback, which a pod does not share: its upstream
 * list then (man 8 systemd-resolved).
 */
const stub = "127.0.0.53";
const upstreamPath = "/run/systemd/resolve/resolv.conf";

function hostConf(sharesLoopback: boolean): { readonly read: ResolvConfInput; printed: string } {
  const own = read("/etc/resolv.conf");
  const file = own.includes(stub) && !sharesLoopback ? read(upstreamPath) || own : own;
  if (file !== last?.file) {
    const parsed = readResolvConf(file);
    // Nobody who asked for nothing is told what a resolver would leave out anyway.
    last = { file, read: parsed, printed: printResolvConf(fitResolver(parsed, () => {})) };
  }
  return last;
}

export function readResolvConf(file: string): ResolvConfInput {
  const lines = file.split("\n").map((line) => line.trim().split(/\s+/));
  const values = (key: string) =>
    lines.filter(([keyword]) => keyword === key).map((line) => line.slice(1));
  return {
    nameservers: values("nameserver")
      .map(([address = ""]) => address)
      .filter(isWord),
    // The last line counts, and a dot at the end of a domain says nothing more.
    searches: (values("search").at(-1) ?? [])
      .map((domain) => domain.replace(/(.)\.$/, "$1"))
      .filter(isWord),
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
