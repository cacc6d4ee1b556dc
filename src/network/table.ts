// The one nf_tables table of a state directory: its sets, and rules that never change, since what
// differs between pods are elements of the sets. Loaded when the table is made.

import type { NetlinkBatch } from "../spec/network.ts";
import type { SetElement } from "./rules-batch.ts";
import type { NetlinkWriter } from "./netlink.ts";
import { flag } from "./netlink.ts";
import type { Expression, Part } from "./expressions.ts";
import * as rule from "./expressions.ts";
import { request, RulesBatch } from "./rules-batch.ts";

export interface TableWish {
  readonly name: string;
  /** Of the pods' interfaces on the host. */
  readonly group: number;
  readonly elements: readonly SetElement[];
}

export const sets = {
  /** (interface, address) of the pods with published ports. */
  hairpin4: "hairpin4",
  hairpin6: "hairpin6",
  /** (protocol, port) of all addresses of the host → (address, port) of a pod. */
  ports4: "ports4",
  ports6: "ports6",
  /** (protocol, address, port) of the host → (address, port) of a pod. */
  addressPorts4: "address-ports4",
  addressPorts6: "address-ports6",
  /** Interfaces that packets are forwarded from only since there are pods. */
  opened4: "opened4",
  opened6: "opened6",
} as const;

/** Types as the `nft` program numbers them, so that it can print the table. */
const kind = { address4: 7, address6: 8, protocol: 12, port: 13, interface: 14 } as const;
type Kind = keyof typeof kind;
const bytesOf: Readonly<Record<Kind, number>> = {
  ...{ address4: 4, address6: 16, protocol: 4, port: 4, interface: 4 },
};

const layouts: Readonly<Record<string, { readonly key: Kind[]; readonly data?: Kind[] }>> = {
  [sets.hairpin4]: { key: ["interface", "address4"] },
  [sets.hairpin6]: { key: ["interface", "address6"] },
  [sets.ports4]: { key: ["protocol", "port"], data: ["address4", "port"] },
  [sets.ports6]: { key: ["protocol", "port"], data: ["address6", "port"] },
  [sets.addressPorts4]: { key: ["protocol", "address4", "port"], data: ["address4", "port"] },
  [sets.addressPorts6]: { key: ["protocol", "address6", "port"], data: ["address6", "port"] },
  [sets.opened4]: { key: ["interface"] },
  [sets.opened6]: { key: ["interface"] },
};

/** Fails with EEXIST where the table is there already. */
export function composeTable({ name, group, elements }: TableWish): NetlinkBatch {
  const batch = new RulesBatch(name);
  batch.begin(`table ${name}`, request.newTable, flag.create | flag.exclusive);
  Object.keys(layouts).forEach((set, index) => composeSet(batch, set, index + 1));
  for (const chain of Object.keys(chains)) composeChain(batch, chain);
  for (const [chain, { rules }] of Object.entries(chains)) {
    for (const parts of rules(group)) composeRule(batch, chain, parts.flat());
  }
  for (const element of elements) batch.element("add", element);
  return batch.finish();
}

function composeSet(batch: RulesBatch, set: string, id: number): void {
  const { key = [], data } = layouts[set] ?? {};
  const isMap = 8;
  const writer = batch.begin(`set ${set}`, request.newSet, flag.create | flag.exclusive);
  writer.attributeText(2, set).attributeBig32(3, data ? isMap : 0);
  writer.attributeBig32(4, typeOf(key)).attributeBig32(5, sizeOf(key));
  if (data) writer.attributeBig32(6, typeOf(data)).attributeBig32(7, sizeOf(data));
  writer.attributeBig32(10, id);
}

/** A concatenation packs the types of its parts into six bits each. */
export function typeOf(kinds: readonly Kind[]): number {
  return kinds.reduce((packed, name) => (packed << 6) | kind[name], 0);
}

export function sizeOf(kinds: readonly Kind[]): number {
  return kinds.reduce((bytes, name) => bytes + bytesOf[name], 0);
}

interface Chain {
  /** Where the kernel enters it; undefined for one that others jump to. */
  readonly base?: {
    readonly type: "filter" | "nat";
    readonly hook: number;
    readonly priority: number;
  };
  readonly rules: (group: number) => readonly (readonly Part[])[];
}

/** enum nf_inet_hooks. */
export const hook = { prerouting: 0, forward: 2, output: 3, postrouting: 4 } as const;
const { v4, v6 } = rule.family;

const chains: Readonly<Record<string, Chain>> = {
  published: {
    rules: () => [
      [...publishedOn(v4), rule.sendTo(sets.addressPorts4, v4)],
      [...publishedOn(v6), rule.sendTo(sets.addressPorts6, v6)],
      [...publishedOnAll(v4), rule.sendTo(sets.ports4, v4)],
      [...publishedOnAll(v6), rule.sendTo(sets.ports6, v6)],
    ],
  },
  // Before connections are looked up: an answer to a loopback address of the host is still on its
  // way to the gateway here, so that whatever names one was made up.
  arriving: {
    base: { type: "filter", hook: hook.prerouting, priority: -300 },
    rules: (group) => [
      [fromPod(group), rule.isFamily(v4), rule.isLoopback("destination", v4), rule.verdict("drop")],
      // The host's route to a sender leads back to where it came from, or somebody else was meant.
      [fromPod(group), rule.isForeign(), rule.verdict("drop")],
    ],
  },
  prerouting: {
    base: { type: "nat", hook: hook.prerouting, priority: -100 },
    rules: () => [[rule.verdict({ jump: "published" })]],
  },
  output: {
    base: { type: "nat", hook: hook.output, priority: -100 },
    rules: () => [[rule.verdict({ jump: "published" })]],
  },
  // What the host did not forward before there were pods it forwards to and from pods only.
  forward: {
    base: { type: "filter", hook: hook.forward, priority: 0 },
    rules: (group) => [
      [rule.byPod("out", group), rule.verdict("accept")],
      [rule.isAnswer(), rule.verdict("accept")],
      [rule.isFamily(v4), rule.interfaceInto(0), rule.isIn(sets.opened4), rule.verdict("drop")],
      [rule.isFamily(v6), rule.interfaceInto(0), rule.isIn(sets.opened6), rule.verdict("drop")],
    ],
  },
  postrouting: {
    base: { type: "nat", hook: hook.postrouting, priority: 100 },
    rules: (group) => [
      // To the outside in the host's name.
      [fromPod(group), rule.notToPod(group), rule.masquerade()],
      // From a loopback address of the host: the pod could not answer there.
      [toPod(group), rule.isFamily(v4), rule.isLoopback("source", v4), rule.masquerade()],
      [toPod(group), rule.isFamily(v6), rule.isLoopback("source", v6), rule.masquerade()],
      // Back to the same pod, by its own published port: it would take its own address for forged.
      [fromPod(group), ...toItself(v4), rule.isIn(sets.hairpin4), rule.masquerade()],
      [fromPod(group), ...toItself(v6), rule.isIn(sets.hairpin6), rule.masquerade()],
    ],
  },
};

const fromPod = (group: number) => rule.byPod("in", group);
const toPod = (group: number) => rule.byPod("out", group);

/** The interface that a packet came by, and the address that it goes to. */
function toItself(of: rule.Family): Part[] {
  return [rule.isFamily(of), rule.interfaceInto(0), rule.addressInto("destination", of, 1)];
}

function publishedOn(of: rule.Family): Part[] {
  const address = rule.addressInto("destination", of, 1);
  return [rule.isFamily(of), rule.protocolInto(0), address, rule.portInto(of === v4 ? 2 : 5)];
}

function publishedOnAll(of: rule.Family): Part[] {
  return [rule.isFamily(of), rule.isForHost(), rule.protocolInto(0), rule.portInto(1)];
}

function composeChain(batch: RulesBatch, chain: string): void {
  const writer = batch.begin(`chain ${chain}`, request.newChain, flag.create | flag.exclusive);
  writer.attributeText(3, chain);
  const base = chains[chain]?.base;
  if (base) composeBase(writer, base);
}

export function composeBase(writer: NetlinkWriter, base: NonNullable<Chain["base"]>): void {
  const acceptByDefault = 1;
  writer.nest(4, () => writer.attributeBig32(1, base.hook).attributeBig32(2, base.priority));
  writer.attributeBig32(5, acceptByDefault).attributeText(7, base.type);
}

export function composeRule(
  batch: RulesBatch,
  chain: string,
  expressions: readonly Expression[],
): void {
  const atEnd = 0x800;
  const writer = batch.begin(`rule of ${chain}`, request.newRule, flag.create | atEnd);
  writer.attributeText(2, chain).nest(4, () => {
    for (const [name, write] of expressions) {
      writer.nest(1, () => writer.attributeText(1, name).nest(2, () => write(writer)));
    }
  });
}
