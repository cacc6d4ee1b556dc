// Blocks of addresses as manifests write them.

import type { Tree } from "./tree.ts";
import { isIpAddress } from "./text.ts";

export interface Cidr {
  readonly bits: 32 | 128;
  readonly address: bigint;
  readonly prefix: number;
}

export function parseCidr(text: Tree): Cidr | undefined {
  const [, address = "", prefixText = ""] =
    /^([^/]+)\/(0|[1-9][0-9]{0,2})$/.exec(typeof text === "string" ? text : "") ?? [];
  if (!isIpAddress(address)) return undefined;
  const bits = address.includes(":") ? 128 : 32;
  const prefix = Number(prefixText);
  if (prefix > bits) return undefined;
  return { bits, prefix, address: bits === 32 ? value4(address) : value6(address) };
}

/** Strictly: the same block is no part of itself. */
export function contains(whole: Cidr, part: Cidr): boolean {
  if (whole.bits !== part.bits || part.prefix <= whole.prefix) return false;
  const rest = BigInt(whole.bits - whole.prefix);
  return whole.address >> rest === part.address >> rest;
}

function value4(text: string): bigint {
  return text.split(".").reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

/** The address has been found to be right. */
function value6(text: string): bigint {
  // As a URL has it: hexadecimal groups only.
  const [head = "", tail] = new URL(`http://[${text}]`).hostname.slice(1, -1).split("::");
  const groups = (part: string) => (part === "" ? [] : part.split(":"));
  const [before, after] = [groups(head), groups(tail ?? "")];
  const zeros = Array<string>(8 - before.length - after.length).fill("0");
  return [...before, ...zeros, ...after].reduce(
    (value, group) => (value << 16n) | BigInt(`0x${group}`),
    0n,
  );
}
