// Giving a pod its addresses: a claim, its published ports in the packet rules, and the requests by
// which its keeper makes the interfaces. What is given here is taken back by `detachPod`, or by the
// teardown plan with the same requests.

import type { Origin } from "../errors/pod-error.ts";
import { sourceAddress } from "../native/interfaces.ts";
import type { PortSpec } from "../spec/pod-spec.ts";
import type { Bandwidth, ResolvedLink, ResolvedNetwork } from "../spec/network.ts";
import { formatAddress, nthAddress } from "./address.ts";
import type { PodAddresses } from "./claims.ts";
import { claimAddress, gatewayNumber, releaseAddress } from "./claims.ts";
import type { HostNetwork } from "./host-network.ts";
import { hasTable } from "./rules-socket.ts";
import type { Publishing } from "./ports.ts";
import type { LinkAddress, Shaper } from "./link.ts";
import { composeHostSide, composePodSide } from "./link.ts";

export interface AttachWish {
  readonly uid: string;
  readonly mtu?: number | undefined;
  readonly ports: readonly PortSpec[];
  readonly bandwidth?: Bandwidth | undefined;
  readonly originOf: (field: string) => Origin;
}

export async function attachPod(network: HostNetwork, wish: AttachWish): Promise<ResolvedNetwork> {
  // Before the table is looked for: who removes it looks at the claims.
  const claimed = claimAddress(network, wish.uid);
  try {
    await ensureTable(network);
    const published = await publish(network, claimed, wish);
    const shaper = wish.bandwidth && (await import("./shaping.ts")).shaperFor(wish.bandwidth);
    return describeNetwork(network, wish, claimed, published, shaper);
  } catch (error) {
    releaseAddress(network.state, claimed.claim);
    throw error;
  }
}

async function ensureTable(network: HostNetwork): Promise<void> {
  if (!network.record.hasRules || hasTable(network)) return;
  const { makeTable } = await import("./make-table.ts");
  makeTable(network);
}

/** Undefined where nothing is to be published, or nothing can be. */
async function publish(
  network: HostNetwork,
  claimed: PodAddresses,
  { ports, originOf }: AttachWish,
): Promise<Publishing | undefined> {
  if (!network.record.hasRules || ports.every(({ hostPort }) => hostPort === 0)) return undefined;
  const { publishPorts } = await import("./ports.ts");
  return publishPorts(network, claimed, ports, originOf);
}

/** Of a pod that never came up. */
export function detachPod(network: HostNetwork, link: ResolvedLink): void {
  for (const batch of link.withdraw) network.rules.trySend(batch);
  releaseAddress(network.state, link.claim);
}

function describeNetwork(
  network: HostNetwork,
  { uid, ports, mtu = network.record.mtu }: AttachWish,
  claimed: PodAddresses,
  published: Publishing | undefined,
  shaper: Shaper | undefined,
): ResolvedNetwork {
  const addresses = linkAddresses(network, claimed);
  const wish = {
    name: interfaceName(uid),
    index: claimed.index,
    group: network.group,
    mtu,
    addresses,
    loopback: published?.loopback ?? { v4: false, v6: false },
    shaper,
  };
  return {
    podIPs: addresses.map(({ podText }) => podText),
    hostIPs: addresses.map(({ pod, gateway }) => formatAddress(hostAddress(pod.length) ?? gateway)),
    nameservers: addresses.slice(0, 1).map(({ gatewayText }) => gatewayText),
    link: {
      name: wish.name,
      claim: claimed.claim,
      host: composeHostSide(wish),
      pod: composePodSide(wish),
      withdraw: published?.withdraw ?? [],
      ports: published ? ports.filter(({ hostPort }) => hostPort > 0) : [],
    },
  };
}

/** By twelve digits of the pod's id. */
function interfaceName(uid: string): string {
  return `pod${uid.replaceAll("-", "").slice(0, 12)}`;
}

function linkAddresses(network: HostNetwork, { v4, v6 }: PodAddresses): LinkAddress[] {
  const { range4, range6, record } = network;
  const gateways = [range4, range6].map((range) => range && nthAddress(range, gatewayNumber));
  return [v4, v6].flatMap((pod, index) => {
    const gateway = gateways[index];
    if (!pod || !gateway) return [];
    const texts = { podText: formatAddress(pod), gatewayText: formatAddress(gateway) };
    return [{ pod, gateway, ...texts, isGatewayHere: !record.hasRules }];
  });
}

/** For documentation (RFC 5737, RFC 3849): wherever everything else goes. */
const elsewhere = {
  4: Uint8Array.of(198, 51, 100, 1),
  16: Uint8Array.of(0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
} as const;

/** The one by which others know this host, by the size of its family's addresses. */
export function hostAddress(bytes: number): Uint8Array | undefined {
  return sourceAddress(bytes === 4 ? elsewhere[4] : elsewhere[16]);
}
