// What rules of nf_tables are made of (include/uapi/linux/netfilter/nf_tables.h). Each function
// gives the expressions of one part of a rule: loading something, and what must be true of it.

import type { NetlinkWriter } from "./netlink.ts";

/** One expression: its name, and what it says. */
export type Expression = readonly [name: string, write: (writer: NetlinkWriter) => unknown];
export type Part = readonly Expression[];

export const family = { v4: 2, v6: 10 } as const;
export type Family = (typeof family)[keyof typeof family];

/** Registers of four bytes side by side; several make the key of a set. The last is for tests. */
const register = (number: number) => 8 + number;
const tested = 15;

/** enum nft_meta_keys. */
const metaKeys = { iif: 4, nfproto: 15, l4proto: 16, iifgroup: 21, oifgroup: 22 } as const;

function meta(name: keyof typeof metaKeys, into: number): Expression {
  const write = (writer: NetlinkWriter) =>
    writer.attributeBig32(1, register(into)).attributeBig32(2, metaKeys[name]);
  return ["meta", write];
}

function compare(operator: "is" | "isNot", value: Uint8Array): Expression {
  const write = (writer: NetlinkWriter) => {
    writer.attributeBig32(1, register(tested)).attributeBig32(2, operator === "is" ? 0 : 1);
    writer.nest(3, () => writer.attribute(1, value));
  };
  return ["cmp", write];
}

/** Numbers of the kernel's own are in the order of this machine. */
function native(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}

export function isFamily(wanted: Family): Part {
  return [meta("nfproto", tested), compare("is", Uint8Array.of(wanted))];
}

/** The interface that a packet came by, or goes by, is a pod's. */
export function byPod(way: "in" | "out", group: number): Part {
  return [meta(way === "in" ? "iifgroup" : "oifgroup", tested), compare("is", native(group))];
}

export function notToPod(group: number): Part {
  return [meta("oifgroup", tested), compare("isNot", native(group))];
}

export function interfaceInto(into: number): Part {
  return [meta("iif", into)];
}

export function protocolInto(into: number): Part {
  return [meta("l4proto", into)];
}

function payload(
  base: "network" | "transport",
  at: number,
  bytes: number,
  into: number,
): Expression {
  const write = (writer: NetlinkWriter) => {
    writer.attributeBig32(1, register(into)).attributeBig32(2, base === "network" ? 1 : 2);
    writer.attributeBig32(3, at).attributeBig32(4, bytes);
  };
  return ["payload", write];
}

/** Where a packet's addresses stand in its header. */
const places = {
  source: { [family.v4]: 12, [family.v6]: 8 },
  destination: { [family.v4]: 16, [family.v6]: 24 },
} as const;

export function addressInto(which: keyof typeof places, of: Family, into: number): Part {
  return [payload("network", places[which][of], of === family.v4 ? 4 : 16, into)];
}

export function portInto(into: number): Part {
  return [payload("transport", 2, 2, into)];
}

/** 127.0.0.0/8, or ::1. */
export function isLoopback(which: keyof typeof places, of: Family): Part {
  const at = places[which][of];
  return of === family.v4
    ? [payload("network", at, 1, tested), compare("is", Uint8Array.of(127))]
    : [payload("network", at, 16, wide), compareWide(loopback6)];
}

const loopback6 = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
/** The first of four registers. */
const wide = 8;

function compareWide(value: Uint8Array): Expression {
  const write = (writer: NetlinkWriter) => {
    writer.attributeBig32(1, register(wide)).attributeBig32(2, 0);
    writer.nest(3, () => writer.attribute(1, value));
  };
  return ["cmp", write];
}

/** The packet is for an address of this host. */
export function isForHost(): Part {
  const [addressType, ofDestination, local] = [3, 2, 2];
  return [route(addressType, ofDestination), compare("is", native(local))];
}

/** There is no route to the packet's sender by the interface that it came by. */
export function isForeign(): Part {
  const [outInterface, ofSource, byInterface, present] = [1, 1, 8, 32];
  return [route(outInterface, ofSource | byInterface | present), compare("is", native(0))];
}

function route(result: number, flags: number): Expression {
  const write = (writer: NetlinkWriter) =>
    writer.attributeBig32(1, register(tested)).attributeBig32(2, result).attributeBig32(3, flags);
  return ["fib", write];
}

/** Of a connection that was allowed before, or an error about one. */
export function isAnswer(): Part {
  const [state, establishedOrRelated] = [0, 6];
  const load = (writer: NetlinkWriter) =>
    writer.attributeBig32(1, register(tested)).attributeBig32(2, state);
  const mask = (writer: NetlinkWriter) => {
    writer.attributeBig32(1, register(tested)).attributeBig32(2, register(tested));
    writer.attributeBig32(3, 4);
    writer.nest(4, () => writer.attribute(1, native(establishedOrRelated)));
    writer.nest(5, () => writer.attribute(1, native(0)));
  };
  return [["ct", load], ["bitwise", mask], compare("isNot", native(0))];
}

/** The registers from 0 on are a key of the set. */
export function isIn(set: string): Part {
  return [lookup(set, (writer) => writer)];
}

function lookup(set: string, more: (writer: NetlinkWriter) => unknown): Expression {
  const write = (writer: NetlinkWriter) => {
    writer.attributeText(1, set).attributeBig32(2, register(0));
    more(writer);
  };
  return ["lookup", write];
}

/** To the address and port that a map has for the key in the registers from 0 on. */
export function sendTo(map: string, of: Family): Part {
  const found = 8;
  const words = of === family.v4 ? 1 : 4;
  const destinationNat = 1;
  const write = (writer: NetlinkWriter) => {
    writer.attributeBig32(1, destinationNat).attributeBig32(2, of);
    writer.attributeBig32(3, register(found)).attributeBig32(4, register(found));
    writer.attributeBig32(5, register(found + words));
    writer.attributeBig32(6, register(found + words));
  };
  return [lookup(map, (writer) => writer.attributeBig32(3, register(found))), ["nat", write]];
}

/** In the name of the address of the interface that a packet leaves by. */
export function masquerade(): Part {
  return [["masq", () => {}]];
}

export function verdict(code: "drop" | "accept" | { readonly jump: string }): Part {
  const number = code === "drop" ? 0 : code === "accept" ? 1 : -3;
  const write = (writer: NetlinkWriter) => {
    writer.attributeBig32(1, 0);
    writer.nest(2, () =>
      writer.nest(2, () => {
        writer.attributeBig32(1, number);
        if (typeof code === "object") writer.attributeText(2, code.jump);
      }),
    );
  };
  return [["immediate", write]];
}

export function isProtocol(number: number): Part {
  return [meta("l4proto", tested), compare("is", Uint8Array.of(number))];
}

/** The port that a packet goes to; both ends belong to the range. */
export function isPortBetween(first: number, last: number): Part {
  const bytes = (port: number) => Uint8Array.of(port >> 8, port & 255);
  return [payload("transport", 2, 2, wide), ...between(bytes(first), bytes(last))];
}

export function isAddressBetween(
  which: keyof typeof places,
  of: Family,
  first: Uint8Array,
  last: Uint8Array,
): Part {
  return [...addressInto(which, of, wide), ...between(first, last)];
}

/** What is in the wide register; the kernel compares as bytes stand. */
function between(first: Uint8Array, last: Uint8Array): Part {
  const [notMore, notLess] = [3, 5];
  const one = (operator: number, value: Uint8Array): Expression => [
    "cmp",
    (writer) => {
      writer.attributeBig32(1, register(wide)).attributeBig32(2, operator);
      writer.nest(3, () => writer.attribute(1, value));
    },
  ];
  return [one(notLess, first), one(notMore, last)];
}

/** To the chain that a map has for the key in the registers from 0 on, if it has one. */
export function goTo(map: string): Part {
  const verdictRegister = 0;
  return [lookup(map, (writer) => writer.attributeBig32(3, verdictRegister))];
}
