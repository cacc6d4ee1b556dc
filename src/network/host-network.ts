// The network of one state directory: its ranges of addresses, the name of its packet rules. Chosen
// when the first pod wants an address, and kept in the state directory for all who come after.

import { readFileSync } from "node:fs";
import type { HostPath } from "../spec/paths.ts";
import type { Range } from "./address.ts";
import { parseRange } from "./address.ts";
import { RulesSocket } from "./rules-socket.ts";

export interface NetworkWish {
  /** Two ranges at the most, one a family, with a comma between; undefined for any that is free. */
  readonly range: string | undefined;
}

/** `network.json`. */
export interface NetworkRecord {
  readonly version: 1;
  /** What was asked for when it was written; empty for nothing. */
  readonly wished: string;
  readonly range4: string;
  /** Empty on a host without IPv6. */
  readonly range6: string;
  readonly mtu: number;
  /** What this host cannot do, in words. */
  readonly lacks: readonly string[];
  /** Whether pods can have an interface at all, and packet rules. */
  readonly hasLinks: boolean;
  readonly hasRules: boolean;
  /** Switches that were turned on for the pods, each with what it was before. */
  readonly switched: readonly (readonly [path: string, before: string])[];
}

export interface HostNetwork {
  readonly state: HostPath;
  readonly record: NetworkRecord;
  /** Names and marks by which two state directories never meet. */
  readonly table: string;
  readonly group: number;
  readonly range4: Range;
  readonly range6: Range | undefined;
  /** Whoever opened the network disposes it. */
  readonly rules: RulesSocket;
}

export async function openHostNetwork(state: HostPath, wish: NetworkWish): Promise<HostNetwork> {
  const known = readRecord(state);
  if (known && (wish.range === undefined || known.wished === wish.range)) {
    return networkOf(state, known);
  }
  const { setUpNetwork } = await import("./setup.ts");
  return networkOf(state, setUpNetwork(state, wish));
}

/** Of a state directory where pods have had addresses; undefined where none ever had. */
export function findHostNetwork(state: HostPath): HostNetwork | undefined {
  const record = readRecord(state);
  return record && networkOf(state, record);
}

function networkOf(state: HostPath, record: NetworkRecord): HostNetwork {
  const range4 = parseRange(record.range4);
  if (!range4) throw new Error(`${recordPath(state)} has no range of addresses`);
  const mark = markOf(state);
  return {
    state,
    record,
    table: `peapod-${mark.toString(16).padStart(8, "0")}`,
    group: mark,
    range4,
    range6: parseRange(record.range6),
    rules: new RulesSocket(),
  };
}

export function recordPath(state: HostPath): string {
  return `${state}/network.json`;
}

export function readRecord(state: HostPath): NetworkRecord | undefined {
  try {
    // Written by setup.ts alone, whole or not at all.
    const record = JSON.parse(readFileSync(recordPath(state), "utf8")) as NetworkRecord;
    return record.version === 1 ? record : undefined;
  } catch {
    return undefined;
  }
}

/**
 * FNV-1a of the state directory and of the layout of the rules, never 0: interfaces of other
 * programs are in group 0.
 */
function markOf(state: string): number {
  const rulesLayout = 1;
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(`${rulesLayout} ${state}`)) {
    hash = Math.imul(hash ^ byte, 0x0100_0193);
  }
  return ((hash & 0x7fff_ffff) | 1) >>> 0;
}
