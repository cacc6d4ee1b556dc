// Addresses that starting pods take for themselves alone: one atomic system call each, so that no
// address is ever given twice, whoever is killed when.

import { existsSync, mkdirSync, readdirSync, readlinkSync, rmSync, symlinkSync } from "node:fs";
import { PodError } from "../errors/pod-error.ts";
import { isInterface } from "../native/interfaces.ts";
import type { HostPath } from "../spec/paths.ts";
import { formatAddress, nthAddress, parseAddress } from "./address.ts";
import type { HostNetwork } from "./host-network.ts";

export interface PodAddresses {
  /** Name of the claim, which is the IPv4 address as text. */
  readonly claim: string;
  readonly index: number;
  readonly v4: Uint8Array;
  readonly v6: Uint8Array | undefined;
}

export function addressesParent(state: HostPath): HostPath {
  return `${state}/addresses` as HostPath;
}

/** The first address of a range is the host's. */
export const gatewayNumber = 1;

/** From a random place on: an address that has just been given back is left to cool. */
export function claimAddress(network: HostNetwork, uid: string): PodAddresses {
  const { range4 } = network;
  const first = gatewayNumber + 1;
  const count = 2 ** (32 - range4.prefix) - first - 1;
  const start = Math.floor(Math.random() * count);
  for (let tried = 0; tried < count; tried++) {
    const addresses = addressesOf(network, first + ((start + tried) % count));
    if (!tryClaim(network.state, addresses.claim, uid)) continue;
    // A namespace that ended a moment ago keeps its interface a little longer than its claim, and
    // another state directory may have the same range.
    if (!isInterface(addresses.index)) return addresses;
    releaseAddress(network.state, addresses.claim);
  }
  throw new PodError({
    code: "network.range-full",
    message: `all ${count} addresses of ${network.record.range4} are in use`,
  });
}

function tryClaim(state: HostPath, claim: string, uid: string): boolean {
  const parent = addressesParent(state);
  for (;;) {
    try {
      symlinkSync(`../pods/${uid}`, `${parent}/${claim}`);
      return true;
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : "";
      if (code === "EEXIST") return false;
      if (code !== "ENOENT") throw error;
      mkdirSync(parent, { recursive: true, mode: 0o700 });
    }
  }
}

export function addressesOf(network: HostNetwork, number: number): PodAddresses {
  const { range4, range6 } = network;
  const v4 = nthAddress(range4, number);
  return {
    claim: formatAddress(v4),
    index: interfaceIndex(v4),
    v4,
    v6: range6 && nthAddress(range6, number),
  };
}

/**
 * Of the pod's interface on the host, known before it is made, so that one batch of requests can
 * name it. Far above what the kernel deals out.
 */
function interfaceIndex(v4: Uint8Array): number {
  const value = new DataView(v4.buffer, v4.byteOffset).getUint32(0);
  return 0x2000_0000 | (value & 0x0fff_ffff);
}

export function releaseAddress(state: HostPath, claim: string): void {
  rmSync(`${addressesParent(state)}/${claim}`, { force: true });
}

/**
 * What a process left that was killed with keepers in its pool: an address of no pod, and of no
 * interface. `isYoung` is for those that a start has taken just now.
 */
export function sweepClaims(
  state: HostPath,
  hasPod: (uid: string) => boolean,
  isYoung: (path: string) => boolean,
): void {
  const parent = addressesParent(state);
  if (!existsSync(parent)) return;
  for (const claim of readdirSync(parent)) {
    const uid = readlinkSync(`${parent}/${claim}`).split("/").at(-1) ?? "";
    const v4 = parseAddress(claim);
    if (!v4 || hasPod(uid) || isYoung(`${parent}/${claim}`)) continue;
    if (!isInterface(interfaceIndex(v4))) releaseAddress(state, claim);
  }
}

export function hasClaims(state: HostPath): boolean {
  return existsSync(addressesParent(state)) && readdirSync(addressesParent(state)).length > 0;
}

/** Of a pod whose start or end was cut off: empty where it has none. */
export function findAddressClaim(state: HostPath, uid: string): string {
  const parent = addressesParent(state);
  try {
    return (
      readdirSync(parent).find((name) => readlinkSync(`${parent}/${name}`).endsWith(`/${uid}`)) ??
      ""
    );
  } catch {
    return "";
  }
}
