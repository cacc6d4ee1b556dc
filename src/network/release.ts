// What a pod whose keeper died has in the packet rules, found there: its own record of it may never
// have been written.

import { NetlinkError, NetlinkSocket } from "../native/netlink.ts";
import type { NetlinkBatch } from "../spec/network.ts";
import type { HostPath } from "../spec/paths.ts";
import { parseAddress } from "./address.ts";
import { composeWithdrawal, sourcesOf } from "./attach.ts";
import { addressesOf, findAddressClaim } from "./claims.ts";
import type { HostNetwork } from "./host-network.ts";
import { findHostNetwork } from "./host-network.ts";
import type { SetElement } from "./rules-batch.ts";
import { composeSetQuestion, readElements } from "./rules-batch.ts";

export interface NetworkRelease {
  readonly claim: string;
  readonly withdraw: readonly NetlinkBatch[];
}

export function findRelease(state: HostPath, uid: string): NetworkRelease | undefined {
  const claim = findAddressClaim(state, uid);
  const v4 = parseAddress(claim);
  const network = findHostNetwork(state);
  if (!v4 || !network) return undefined;
  const number = (valueOf(v4) - valueOf(network.range4.base)) >>> 0;
  const addresses = addressesOf(network, number);
  const elements = [...sourcesOf(addresses), ...portsOf(network, addresses)];
  return { claim, withdraw: composeWithdrawal(network, elements) };
}

function valueOf(v4: Uint8Array): number {
  return new DataView(v4.buffer, v4.byteOffset).getUint32(0);
}

function portsOf(
  { table }: HostNetwork,
  { v4, v6 }: { readonly v4: Uint8Array; readonly v6: Uint8Array | undefined },
): SetElement[] {
  const families = [[4, v4] as const, ...(v6 ? [[6, v6] as const] : [])];
  return families.flatMap(([family, address]) =>
    [`ports${family}`, `address-ports${family}`].flatMap((set) =>
      elementsOf(table, set)
        .filter(({ value }) => address.every((byte, index) => byte === value[index]))
        .map(({ key }) => ({ set, key, label: `port in ${set}` })),
    ),
  );
}

/** None where there is no such table. */
export function elementsOf(table: string, set: string): ReturnType<typeof readElements> {
  using socket = new NetlinkSocket("netfilter");
  try {
    const found: ReturnType<typeof readElements> = [];
    for (const { body } of socket.dump(composeSetQuestion(table, set).messages)) {
      found.push(...readElements(body));
    }
    return found;
  } catch (error) {
    if (error instanceof NetlinkError) return [];
    throw error;
  }
}
