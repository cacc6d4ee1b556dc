// Giving a pod its addresses: a claim, its elements in the packet rules, and the requests by which
// its keeper makes the interfaces. What is given here is taken back by `detachPod`, or by the
// teardown plan with the same requests.

import type { Origin } from "../errors/pod-error.ts";
import { NetlinkError, NetlinkSocket } from "../native/netlink.ts";
import { sourceAddress } from "../native/interfaces.ts";
import type { PortSpec } from "../spec/pod-spec.ts";
import type { NetlinkBatch, ResolvedLink, ResolvedNetwork } from "../spec/network.ts";
import { formatAddress, nthAddress } from "./address.ts";
import type { PodAddresses } from "./claims.ts";
import { claimAddress, gatewayNumber, releaseAddress } from "./claims.ts";
import type { HostNetwork } from "./host-network.ts";
import type { Publishing } from "./ports.ts";
import type { LinkAddress } from "./link.ts";
import { composeHostSide, composePodSide } from "./link.ts";
import type { SetElement } from "./rules-batch.ts";
import { composeTableRemoval, RulesBatch } from "./rules-batch.ts";

export interface AttachWish {
  readonly uid: string;
  readonly ports: readonly PortSpec[];
  readonly originOf: (field: string) => Origin;
}

export async function attachPod(network: HostNetwork, wish: AttachWish): Promise<ResolvedNetwork> {
  const claimed = claimAddress(network, wish.uid);
  try {
    const published = await publish(network, claimed, wish);
    const elements = [...sourcesOf(claimed), ...(published?.elements ?? [])];
    const attached = describeNetwork(network, wish, claimed, elements, published);
    if (network.record.hasRules) await admit(network, elements, published);
    published?.refuseOverlap(() => attached.link && detachPod(network, attached.link));
    return attached;
  } catch (error) {
    releaseAddress(network.state, claimed.claim);
    throw error;
  }
}

/** Undefined where nothing is to be published, or nothing can be. */
async function publish(
  network: HostNetwork,
  claimed: PodAddresses,
  { ports, originOf }: AttachWish,
): Promise<Publishing | undefined> {
  if (!network.record.hasRules || ports.every(({ hostPort }) => hostPort === 0)) return undefined;
  const { preparePublishing } = await import("./ports.ts");
  return preparePublishing(network, claimed, ports, originOf);
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
  { uid, ports }: AttachWish,
  claimed: PodAddresses,
  elements: readonly SetElement[],
  published: Publishing | undefined,
): ResolvedNetwork {
  const addresses = linkAddresses(network, claimed);
  const wish = {
    name: interfaceName(uid),
    index: claimed.index,
    group: network.group,
    mtu: network.record.mtu,
    addresses,
    loopback: published?.loopback ?? { v4: false, v6: false },
  };
  return {
    podIPs: addresses.map(({ podText }) => podText),
    hostIPs: addresses.map(({ gateway }) => formatAddress(hostAddress(gateway))),
    nameservers: addresses.slice(0, 1).map(({ gatewayText }) => gatewayText),
    link: {
      name: wish.name,
      claim: claimed.claim,
      host: composeHostSide(wish),
      pod: composePodSide(wish),
      withdraw: composeWithdrawal(network, elements),
      ports: published ? ports.filter(({ hostPort }) => hostPort > 0) : [],
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

export function sourcesOf({ index, v4, v6 }: PodAddresses): SetElement[] {
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

export function composeWithdrawal(
  network: HostNetwork,
  elements: readonly SetElement[],
): NetlinkBatch[] {
  if (!network.record.hasRules) return [];
  return [composeElements(network, "delete", elements), composeTableRemoval(network.table)];
}

/** All elements or none; the table with its first pod. */
async function admit(
  network: HostNetwork,
  elements: readonly SetElement[],
  published: Publishing | undefined,
): Promise<void> {
  using socket = new NetlinkSocket("netfilter");
  const batch = composeElements(network, "add", elements);
  for (;;) {
    try {
      return socket.send(batch);
    } catch (error) {
      published?.explain(error);
      if (!(error instanceof NetlinkError) || error.errno !== "ENOENT") throw error;
    }
    const { makeTable } = await import("./make-table.ts");
    if (makeTable(network, elements)) return;
  }
}
