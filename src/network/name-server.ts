// The pods' name server at the gateway's address, where this host has one.

import type { HostPath } from "../spec/paths.ts";
import { formatAddress, nthAddress } from "./address.ts";
import { gatewayNumber } from "./claims.ts";
import { DnsServer } from "./dns/server.ts";
import { findHostNetwork } from "./host-network.ts";

/** Undefined while no pod has an address: nobody could ask. */
export async function openNameServer(state: HostPath): Promise<AsyncDisposable | undefined> {
  const network = findHostNetwork(state);
  if (!network?.record.hasLinks) return undefined;
  const gateways = [network.range4, network.range6].flatMap((range) =>
    range ? [formatAddress(nthAddress(range, gatewayNumber))] : [],
  );
  return DnsServer.open({ state, addresses: gateways });
}
