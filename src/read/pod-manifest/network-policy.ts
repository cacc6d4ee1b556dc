// A NetworkPolicy: Kubernetes' rules about it, and what it says. Works for the rules on the tree as
// it was written, so that one mistake does not hide another.

import type { LabelSelector, NetworkPolicySpec, PolicyRule } from "../../spec/network-policy.ts";
import type { PolicyPeer, PolicyPort } from "../../spec/network-policy.ts";
import { contains, parseCidr } from "./cidr.ts";
import { invalid } from "./flaw.ts";
import type { Flaw } from "./flaw.ts";
import { checkLabels, checkMetadata } from "./rules.ts";
import { checkSelector } from "./rules-scheduling.ts";
import { each, get, itemAt, present } from "./rules-tree.ts";
import type { Item } from "./rules-tree.ts";
import type { CheckedNetworkPolicy } from "./schema-network-policy.ts";
import { NetworkPolicy } from "./schema-network-policy.ts";
import type { FateRow, SiftOptions } from "./sift.ts";
import { siftObject } from "./sift.ts";
import { checkPortName } from "./text.ts";
import { isMap, show } from "./tree.ts";
import type { Tree } from "./tree.ts";

/** The one label that a namespace has here: there are no objects that could have others. */
const namespaceLabel = "kubernetes.io/metadata.name";

interface ReadPolicy {
  /** Undefined when there are flaws. */
  readonly policy: NetworkPolicySpec | undefined;
  readonly flaws: readonly Flaw[];
  readonly fates: readonly FateRow[];
}

export function readNetworkPolicy(tree: Tree, options: SiftOptions): ReadPolicy {
  const { checked, flaws: sifted, fates } = siftObject(NetworkPolicy(), tree, options);
  const metadata = { tree: get(tree, "metadata") ?? {}, field: "metadata" };
  const flaws = [...sifted, ...checkMetadata(metadata), ...checkNetworkPolicy(tree)];
  const isRight = checked && flaws.length === 0;
  return { policy: isRight ? buildNetworkPolicy(checked) : undefined, flaws, fates };
}

function checkNetworkPolicy(tree: Tree): Flaw[] {
  const spec: Item = { tree: get(tree, "spec") ?? {}, field: "spec" };
  const rules = (list: "ingress" | "egress", peers: "from" | "to") =>
    each(spec, list).flatMap((rule) => [
      ...each(rule, "ports").flatMap(checkPort),
      ...each(rule, peers).flatMap(checkPeer),
    ]);
  return [
    ...checkLabelSelector(itemAt(spec, "podSelector")),
    ...rules("ingress", "from"),
    ...rules("egress", "to"),
    ...checkTypes(spec),
  ];
}

function checkTypes(spec: Item): Flaw[] {
  const types = each(spec, "policyTypes");
  if (types.length > 2) {
    return [invalid(`${spec.field}.policyTypes`, "may not specify more than two policyTypes")];
  }
  return types
    .filter(({ tree }) => tree !== "Ingress" && tree !== "Egress")
    .map(({ tree, field }) => {
      const allowed = 'supported values: "Egress", "Ingress"';
      return invalid(field, `unsupported value ${show(tree)}: ${allowed}`);
    });
}

function checkPort({ tree, field }: Item): Flaw[] {
  const port = get(tree, "port");
  const last = get(tree, "endPort");
  const wrongEnd = (message: string) =>
    last === undefined
      ? []
      : [invalid(`${field}.endPort`, `invalid value ${show(last)}: ${message}`)];
  if (port === undefined) return wrongEnd("may not be specified when `port` is not specified");
  if (typeof port === "string") {
    const problem = checkPortName(port);
    return [
      ...wrongEnd("may not be specified when `port` is non-numeric"),
      ...(problem === undefined
        ? []
        : [invalid(`${field}.port`, `invalid value ${show(port)}: ${problem}`)]),
    ];
  }
  if (typeof port !== "number") return [];
  const range = "must be between 1 and 65535, inclusive";
  const isPort = (value: number) => value >= 1 && value <= 65_535;
  return [
    ...(isPort(port) ? [] : [invalid(`${field}.port`, `invalid value ${port}: ${range}`)]),
    ...(typeof last === "number" && last < port
      ? wrongEnd("must be greater than or equal to `port`")
      : []),
    ...(typeof last === "number" && !isPort(last) ? wrongEnd(range) : []),
  ];
}

function checkPeer(peer: Item): Flaw[] {
  const { tree, field } = peer;
  const kinds = present(tree, ["podSelector", "namespaceSelector", "ipBlock"]);
  const block = itemAt(peer, "ipBlock");
  const namespaces = itemAt(peer, "namespaceSelector");
  return [
    ...checkLabelSelector(itemAt(peer, "podSelector")),
    ...checkLabelSelector(namespaces),
    ...(namespaces ? checkNamespaces(namespaces) : []),
    ...(block ? checkBlock(block) : []),
    ...(kinds.length === 0 ? [invalid(field, "required value: must specify a peer")] : []),
    ...(block && kinds.length > 1
      ? [invalid(field, "forbidden: may not specify both ipBlock and another peer")]
      : []),
  ];
}

function checkLabelSelector(selector: Item | undefined): Flaw[] {
  if (!selector) return [];
  const labels = checkLabels(get(selector.tree, "matchLabels"), `${selector.field}.matchLabels`);
  return [...labels, ...checkSelector(selector)];
}

/** What selects no namespace would be the same as nothing written, or as everything. */
function checkNamespaces(selector: Item): Flaw[] {
  const labels = get(selector.tree, "matchLabels");
  const named = Object.keys(isMap(labels) ? labels : {}).map((key) => ({
    key,
    field: `${selector.field}.matchLabels`,
  }));
  const expressions = each(selector, "matchExpressions").map(({ tree, field }) => ({
    key: get(tree, "key"),
    field: `${field}.key`,
  }));
  return [...named, ...expressions]
    .filter(({ key }) => typeof key === "string" && key !== namespaceLabel)
    .map(({ key, field }) => ({
      code: "manifest.unsupported-field",
      field,
      message: `namespaces have no label ${show(key)} here, only ${namespaceLabel}`,
    }));
}

function checkBlock(block: Item): Flaw[] {
  const text = get(block.tree, "cidr");
  if (text === undefined || text === "") return [invalid(`${block.field}.cidr`, "required value")];
  const whole = parseCidr(text);
  const wrong = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
  if (!whole) return [invalid(`${block.field}.cidr`, `invalid value ${show(text)}: ${wrong}`)];
  return each(block, "except").flatMap(({ tree, field }) => {
    const part = parseCidr(tree);
    if (!part) return [invalid(field, `invalid value ${show(tree)}: ${wrong}`)];
    if (contains(whole, part)) return [];
    return [invalid(field, `invalid value ${show(tree)}: must be a strict subset of \`cidr\``)];
  });
}

/** Of one that was found to be right. */
function buildNetworkPolicy({ metadata, spec }: CheckedNetworkPolicy): NetworkPolicySpec {
  const { policyTypes = [], ingress, egress } = spec;
  const isAbout = (type: string) =>
    policyTypes.length > 0 ? policyTypes.includes(type) : type === "Ingress" || egress?.length;
  return {
    name: metadata.name,
    namespace: metadata.namespace ?? "default",
    pods: buildSelector(spec.podSelector),
    ...(isAbout("Ingress") && {
      ingress: (ingress ?? []).map(({ from, ports }) => buildRule(from, ports)),
    }),
    ...(isAbout("Egress") && {
      egress: (egress ?? []).map(({ to, ports }) => buildRule(to, ports)),
    }),
  };
}

type CheckedRule = NonNullable<CheckedNetworkPolicy["spec"]["ingress"]>[number];

function buildRule(peers: CheckedRule["from"], ports: CheckedRule["ports"]): PolicyRule {
  return { peers: (peers ?? []).map(buildPeer), ports: (ports ?? []).map(buildPort) };
}

function buildPeer(peer: NonNullable<CheckedRule["from"]>[number]): PolicyPeer {
  const { ipBlock, namespaceSelector, podSelector } = peer;
  if (ipBlock) return { kind: "block", cidr: ipBlock.cidr, except: ipBlock.except ?? [] };
  return {
    kind: "pods",
    ...(namespaceSelector && { namespaces: buildSelector(namespaceSelector) }),
    pods: buildSelector(podSelector),
  };
}

function buildPort(checked: NonNullable<CheckedRule["ports"]>[number]): PolicyPort {
  const { protocol = "TCP", port, endPort } = checked;
  if (port === undefined) return { protocol };
  if (typeof port === "string") return { protocol, port };
  return { protocol, port: { first: port, last: endPort ?? port } };
}

type CheckedSelector = CheckedNetworkPolicy["spec"]["podSelector"];

function buildSelector(selector: CheckedSelector): LabelSelector {
  const { matchLabels = {}, matchExpressions = [] } = selector ?? {};
  return {
    labels: matchLabels,
    expressions: matchExpressions.map(({ key, operator, values = [] }) => ({
      ...{ key, operator, values },
    })),
  };
}
