// Blocks of addresses without some of their parts, as stretches from one address to another.

import { parseAddress } from "../address.ts";

/** Both ends belong to it; 4 or 16 bytes each. */
export interface Stretch {
  readonly first: Uint8Array;
  readonly last: Uint8Array;
}

export function stretchesOf(cidr: string, except: readonly string[]): Stretch[] {
  const whole = boundsOf(cidr);
  if (!whole) return [];
  const gaps = except.flatMap((text) => boundsOf(text) ?? []);
  const sorted = gaps.toSorted((a, b) => (a.first < b.first ? -1 : 1));
  const found: Stretch[] = [];
  let next = whole.first;
  for (const gap of [...sorted, { first: whole.last + 1n, last: whole.last + 1n }]) {
    if (gap.first > next) found.push(stretch(next, gap.first - 1n, whole.bytes));
    if (gap.last >= next) next = gap.last + 1n;
  }
  return found;
}

interface Bounds {
  readonly first: bigint;
  readonly last: bigint;
  readonly bytes: 4 | 16;
}

/** Bits after the prefix are ignored, as Kubernetes ignores them. */
function boundsOf(cidr: string): Bounds | undefined {
  const [text = "", prefix = ""] = cidr.split("/");
  const address = parseAddress(text);
  if (!address) return undefined;
  const bytes = address.length === 4 ? 4 : 16;
  const rest = BigInt(bytes * 8 - Number(prefix));
  const value = BigInt(`0x${Buffer.from(address).toString("hex")}`);
  const first = (value >> rest) << rest;
  return { first, last: first + (1n << rest) - 1n, bytes };
}

function stretch(first: bigint, last: bigint, bytes: number): Stretch {
  const toBytes = (value: bigint) =>
    Uint8Array.from(Buffer.from(value.toString(16).padStart(bytes * 2, "0"), "hex"));
  return { first: toBytes(first), last: toBytes(last) };
}
