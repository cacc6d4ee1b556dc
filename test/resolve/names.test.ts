import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { resolveDns } from "../../src/resolve/dns.ts";
import type { ClusterDns } from "../../src/resolve/dns.ts";
import { noCluster, readResolvConf, resolveNames } from "../../src/resolve/names.ts";
import type { DnsSpec, PodSpec } from "../../src/spec/pod-spec.ts";
import { refusal, specOf } from "../support/specs.ts";

const podIPs = ["10.1.0.2", "fd00::2"];

function names(more: Partial<PodSpec>, ips: readonly string[] = podIPs, cluster = noCluster) {
  return resolveNames({ spec: specOf({}, more), podIPs: ips, cluster, warn: () => {} });
}

const nodeNetwork = { network: "NODE", ipc: "POD", pid: "CONTAINER", user: "NODE" } as const;
const kubernetes = `\
# Kubernetes-managed hosts file.
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
`;

describe("the host name", () => {
  test.each([
    ["the pod's name", { name: "web" }, "web"],
    [
      "cut to a label, without a hyphen or dot at its end",
      { name: `${"a".repeat(62)}-.b` },
      "a".repeat(62),
    ],
    ["hostname", { name: "web", hostname: "db" }, "db"],
    ["hostnameOverride before all", { hostname: "db", hostnameOverride: "a.b.c" }, "a.b.c"],
    ["a subdomain is no part of it", { subdomain: "sub" }, "web"],
    ["the node's with hostNetwork", { hostname: "db", namespaces: nodeNetwork }, hostname()],
    [
      "the full name where the manifest says so",
      { namespace: "ns", hostname: "db", subdomain: "sub", setHostnameAsFqdn: true },
      "db.sub.ns.svc.cluster.local",
    ],
    ["which needs a subdomain", { setHostnameAsFqdn: true }, "web"],
  ] as [string, Partial<PodSpec>, string][])("%s", (_, more, expected) => {
    const found = names(more);
    expect(found.hostname).toBe(expected);
    expect(found.files.hostname).toBe(`${expected}\n`);
  });

  test("a full name that the kernel would not take is refused", () => {
    const spec = { subdomain: "s".repeat(60), setHostnameAsFqdn: true };
    expect(refusal(specOf({}, spec))).toBe(`\
error[manifest.invalid] the full name web.${"s".repeat(60)}.default.svc.cluster.local has 90 characters, and a host name at most 64
  from   spec.setHostnameAsFQDN`);
  });
});

describe("/etc/hosts", () => {
  test("has the pod's addresses, its full name, and the aliases", () => {
    const hostAliases = [
      { ip: "192.0.2.1", hostnames: ["a.example", "b.example"] },
      { ip: "fd00::9", hostnames: ["c.example"] },
    ];
    expect(names({ subdomain: "sub", hostAliases }).files.hosts).toBe(`${kubernetes}\
10.1.0.2\tweb.sub.default.svc.cluster.local\tweb
fd00::2\tweb.sub.default.svc.cluster.local\tweb

# Entries added by HostAliases.
192.0.2.1\ta.example\tb.example
fd00::9\tc.example
`);
  });

  test("says localhost of a pod without addresses", () => {
    expect(names({}, []).files.hosts).toBe(`${kubernetes}127.0.0.1\tweb\n`);
  });

  test("is the node's with hostNetwork, and the aliases", () => {
    const hostAliases = [{ ip: "192.0.2.1", hostnames: ["a.example"] }];
    const { hosts } = names({ namespaces: nodeNetwork, hostAliases }).files;
    expect(hosts).toStartWith("# Kubernetes-managed hosts file (host network).\n");
    expect(hosts).toContain(readFileSync("/etc/hosts", "utf8"));
    expect(hosts).toEndWith("\n# Entries added by HostAliases.\n192.0.2.1\ta.example\n");
  });

  test("no value can add a line of its own", () => {
    for (const more of [
      { hostnameOverride: "web\n6.6.6.6 bank.example" },
      { subdomain: "sub\n6.6.6.6 bank.example" },
      { hostAliases: [{ ip: "192.0.2.1", hostnames: ["a\n6.6.6.6 b"] }] },
      { hostAliases: [{ ip: "192.0.2.1\n6.6.6.6 b", hostnames: ["a"] }] },
      { dns: { ...plain("None"), nameservers: ["192.0.2.1\noptions debug"] } },
      { dns: { ...plain("None"), searches: ["a\nnameserver 6.6.6.6"] } },
      { dns: { ...plain("None"), options: [{ name: "a", value: "1\nnameserver 6.6.6.6" }] } },
    ] as Partial<PodSpec>[]) {
      expect(() => names(more)).toThrow("cannot be a word of a generated file");
    }
  });
});

function plain(policy: DnsSpec["policy"]): DnsSpec {
  return { policy, nameservers: [], searches: [], options: [] };
}

describe("name servers", () => {
  const host = {
    nameservers: ["192.0.2.53"],
    searches: ["corp.example", "example"],
    options: ["timeout:2", "edns0"],
  };
  const cluster: ClusterDns = { nameservers: ["10.96.0.10"], domain: "cluster.local" };

  function dns(policy: DnsSpec["policy"], more: Partial<DnsSpec> = {}, at: object = {}) {
    const told: string[] = [];
    const { spec = {}, near = noCluster } = at as { spec?: Partial<PodSpec>; near?: ClusterDns };
    const found = resolveDns({
      spec: specOf({}, { dns: { ...plain(policy), ...more }, ...spec }),
      host: () => host,
      cluster: near,
      warn: (message) => void told.push(message),
    });
    return { ...found, told };
  }
  const own = [
    "default.svc.cluster.local",
    "svc.cluster.local",
    "cluster.local",
    "corp.example",
    "example",
  ];

  test("Default is the node's", () => {
    expect(dns("Default", {}, { near: cluster })).toEqual({ ...host, told: [] });
  });

  test("ClusterFirst is the cluster's, before the node's domains", () => {
    // The host's own stand behind it, for when nobody is there.
    const nameservers = [...cluster.nameservers, ...host.nameservers];
    const inCluster = { nameservers, searches: own, options: ["ndots:5"] };
    expect(dns("ClusterFirst", {}, { near: cluster })).toEqual({ ...inCluster, told: [] });
    const onHost = { spec: { namespaces: nodeNetwork }, near: cluster };
    expect(dns("ClusterFirst", {}, onHost)).toEqual({ ...host, told: [] });
    expect(dns("ClusterFirstWithHostNet", {}, onHost)).toEqual({ ...inCluster, told: [] });
  });

  test("without a cluster ClusterFirst is Default, and says so", () => {
    const told = [
      "no cluster has a name server here: dnsPolicy ClusterFirst is the same as Default",
    ];
    expect(dns("ClusterFirst")).toEqual({ ...host, told });
  });

  test("None is the pod's alone", () => {
    const given = { nameservers: ["192.0.2.1"], searches: ["own.example"] };
    const options = [{ name: "ndots", value: "2" }, { name: "edns0" }];
    expect(dns("None", { ...given, options })).toEqual({
      ...given,
      options: ["ndots:2", "edns0"],
      told: [],
    });
  });

  test("what the pod adds comes after, once, and its options win by their names", () => {
    const more = {
      nameservers: ["192.0.2.53", "192.0.2.1"],
      searches: ["example", "own.example"],
      options: [{ name: "timeout", value: "5" }, { name: "rotate" }],
    };
    expect(dns("Default", more)).toEqual({
      nameservers: ["192.0.2.53", "192.0.2.1"],
      searches: ["corp.example", "example", "own.example"],
      options: ["timeout:5", "edns0", "rotate"],
      told: [],
    });
  });

  test("more than a resolver takes is left out, and told", () => {
    const nameservers = [1, 2, 3, 4].map((number) => `192.0.2.${number}`);
    const many = dns("None", {
      nameservers,
      searches: Array.from({ length: 33 }, (_, index) => `d${index}.example`),
    });
    expect(many.nameservers).toEqual(nameservers.slice(0, 3));
    expect(many.searches).toHaveLength(32);
    expect(many.told).toHaveLength(2);
    const long = dns("None", {
      searches: Array.from({ length: 20 }, (_, n) => `${n}`.padEnd(200, "x")),
    });
    expect(long.searches.join(" ").length).toBeLessThanOrEqual(2048);
    expect(long.searches).toHaveLength(10);
    expect(dns("None", { searches: ["x".repeat(254), "ok"] }).searches).toEqual(["ok"]);
  });
});

test("a node's file is read as the kubelet reads it", () => {
  const file = `# comment
nameserver 192.0.2.1
nameserver  192.0.2.2  trailing
search first.example
 search corp.example. example
options ndots:1 timeout:2
sortlist 1.2.3.4
`;
  expect(readResolvConf(file)).toEqual({
    nameservers: ["192.0.2.1", "192.0.2.2"],
    searches: ["corp.example", "example"],
    options: ["ndots:1", "timeout:2"],
  });
});
