// What a pod whose keeper died has in the packet rules, found there: its own record of it may never
// have been written.

import type { NetlinkBatch } from "../spec/network.ts";
import type { HostPath } from "../spec/paths.ts";
import { parseAddress } from "./address.ts";
import type { PodAddresses } from "./claims.ts";
import { addressesOf, findAddressClaim } from "./claims.ts";
import type { HostNetwork } from "./host-network.ts";
import { findHostNetwork } from "./host-network.ts";
import { hairpinElements } from "./ports.ts";
import type { SetElement } from "./rules-batch.ts";
import { composeElements } from "./rules-batch.ts";

export interface NetworkRelease {
  readonly claim: string;
  readonly withdraw: readonly NetlinkBatch[];
}

export function findRelease(state: HostPath, uid: string): NetworkRelease | undefined {
  const claim = findAddressClaim(state, uid);
  const v4 = parseAddress(claim);
  const network = findHostNetwork(state);
  if (!v4 || !network) return undefined;
  using _ = network.rules;
  const number = (valueOf(v4) - valueOf(network.range4.base)) >>> 0;
  const addresses = addressesOf(network, number);
  const ported = portsOf(network, addresses);
  if (ported.length === 0) return { claim, withdraw: [] };
  const elements = [...ported, ...hairpinElements(addresses)];
  return { claim, withdraw: [composeElements(network.table, "delete", elements)] };
}

function valueOf(v4: Uint8Array): number {
  return new DataView(v4.buffer, v4.byteOffset).getUint32(0);
}

function portsOf({ rules, table }: HostNetwork, { v4, v6 }: PodAddresses): SetElement[] {
  const families = [[4, v4] as const, ...(v6 ? [[6, v6] as const] : [])];
  return families.flatMap(([family, address]) =>
    [`ports${family}`, `address-ports${family}`].flatMap((set) =>
      rules
        .elements(table, set)
        .filter(({ value }) => address.every((byte, index) => byte === value[index]))
        .map(({ key }) => ({ set, key, label: `port in ${set}` })),
    ),
  );
}
