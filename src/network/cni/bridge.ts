// A bridge of the host as a network of pods, without a configuration file: the list that somebody
// would write for it, for the same plugins.

import { PodError } from "../../errors/pod-error.ts";
import { interfaceNumber } from "../../native/interfaces.ts";
import { NetlinkSocket } from "../../native/netlink.ts";
import type { Bandwidth } from "../../spec/network.ts";
import type { HostPath } from "../../spec/paths.ts";
import type { PortSpec } from "../../spec/pod-spec.ts";
import type { Range } from "../address.ts";
import { formatAddress, formatRange, nthAddress, overlap, parseRange } from "../address.ts";
import { flag, NetlinkWriter } from "../netlink.ts";
import { inner } from "../rules-batch.ts";
import type { CniList } from "./configuration.ts";
import type { Json } from "./plugin.ts";

export interface BridgeWish {
  readonly bridge: string;
  /** As `--network-range` has it; undefined where nothing was given. */
  readonly range: string | undefined;
  /** Holds the leases of addresses. */
  readonly state: HostPath;
  readonly ports: readonly PortSpec[];
  readonly bandwidth: Bandwidth | undefined;
}

export function bridgeList({ bridge, range, state, ports, bandwidth }: BridgeWish): CniList {
  const own = addressesOf(interfaceNumber(bridge));
  const ranges = readRanges(bridge, range).map((wanted) => rangeOn(wanted, own));
  const routes = ranges
    .filter(({ gateway }) => gateway !== undefined)
    .map(({ subnet }) => ({ dst: subnet.includes(":") ? "::/0" : "0.0.0.0/0" }));
  const ipam = {
    type: "host-local",
    dataDir: `${state}/bridges`,
    ranges: ranges.map((one) => [one]),
    ...(routes.length > 0 && { routes }),
  };
  const isPublishing = ports.some(({ hostPort }) => hostPort > 0);
  const connects = { type: "bridge", bridge, hairpinMode: true, ipam };
  const publishes = { type: "portmap", capabilities: { portMappings: true }, snat: true };
  const limits = { type: "bandwidth", capabilities: { bandwidth: true } };
  const plugins = [connects, ...(isPublishing ? [publishes] : []), ...(bandwidth ? [limits] : [])];
  return { cniVersion: "1.0.0", name: `bridge-${bridge}`, plugins };
}

function readRanges(bridge: string, text: string | undefined): Range[] {
  if (text === undefined) {
    throw new PodError({
      code: "network.no-range",
      message: `nothing says which addresses of the bridge ${bridge} are for pods`,
    });
  }
  return text.split(",").map((part) => {
    const range = parseRange(part.trim());
    if (range) return range;
    const message = `${JSON.stringify(part)} is no range of addresses for pods`;
    throw new PodError({ code: "network.bad-range", message });
  });
}

type IpamRange = Json & { readonly subnet: string; readonly gateway?: string };

/** Pods are in the network of the bridge's own address, which is their way out, if it has one. */
function rangeOn(wanted: Range, own: readonly Range[]): IpamRange {
  for (const { base, prefix } of own) {
    const subnet = { base: withoutHost(base, prefix), prefix };
    if (prefix > wanted.prefix || !overlap(subnet, wanted)) continue;
    const gateway = formatAddress(base);
    return { subnet: formatRange(subnet), gateway, ...partOf(wanted, subnet) };
  }
  return { subnet: formatRange(wanted) };
}

/** Of an interface, each with the size of its network. A bridge without ports has some, too. */
function addressesOf(index: number): Range[] {
  const [getAddress, bodyBytes, ifaAddress] = [22, 8, 1];
  const question = new NetlinkWriter().begin("", getAddress, flag.dump).u32(0).u32(0).finish();
  using socket = new NetlinkSocket("route");
  return [...socket.dump(question.messages)].flatMap(({ body }) => {
    const head = new DataView(body.buffer, body.byteOffset, body.byteLength);
    const [base] = inner(body.subarray(bodyBytes), ifaAddress);
    // `struct ifaddrmsg`: family, prefix, flags, scope, interface.
    if (!base || head.getUint32(4, true) !== index) return [];
    return [{ base, prefix: head.getUint8(1) }];
  });
}

function withoutHost(address: Uint8Array, prefix: number): Uint8Array {
  return address.map((byte, index) => {
    const kept = Math.min(Math.max(prefix - index * 8, 0), 8);
    return byte & (0xff00 >> kept) & 255;
  });
}

/** The first and last addresses of a network belong to nobody. */
function partOf(wanted: Range, subnet: Range): Json {
  if (wanted.prefix === subnet.prefix) return {};
  const bits = Math.min(wanted.base.length * 8 - wanted.prefix, 32);
  const last = 2 ** bits - 1;
  return {
    rangeStart: formatAddress(nthAddress(wanted, 1)),
    rangeEnd: formatAddress(nthAddress(wanted, last - 1)),
  };
}
