// Policies and pods → chains, sets and maps of packet rules. Pure: the same pods and policies give
// the same rules. A chain for each way in which pods are selected, so that a thousand pods of one
// workload share one, and an element for each pod in a map.

import type {
  NetworkPolicySpec,
  PolicyPeer,
  PolicyPort,
  PolicyRule,
} from "../../spec/network-policy.ts";
import { parseAddress } from "../address.ts";
import type { Family, Part } from "../expressions.ts";
import * as rule from "../expressions.ts";
import { sets } from "../table.ts";
import { stretchesOf } from "./blocks.ts";
import type { Member } from "./member.ts";
import { isAbout, isPeer } from "./member.ts";

export interface PolicyRules {
  /** In the order in which they can be made: those that others jump to are last. */
  readonly chains: readonly PolicyChain[];
  readonly sets: readonly PolicySet[];
}

export interface PolicyChain {
  readonly name: string;
  /** Of a chain that the kernel enters for what is forwarded. */
  readonly priority?: number;
  readonly rules: readonly (readonly Part[])[];
}

/** Of addresses, or with ports; a map leads to chains. */
export interface PolicySet {
  readonly name: string;
  readonly family: Family;
  readonly withPorts: boolean;
  readonly elements: readonly { readonly key: Uint8Array; readonly chain?: string }[];
  readonly isMap: boolean;
}

/** All names of chains and sets here begin so. */
export const prefix = "policy-";

type Direction = "ingress" | "egress";
const { v4, v6 } = rule.family;
const families = [v4, v6] as const;
const protocols = { TCP: 6, UDP: 17, SCTP: 132 } as const;

export function compilePolicies(
  members: readonly Member[],
  policies: readonly NetworkPolicySpec[],
): PolicyRules {
  if (policies.length === 0) return { chains: [], sets: [] };
  const compiling: Compiling = { members, sets: new Map(), chains: [] };
  const bases = (["egress", "ingress"] as const).map((direction) => {
    compileDirection(compiling, direction, policies);
    return baseChain(direction);
  });
  return { chains: [...bases, ...compiling.chains], sets: [...compiling.sets.values()] };
}

interface Compiling {
  readonly members: readonly Member[];
  /** By what they hold. */
  readonly sets: Map<string, PolicySet>;
  readonly chains: PolicyChain[];
}

/** After the rules for all pods; one direction's consent leaves the other to be asked. */
function baseChain(direction: Direction): PolicyChain {
  const which = direction === "ingress" ? "destination" : "source";
  const toItself = (of: Family) =>
    [rule.isFamily(of), rule.interfaceInto(0), rule.addressInto("destination", of, 1)] as const;
  return {
    name: `${prefix}${direction}`,
    priority: direction === "egress" ? 10 : 11,
    rules: [
      [rule.isAnswer(), rule.verdict("accept")],
      // Nobody is kept from itself, by its own published port.
      [...toItself(v4), rule.isIn(sets.hairpin4), rule.verdict("accept")],
      [...toItself(v6), rule.isIn(sets.hairpin6), rule.verdict("accept")],
      ...families.map((of) => [
        rule.isFamily(of),
        rule.addressInto(which, of, 0),
        rule.goTo(mapName(direction, of)),
      ]),
    ],
  };
}

function mapName(direction: Direction, of: Family): string {
  return `${prefix}${direction}${of === v4 ? 4 : 6}`;
}

function compileDirection(
  compiling: Compiling,
  direction: Direction,
  policies: readonly NetworkPolicySpec[],
): void {
  const groups = new Map<string, string>();
  const elements = { [v4]: [] as Element[], [v6]: [] as Element[] };
  for (const member of compiling.members) {
    const own = policies.filter((policy) => policy[direction] && isAbout(policy, member));
    if (own.length === 0) continue;
    const key = JSON.stringify([
      own.map(({ namespace, name }) => `${namespace}/${name}`),
      direction === "ingress" ? namedPorts(own, member) : [],
    ]);
    let chain = groups.get(key);
    if (chain === undefined) {
      chain = `${prefix}${direction}-${groups.size + 1}`;
      groups.set(key, chain);
      compiling.chains.push({ name: chain, rules: groupRules(compiling, direction, own, member) });
    }
    for (const [of, address] of addressesOf(member)) elements[of].push({ key: address, chain });
  }
  for (const of of families) {
    const name = mapName(direction, of);
    const more = { withPorts: false, isMap: true, elements: elements[of] };
    compiling.sets.set(name, { name, family: of, ...more });
  }
}

type Element = PolicySet["elements"][number];

type Addresses = readonly (readonly [Family, Uint8Array])[];

/** A pod has them for good, and is asked for them by every rule of every change. */
const parsed = new WeakMap<Member, Addresses>();

function addressesOf(member: Member): Addresses {
  const known = parsed.get(member);
  if (known) return known;
  const [address4, address6] = [parseAddress(member.v4), parseAddress(member.v6)];
  const found = [
    ...(address4 ? [[v4, address4] as const] : []),
    ...(address6 ? [[v6, address6] as const] : []),
  ];
  parsed.set(member, found);
  return found;
}

/** What names in the rules mean for this pod: another pod may have others. */
function namedPorts(policies: readonly NetworkPolicySpec[], member: Member): string[] {
  const rules = policies.flatMap(({ ingress = [] }) => ingress);
  const names = rules.flatMap(({ ports }) => ports.flatMap(({ port }) => port ?? []));
  return member.ports
    .filter(({ name }) => names.includes(name))
    .map(({ name, protocol, port }) => `${name} ${protocol} ${port}`);
}

function groupRules(
  compiling: Compiling,
  direction: Direction,
  policies: readonly NetworkPolicySpec[],
  member: Member,
): PolicyChain["rules"] {
  const allowed = policies.flatMap((policy) =>
    (policy[direction] ?? []).flatMap((one) =>
      direction === "ingress"
        ? ingressRules(compiling, policy.namespace, one, member)
        : egressRules(compiling, policy.namespace, one),
    ),
  );
  return [...allowed.map((parts) => [...parts, rule.verdict("accept")]), [rule.verdict("drop")]];
}

type Parts = readonly Part[];

function ingressRules(
  compiling: Compiling,
  namespace: string,
  { peers, ports }: PolicyRule,
  member: Member,
): Parts[] {
  const numbers = ports.flatMap((port) => (isNamed(port) ? resolve(port, member) : [port]));
  // Names that this pod does not have allow nothing.
  if (ports.length > 0 && numbers.length === 0) return [];
  return cross(peerParts(compiling, namespace, "source", peers), numbers.map(portParts));
}

function egressRules(
  compiling: Compiling,
  namespace: string,
  { peers, ports }: PolicyRule,
): Parts[] {
  const named = ports.filter(isNamed);
  const numbers = ports.filter((port) => !isNamed(port));
  const byName = named.flatMap((port) => namedParts(compiling, namespace, peers, port));
  if (ports.length > 0 && numbers.length === 0) return byName;
  const parts = peerParts(compiling, namespace, "destination", peers);
  return [...cross(parts, numbers.map(portParts)), ...byName];
}

/** Every peer with every port; an empty list of either asks nothing. */
function cross(peers: readonly Parts[] | undefined, ports: readonly Parts[]): Parts[] {
  const either = ports.length > 0 ? ports : [[]];
  return (peers ?? [[]]).flatMap((peer) => either.map((port) => [...peer, ...port]));
}

type NamedPolicyPort = PolicyPort & { readonly port: string };

function isNamed(port: PolicyPort): port is NamedPolicyPort {
  return typeof port.port === "string";
}

function resolve({ protocol, port }: NamedPolicyPort, member: Member): PolicyPort[] {
  return member.ports
    .filter((one) => one.name === port && one.protocol === protocol)
    .map((one) => ({ protocol, port: { first: one.port, last: one.port } }));
}

function portParts({ protocol, port }: PolicyPort): Parts {
  const isProtocol = rule.isProtocol(protocols[protocol]);
  if (typeof port !== "object") return [isProtocol];
  return [isProtocol, rule.isPortBetween(port.first, port.last)];
}

/** Undefined for everybody. */
function peerParts(
  compiling: Compiling,
  namespace: string,
  which: "source" | "destination",
  peers: readonly PolicyPeer[],
): Parts[] | undefined {
  if (peers.length === 0) return undefined;
  return peers.flatMap((peer) => {
    if (peer.kind === "block") {
      return stretchesOf(peer.cidr, peer.except).map(({ first, last }) => {
        const of = first.length === 4 ? v4 : v6;
        return [rule.isFamily(of), rule.isAddressBetween(which, of, first, last)];
      });
    }
    const among = compiling.members.filter((member) => isPeer(peer, namespace, member));
    const name = JSON.stringify([peer.namespaces ?? namespace, peer.pods]);
    return families.flatMap((of) => {
      const set = peerSet(compiling, of, `${name}`, among);
      return set ? [[rule.isFamily(of), rule.addressInto(which, of, 0), rule.isIn(set)]] : [];
    });
  });
}

/** Undefined where nobody is in it. */
function peerSet(
  { sets: known }: Compiling,
  of: Family,
  key: string,
  members: readonly Member[],
): string | undefined {
  const elements = members.flatMap(addressesOf).filter(([family]) => family === of);
  if (elements.length === 0) return undefined;
  const whole = `${of} ${key}`;
  const name = known.get(whole)?.name ?? `${prefix}peers${known.size}`;
  const keys = elements.map(([, address]) => ({ key: address }));
  known.set(whole, { name, family: of, withPorts: false, isMap: false, elements: keys });
  return name;
}

/** By name, a port is another number at each peer. */
function namedParts(
  { members, sets: known }: Compiling,
  namespace: string,
  peers: readonly PolicyPeer[],
  port: NamedPolicyPort,
): Parts[] {
  const among = members.filter(
    (member) =>
      peers.length === 0 ||
      peers.some((peer) => peer.kind === "pods" && isPeer(peer, namespace, member)),
  );
  return families.flatMap((of) => {
    const keys = among.flatMap((member) => {
      const found = resolve(port, member);
      const addresses = addressesOf(member).filter(([family]) => family === of);
      return addresses.flatMap(([, address]) =>
        found.map((one) => ({ key: keyWithPort(address, one) })),
      );
    });
    if (keys.length === 0) return [];
    const whole = `${of} ${JSON.stringify([namespace, peers, port])}`;
    const name = known.get(whole)?.name ?? `${prefix}peers${known.size}`;
    known.set(whole, { name, family: of, withPorts: true, isMap: false, elements: keys });
    const words = of === v4 ? 1 : 4;
    return [
      [
        rule.isFamily(of),
        rule.addressInto("destination", of, 0),
        rule.protocolInto(words),
        rule.portInto(words + 1),
        rule.isIn(name),
      ],
    ];
  });
}

/** Each part fills whole registers of four bytes. */
function keyWithPort(address: Uint8Array, { protocol, port }: PolicyPort): Uint8Array {
  const number = typeof port === "object" ? port.first : 0;
  return Uint8Array.of(
    ...address,
    ...[protocols[protocol], 0, 0, 0],
    ...[number >> 8, number & 255, 0, 0],
  );
}
