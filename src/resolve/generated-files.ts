// The texts of the three files that every pod gets: /etc/hosts, /etc/hostname, /etc/resolv.conf.
// Their words come from the manifest or the host and were validated there; a word that could end
// its line is a mistake of ours.

export interface HostAlias {
  readonly ip: string;
  readonly hostnames: readonly string[];
}

/** A pod's own hosts file; with `hostNetwork` the node's, see `printNodeHosts`. */
export interface HostsInput {
  readonly hostname: string;
  /**
   * What follows the host name in its full name: `<subdomain>.<namespace>.svc.<cluster domain>`.
   */
  readonly domain?: string;
  /** Addresses of the pod, the primary one first; none while it has only loopback. */
  readonly podIPs: readonly string[];
  readonly aliases: readonly HostAlias[];
}

export interface ResolvConfInput {
  readonly nameservers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly string[];
}

/**
 * The kubelet's text, byte for byte when the pod has an address. Without one the host name is
 * 127.0.0.1, not Debian's 127.0.1.1, so that a server that listens on its own name is the one that
 * others reach as `localhost`.
 */
export function printHosts({ hostname, domain, podIPs, aliases }: HostsInput): string {
  const names = domain === undefined ? [hostname] : [`${hostname}.${domain}`, hostname];
  const addresses = podIPs.length > 0 ? podIPs : ["127.0.0.1"];
  return [
    "# Kubernetes-managed hosts file.",
    "127.0.0.1\tlocalhost",
    "::1\tlocalhost ip6-localhost ip6-loopback",
    "fe00::0\tip6-localnet",
    "fe00::0\tip6-mcastprefix",
    "fe00::1\tip6-allnodes",
    "fe00::2\tip6-allrouters",
    ...addresses.map((address) => tabbed([address, ...names])),
    ...aliasLines(aliases),
    "",
  ].join("\n");
}

/** With `hostNetwork`: the node's own file and the pod's aliases. */
export function printNodeHosts(nodeHosts: string, aliases: readonly HostAlias[]): string {
  const header = "# Kubernetes-managed hosts file (host network).\n";
  const body = nodeHosts === "" || nodeHosts.endsWith("\n") ? nodeHosts : `${nodeHosts}\n`;
  return (
    header +
    body +
    aliasLines(aliases)
      .map((line) => `${line}\n`)
      .join("")
  );
}

export function printHostname(hostname: string): string {
  return `${word(hostname)}\n`;
}

/** The order of the lines is containerd's. What is empty is left out. */
export function printResolvConf({ nameservers, searches, options }: ResolvConfInput): string {
  const lines = [
    ...(searches.length > 0 ? [spaced("search", searches)] : []),
    ...nameservers.map((address) => spaced("nameserver", [address])),
    ...(options.length > 0 ? [spaced("options", options)] : []),
  ];
  return lines.map((line) => `${line}\n`).join("");
}

function aliasLines(aliases: readonly HostAlias[]): string[] {
  if (aliases.length === 0) return [];
  const lines = aliases.map(({ ip, hostnames }) => tabbed([ip, ...hostnames]));
  return ["", "# Entries added by HostAliases.", ...lines];
}

function tabbed(words: readonly string[]): string {
  return words.map(word).join("\t");
}

function spaced(keyword: string, words: readonly string[]): string {
  return [keyword, ...words.map(word)].join(" ");
}

/** One word of a line: printable ASCII without blanks and without the `#` that starts a comment. */
function word(text: string): string {
  if (!/^[!"$-~]+$/.test(text)) {
    throw new Error(`${JSON.stringify(text)} cannot be a word of a generated file`);
  }
  return text;
}
