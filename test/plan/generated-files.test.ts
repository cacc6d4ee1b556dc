import { expect, test } from "bun:test";
import {
  printHostname,
  printHosts,
  printNodeHosts,
  printResolvConf,
} from "../../src/resolve/generated-files.ts";

const head = `# Kubernetes-managed hosts file.
127.0.0.1	localhost
::1	localhost ip6-localhost ip6-loopback
fe00::0	ip6-localnet
fe00::0	ip6-mcastprefix
fe00::1	ip6-allnodes
fe00::2	ip6-allrouters
`;

test("the hosts file of a pod with an address is the kubelet's", () => {
  expect(
    printHosts({
      hostname: "web",
      domain: "svc.default.svc.cluster.local",
      podIPs: ["10.88.0.5", "fd00::5"],
      aliases: [
        { ip: "10.1.2.3", hostnames: ["db", "db.internal"] },
        { ip: "10.1.2.4", hostnames: ["cache"] },
      ],
    }),
  ).toBe(`${head}10.88.0.5	web.svc.default.svc.cluster.local	web
fd00::5	web.svc.default.svc.cluster.local	web

# Entries added by HostAliases.
10.1.2.3	db	db.internal
10.1.2.4	cache
`);
});

test("a pod with only loopback still knows itself by its name", () => {
  expect(printHosts({ hostname: "hello", podIPs: [], aliases: [] })).toBe(
    `${head}127.0.0.1	hello\n`,
  );
});

test("with hostNetwork the node's file comes first, with a last newline", () => {
  expect(printNodeHosts("127.0.0.1 localhost", [{ ip: "10.1.2.3", hostnames: ["db"] }])).toBe(
    `# Kubernetes-managed hosts file (host network).
127.0.0.1 localhost

# Entries added by HostAliases.
10.1.2.3	db
`,
  );
  expect(printNodeHosts("", [])).toBe("# Kubernetes-managed hosts file (host network).\n");
});

test("the hostname file is one line", () => {
  expect(printHostname("web-0")).toBe("web-0\n");
});

test("resolv.conf lists searches, servers and options, and leaves out what is empty", () => {
  expect(
    printResolvConf({
      nameservers: ["10.0.0.10", "1.1.1.1"],
      searches: ["default.svc.cluster.local", "."],
      options: ["ndots:5", "edns0"],
    }),
  ).toBe(`search default.svc.cluster.local .
nameserver 10.0.0.10
nameserver 1.1.1.1
options ndots:5 edns0
`);
  expect(printResolvConf({ nameservers: [], searches: [], options: [] })).toBe("");
});

test("a word that would end its line or start another is not printed", () => {
  for (const bad of ["a\nnameserver 6.6.6.6", "a b", "a\tb", "a\0", "a\x7f", "ä", "a#b", ""]) {
    const refusal = `${JSON.stringify(bad)} cannot be a word of a generated file`;
    const alias = { ip: "10.0.0.1", hostnames: [bad] };
    expect(() => printHostname(bad)).toThrow(refusal);
    expect(() => printHosts({ hostname: bad, podIPs: [], aliases: [] })).toThrow(refusal);
    expect(() => printHosts({ hostname: "a", podIPs: [bad], aliases: [] })).toThrow(refusal);
    expect(() => printHosts({ hostname: "a", podIPs: [], aliases: [alias] })).toThrow(refusal);
    expect(() => printNodeHosts("", [alias])).toThrow(refusal);
    for (const field of ["nameservers", "searches", "options"] as const) {
      const input = { nameservers: [], searches: [], options: [], [field]: [bad] };
      expect(() => printResolvConf(input)).toThrow(refusal);
    }
  }
});
