// NetworkPolicies: what they say, and what Kubernetes says about mistakes in them.

import { expect, test } from "bun:test";
import { readManifests } from "../../src/read/pod-manifest/read.ts";
import { complaintOf } from "./manifests.ts";

const pod = `
apiVersion: v1
kind: Pod
metadata: {name: web}
spec: {containers: [{name: a, image: host}]}
---
`;
const policy = (spec: string) => `${pod}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: p, namespace: team}
spec: ${spec}
`;
const read = (spec: string) =>
  readManifests([{ text: policy(spec), file: "all.yaml" }]).pods[0]?.policies;

function complaints(spec: string): string[] {
  return complaintOf(() => read(spec))
    .split("\n")
    .filter((line) => line.startsWith("error["))
    .map((line) => line.replace(/^error\[manifest\.invalid\] /, ""));
}

test("a pod gets the policies of its files, with Kubernetes' defaults", () => {
  const everything = { labels: {}, expressions: [] };
  expect(read("{podSelector: {}}")).toEqual([
    { name: "p", namespace: "team", pods: everything, ingress: [] },
  ]);
  expect(read("{egress: [{}]}")).toEqual([
    {
      ...{ name: "p", namespace: "team", pods: everything, ingress: [] },
      egress: [{ peers: [], ports: [] }],
    },
  ]);
  expect(read("{policyTypes: [Egress], ingress: [{}]}")).toEqual([
    { name: "p", namespace: "team", pods: everything, egress: [] },
  ]);
});

test("peers and ports are read in full", () => {
  const spec = `
  podSelector: {matchLabels: {app: db}}
  ingress:
  - from:
    - podSelector: {matchExpressions: [{key: tier, operator: In, values: [a, b]}]}
      namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: other}}
    - ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}
    ports: [{port: http}, {port: 8000, endPort: 8010, protocol: UDP}, {protocol: SCTP}]`;
  expect(read(spec)?.[0]?.ingress).toEqual([
    {
      peers: [
        {
          kind: "pods",
          namespaces: { labels: { "kubernetes.io/metadata.name": "other" }, expressions: [] },
          pods: {
            labels: {},
            expressions: [{ key: "tier", operator: "In", values: ["a", "b"] }],
          },
        },
        { kind: "block", cidr: "10.0.0.0/8", except: ["10.1.0.0/16"] },
      ],
      ports: [
        { protocol: "TCP", port: "http" },
        { protocol: "UDP", port: { first: 8000, last: 8010 } },
        { protocol: "SCTP" },
      ],
    },
  ]);
});

test("ports have numbers or names, and ranges that go up", () => {
  const ports = (list: string) => complaints(`{ingress: [{ports: [${list}]}]}`);
  const first = "spec.ingress[0].ports[0]";
  expect(ports("{port: 0}")).toEqual([
    `${first}.port: invalid value 0: must be between 1 and 65535, inclusive`,
  ]);
  expect(ports("{port: 9, endPort: 8}")).toEqual([
    `${first}.endPort: invalid value 8: must be greater than or equal to \`port\``,
  ]);
  expect(ports("{port: http, endPort: 8}")).toEqual([
    `${first}.endPort: invalid value 8: may not be specified when \`port\` is non-numeric`,
  ]);
  expect(ports("{endPort: 8}")).toEqual([
    `${first}.endPort: invalid value 8: may not be specified when \`port\` is not specified`,
  ]);
  expect(ports("{port: http_}")).toEqual([
    `${first}.port: invalid value "http_": must contain only alpha-numeric characters (a-z, 0-9), ` +
      "and hyphens (-)",
  ]);
  expect(ports("{protocol: ICMP}")).toEqual([
    `${first}.protocol: unsupported value "ICMP": supported values: "SCTP", "TCP", "UDP"`,
  ]);
});

test("a peer is one thing, and its blocks are blocks", () => {
  const peers = (list: string) => complaints(`{egress: [{to: [${list}]}]}`);
  const first = "spec.egress[0].to[0]";
  expect(peers("{}")).toEqual([`${first}: required value: must specify a peer`]);
  expect(peers("{podSelector: {}, ipBlock: {cidr: 10.0.0.0/8}}")).toEqual([
    `${first}: forbidden: may not specify both ipBlock and another peer`,
  ]);
  const wrong = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
  expect(peers("{ipBlock: {cidr: 10.0.0.0}}")).toEqual([
    `${first}.ipBlock.cidr: invalid value "10.0.0.0": ${wrong}`,
  ]);
  expect(peers('{ipBlock: {cidr: "fd00::/129"}}')).toEqual([
    `${first}.ipBlock.cidr: invalid value "fd00::/129": ${wrong}`,
  ]);
  const subset = "must be a strict subset of `cidr`";
  const excepts = "10.0.0.0/8, 11.0.0.0/16, 10.2.0.0/16, 'fd00::/16', x";
  expect(peers(`{ipBlock: {cidr: 10.0.0.0/8, except: [${excepts}]}}`)).toEqual([
    `${first}.ipBlock.except[0]: invalid value "10.0.0.0/8": ${subset}`,
    `${first}.ipBlock.except[1]: invalid value "11.0.0.0/16": ${subset}`,
    `${first}.ipBlock.except[3]: invalid value "fd00::/16": ${subset}`,
    `${first}.ipBlock.except[4]: invalid value "x": ${wrong}`,
  ]);
});

test("types, labels and fields are checked as everywhere", () => {
  expect(complaints("{policyTypes: [Both]}")).toEqual([
    'spec.policyTypes[0]: unsupported value "Both": supported values: "Egress", "Ingress"',
  ]);
  expect(complaints("{policyTypes: [Egress, Ingress, Egress]}")).toEqual([
    "spec.policyTypes: may not specify more than two policyTypes",
  ]);
  expect(complaints("{podSelector: {matchExpressions: [{key: a, operator: In}]}}")).toEqual([
    "spec.podSelector.matchExpressions[0].values: required value: must be specified when " +
      "`operator` is 'In' or 'NotIn'",
  ]);
  expect(
    complaints("{ingress: [{from: [{namespaceSelector: {matchLabels: {team: a}}}]}]}"),
  ).toEqual([
    "error[manifest.unsupported-field] spec.ingress[0].from[0].namespaceSelector.matchLabels: " +
      'namespaces have no label "team" here, only kubernetes.io/metadata.name',
  ]);
  expect(complaints("{ingres: []}")).toEqual([
    "error[manifest.unknown-field] spec.ingres: unknown field",
  ]);
});
