// Giving a pod its addresses: a claim, its elements in the packet rules, and the requests by which
// its keeper makes the interfaces. What is given here is taken back by `detachPod`, or by the
// teardown plan with the same requests.

import { NetlinkError, NetlinkSocket } from "../native/netlink.ts";
import { sourceAddress } from "../native/interfaces.ts";
import type { PortSpec } from "../spec/pod-spec.ts";
import type { NetlinkBatch, ResolvedLink, ResolvedNetwork } from "../spec/network.ts";
import { formatAddress, nthAddress } from "./address.ts";
import type { PodAddresses } from "./claims.ts";
import { claimAddress, gatewayNumber, releaseAddress } from "./claims.ts";
import type { HostNetwork } from "./host-network.ts";
import type { LinkAddress } from "./link.ts";
import { composeHostSide, composePodSide } from "./link.ts";
import type { SetElement } from "./rules-batch.ts";
import { composeTableRemoval, RulesBatch } from "./rules-batch.ts";

export async function attachPod(
  network: HostNetwork,
  uid: string,
  ports: readonly PortSpec[],
): Promise<ResolvedNetwork> {
  const claimed = claimAddress(network, uid);
  try {
    const elements = elementsOf(claimed);
    if (network.record.hasRules) await admit(network, elements);
    return describeNetwork(network, uid, claimed, elements, ports);
  } catch (error) {
    releaseAddress(network.state, claimed.claim);
    throw error;
  }
}

/** Of a pod that never came up. */
export function detachPod(network: HostNetwork, link: ResolvedLink): void {
  for (const batch of link.withdraw) trySend(batch);
  releaseAddress(network.state, link.claim);
}

function trySend(batch: NetlinkBatch): void {
  using socket = new NetlinkSocket("netfilter");
  try {
    socket.send(batch);
  } catch (error) {
    if (!(error instanceof NetlinkError)) throw error;
    // Gone already, or the table still has other pods.
  }
}

function describeNetwork(
  network: HostNetwork,
  uid: string,
  claimed: PodAddresses,
  elements: readonly SetElement[],
  ports: readonly PortSpec[],
): ResolvedNetwork {
  const addresses = linkAddresses(network, claimed);
  const wish = {
    name: interfaceName(uid),
    index: claimed.index,
    group: network.group,
    mtu: network.record.mtu,
    addresses,
    routeLoopback: false,
  };
  return {
    podIPs: addresses.map(({ podText }) => podText),
    hostIPs: addresses.map(({ gateway }) => formatAddress(hostAddress(gateway))),
    link: {
      name: wish.name,
      claim: claimed.claim,
      host: composeHostSide(wish),
      pod: composePodSide(wish),
      withdraw: network.record.hasRules
        ? [composeElements(network, "delete", elements), composeTableRemoval(network.table)]
        : [],
      ports,
    },
  };
}

/** By twelve digits of the pod's id. */
function interfaceName(uid: string): string {
  return `pod${uid.replaceAll("-", "").slice(0, 12)}`;
}

function linkAddresses(network: HostNetwork, { v4, v6 }: PodAddresses): LinkAddress[] {
  const { range4, range6 } = network;
  const gateways = [range4, range6].map((range) => range && nthAddress(range, gatewayNumber));
  return [v4, v6].flatMap((pod, index) => {
    const gateway = gateways[index];
    if (!pod || !gateway) return [];
    const texts = { podText: formatAddress(pod), gatewayText: formatAddress(gateway) };
    return [{ pod, gateway, ...texts }];
  });
}

/** For documentation (RFC 5737, RFC 3849): wherever everything else goes. */
const elsewhere = {
  4: Uint8Array.of(198, 51, 100, 1),
  16: Uint8Array.of(0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
} as const;

/** The one by which others know this host; without any it has the one that its pods know. */
function hostAddress(gateway: Uint8Array): Uint8Array {
  return sourceAddress(gateway.length === 4 ? elsewhere[4] : elsewhere[16]) ?? gateway;
}

function elementsOf({ index, v4, v6 }: PodAddresses): SetElement[] {
  const mark = new Uint8Array(Uint32Array.of(index).buffer);
  const source = (set: string, address: Uint8Array): SetElement => ({
    set,
    key: Uint8Array.from([...mark, ...address]),
    label: `source ${formatAddress(address)}`,
  });
  return [source("sources4", v4), ...(v6 ? [source("sources6", v6)] : [])];
}

function composeElements(
  network: HostNetwork,
  kind: "add" | "delete",
  elements: readonly SetElement[],
): NetlinkBatch {
  const batch = new RulesBatch(network.table);
  for (const element of elements) batch.element(kind, element);
  return batch.finish();
}

/** All elements or none; the table with its first pod. */
async function admit(network: HostNetwork, elements: readonly SetElement[]): Promise<void> {
  using socket = new NetlinkSocket("netfilter");
  const batch = composeElements(network, "add", elements);
  for (;;) {
    try {
      return socket.send(batch);
    } catch (error) {
      if (!(error instanceof NetlinkError) || error.errno !== "ENOENT") throw error;
    }
    const { makeTable } = await import("./make-table.ts");
    if (makeTable(network, elements)) return;
  }
}
