// A pod's name servers: what its policy takes from the host or the cluster, what its own
// configuration adds, and the limits of resolvers (kubelet, pkg/kubelet/network/dns).

import type { DnsSpec, PodSpec } from "../spec/pod-spec.ts";
import type { ResolvConfInput } from "./generated-files.ts";

/** Name servers of a cluster, where somebody runs one; none by itself. */
export interface ClusterDns {
  readonly nameservers: readonly string[];
  /** `cluster.local`. */
  readonly domain: string;
}

export interface DnsInput {
  readonly spec: Pick<PodSpec, "namespace" | "dns" | "namespaces">;
  /** The host's own, read. */
  readonly host: () => ResolvConfInput;
  readonly cluster: ClusterDns;
  readonly warn: (message: string) => void;
}

/** man 5 resolv.conf for name servers; the others are the API server's. */
const nameserversMax = 3;
const searchesMax = 32;
const searchBytesMax = 2048;
/** glibc ends the process over a longer one. */
const domainBytesMax = 253;

export function resolveDns(input: DnsInput): ResolvConfInput {
  const base = baseOf(input);
  const { nameservers, searches, options } = input.spec.dns;
  const asked = [...new Set([...base.nameservers, ...nameservers])];
  const behind = (base.behind ?? []).filter((server) => !asked.includes(server));
  return fitResolver(
    {
      nameservers: [...asked, ...behind.slice(0, Math.max(0, nameserversMax - asked.length))],
      searches: [...new Set([...base.searches, ...searches])],
      options: mergeOptions(base.options, options),
    },
    input.warn,
  );
}

/** `behind`: name servers that are asked when the others are not there. */
type Base = ResolvConfInput & { readonly behind?: readonly string[] };

function baseOf({ spec, host, cluster, warn }: DnsInput): Base {
  const { policy } = spec.dns;
  if (policy === "None") return { nameservers: [], searches: [], options: [] };
  // With the host's network ClusterFirst is the host's too: hence the other policy's name.
  const isHost =
    policy === "Default" || (policy === "ClusterFirst" && spec.namespaces.network === "NODE");
  if (isHost) return host();
  if (cluster.nameservers.length === 0) {
    warn(`no cluster has a name server here: dnsPolicy ${policy} is the same as Default`);
    return host();
  }
  const { domain } = cluster;
  const own = [`${spec.namespace}.svc.${domain}`, `svc.${domain}`, domain];
  return {
    nameservers: cluster.nameservers,
    // Names of the world go on when nobody is there to pass them on.
    behind: host().nameservers,
    searches: [...own, ...host().searches],
    options: ["ndots:5"],
  };
}

/** By name: an own option takes the place of the one there. */
function mergeOptions(base: readonly string[], own: DnsSpec["options"]): string[] {
  const merged = new Map(base.map((option) => [option.split(":")[0] ?? "", option]));
  for (const { name, value } of own) merged.set(name, value ? `${name}:${value}` : name);
  return [...merged.values()];
}

/** Within the limits. */
export function fitResolver(
  { nameservers, searches, options }: ResolvConfInput,
  warn: (message: string) => void,
): ResolvConfInput {
  const servers = nameservers.slice(0, nameserversMax);
  if (servers.length < nameservers.length) {
    warn(`a resolver takes ${nameserversMax} name servers; left are ${servers.join(" ")}`);
  }
  let kept = searches.slice(0, searchesMax).filter((domain) => domain.length <= domainBytesMax);
  while (kept.join(" ").length > searchBytesMax) kept = kept.slice(0, -1);
  if (kept.length < searches.length) {
    warn(
      `a resolver takes ${searchesMax} search domains of ${domainBytesMax} bytes, ` +
        `${searchBytesMax} bytes together; left are ${kept.join(" ")}`,
    );
  }
  return { nameservers: servers, searches: kept, options };
}
