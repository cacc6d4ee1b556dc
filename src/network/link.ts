// The pair of interfaces between the host and one pod, as requests: routed point to point, with one
// address a family, a gateway that is on the link, and neighbours that never have to be asked for.

import type { NetlinkBatch } from "../spec/network.ts";
import { flag, NetlinkWriter } from "./netlink.ts";

export interface LinkWish {
  /** Of the end on the host, at most 15 bytes. */
  readonly name: string;
  readonly index: number;
  /** Marks all interfaces of one state directory for its packet rules. */
  readonly group: number;
  readonly mtu: number;
  readonly addresses: readonly LinkAddress[];
  /** A published port is to be reached by the host's loopback addresses of these families. */
  readonly loopback: Readonly<Record<"v4" | "v6", boolean>>;
  readonly shaper: Shaper | undefined;
}

/** Holds an end of the pair to a rate. */
export type Shaper = (
  end: "host" | "pod",
  writer: NetlinkWriter,
  name: string,
  index: number,
) => void;

export interface LinkAddress {
  readonly pod: Uint8Array;
  readonly podText: string;
  /** The host's, by which it speaks to pods. */
  readonly gateway: Uint8Array;
  readonly gatewayText: string;
  /**
   * It stands on this interface. Elsewhere on loopback: for a thousand pods the kernel would keep
   * a list of a thousand equal addresses.
   */
  readonly isGatewayHere: boolean;
}

/** include/uapi/linux/rtnetlink.h. */
const [newLink, newAddress, newRoute, newNeighbour] = [16, 20, 24, 28];
const create = flag.create | flag.exclusive;
/** The pod's interface, after loopback. */
const podIndex = 2;
const podName = "eth0";

/** Locally administered; both ends are known beforehand, so nobody asks for them. */
const hostMac = Uint8Array.of(0x02, 0x70, 0x70, 0, 0, 1);
const podMac = Uint8Array.of(0x02, 0x70, 0x70, 0, 0, 2);

export function composeHostSide(wish: LinkWish): NetlinkBatch {
  const { name, index } = wish;
  const writer = new NetlinkWriter();
  composePair(writer, wish);
  writer.begin(`set up ${name}`, newLink, 0);
  linkHead(writer, index, up).nest(ifla.afSpec, () => {
    writer.nest(afInet, () =>
      writer.nest(iflaInetConf, () => {
        writer.attributeU32(conf.forwarding, 1);
        // What comes from the pod has the pod's address, or is dropped.
        writer.attributeU32(conf.rpFilter, 1);
        writer.attributeU32(conf.acceptRedirects, 0);
        writer.attributeU32(conf.sendRedirects, 0);
        if (wish.loopback.v4) writer.attributeU32(conf.routeLocalnet, 1);
      }),
    );
    if (hasV6(wish)) noGeneratedAddress(writer);
  });
  for (const { gateway, gatewayText, isGatewayHere, pod, podText } of wish.addresses) {
    if (isGatewayHere) composeAddress(writer, `address ${gatewayText} on ${name}`, index, gateway);
    composeNeighbour(writer, `neighbour ${podText} on ${name}`, index, pod, podMac);
    writer.begin(`route ${podText} to ${name}`, newRoute, create);
    routeHead(writer, pod.length, pod.length * 8, 0);
    writer.attribute(rta.destination, pod).attributeU32(rta.interface, index);
  }
  if (wish.loopback.v6) routeLoopback6(writer, name, index);
  wish.shaper?.("host", writer, name, index);
  return writer.askForAnswer().finish();
}

/**
 * What `route_localnet` is for IPv4: an answer for ::1 may come by this interface. It names the
 * gateway until the connection is looked up; the kernel itself drops what comes for ::1 from
 * elsewhere (net/ipv6/ip6_input.c).
 */
function routeLoopback6(writer: NetlinkWriter, name: string, index: number): void {
  const [localTable, byAdministrator, local, append] = [255, 4, 2, 0x800];
  writer.begin(`answers for ::1 by ${name}`, newRoute, flag.create | append);
  writer.u8(afInet6).u8(128).u8(0).u8(0);
  writer.u8(localTable).u8(byAdministrator).u8(0).u8(local).u32(0);
  const afterLoopback = 4096;
  writer.attribute(rta.destination, loopback6).attributeU32(rta.interface, index);
  writer.attributeU32(rta.priority, afterLoopback);
}

const loopback6 = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);

export interface Gateway {
  readonly address: Uint8Array;
  /** The host has no other, and speaks by it. */
  readonly isOnly: boolean;
}

/**
 * The gateway's addresses on the host's loopback, or off it. A host that has others goes on to
 * speak by those: it answers by the address that it was asked at.
 */
export function composeGateways(
  kind: "add" | "remove",
  gateways: readonly Gateway[],
): NetlinkBatch {
  const [deleteAddress, loopback, hostScope, cacheInfo] = [21, 1, 254, 6];
  const writer = new NetlinkWriter();
  for (const { address, isOnly } of gateways) {
    const type = kind === "add" ? newAddress : deleteAddress;
    const flags = kind === "add" ? flag.create | flag.replace : 0;
    writer.begin(`gateway to ${kind}`, type, flags);
    const isV6 = address.length === 16;
    addressRequest(writer, loopback, address, isOnly || isV6 ? 0 : hostScope);
    // What scope is to IPv4, deprecation is to IPv6: no longer preferred, and valid for ever.
    if (isV6 && !isOnly) writer.attribute(cacheInfo, neverPreferred);
  }
  return writer.askForAnswer().finish();
}

/** `struct ifa_cacheinfo`: preferred, valid, created, updated. */
const neverPreferred = new Uint8Array(Uint32Array.of(0, 0xffff_ffff, 0, 0).buffer);

/** The other end is born in the pod's namespace: one that is moved costs a grace period more. */
function composePair(writer: NetlinkWriter, wish: LinkWish): void {
  const { name, index, group, mtu } = wish;
  writer.begin(`interface ${name}`, newLink, create);
  linkHead(writer, index, 0).attributeText(ifla.name, name);
  writer.attribute(ifla.address, hostMac);
  writer.attributeU32(ifla.mtu, mtu).attributeU32(ifla.group, group);
  writer.nest(ifla.linkInfo, () => {
    writer.attributeText(infoKind, "veth");
    writer.nest(infoData, () =>
      writer.nest(vethInfoPeer, () => {
        linkHead(writer, podIndex, 0).attributeText(ifla.name, podName);
        writer.attribute(ifla.address, podMac).attributeU32(ifla.mtu, mtu);
        writer.attributePid(ifla.namespacePid);
      }),
    );
  });
}

/** Of a size that no interface has: EINVAL where pairs can be made, another error elsewhere. */
export function composeProbe(): NetlinkBatch {
  const writer = new NetlinkWriter().begin("a pair of interfaces", newLink, create);
  linkHead(writer, 0, 0).attributeU32(ifla.mtu, 1);
  writer.nest(ifla.linkInfo, () => writer.attributeText(infoKind, "veth"));
  return writer.askForAnswer().finish();
}

export function composePodSide(wish: LinkWish): NetlinkBatch {
  const writer = new NetlinkWriter();
  if (hasV6(wish)) {
    // On its own and first: as soon as it is up, and the other end is, the kernel makes an address.
    writer.begin(`prepare ${podName}`, newLink, 0);
    linkHead(writer, podIndex, 0).nest(ifla.afSpec, () => noGeneratedAddress(writer));
  }
  writer.begin(`set up ${podName}`, newLink, 0);
  linkHead(writer, podIndex, up);
  for (const { gateway, gatewayText, pod, podText } of wish.addresses) {
    composeAddress(writer, `address ${podText} on ${podName}`, podIndex, pod);
    const label = `neighbour ${gatewayText} on ${podName}`;
    composeNeighbour(writer, label, podIndex, gateway, hostMac);
    writer.begin(`default route by ${gatewayText}`, newRoute, create);
    routeHead(writer, pod.length, 0, onLink);
    writer.attribute(rta.gateway, gateway).attributeU32(rta.interface, podIndex);
  }
  wish.shaper?.("pod", writer, podName, podIndex);
  return writer.askForAnswer().finish();
}

function hasV6({ addresses }: LinkWish): boolean {
  return addresses.some(({ pod }) => pod.length === 16);
}

const [afInet, afInet6, up] = [2, 10, 1];
/** include/uapi/linux/if_link.h. */
const ifla = {
  address: 1,
  name: 3,
  mtu: 4,
  linkInfo: 18,
  namespacePid: 19,
  afSpec: 26,
  group: 27,
} as const;
const [infoKind, infoData, vethInfoPeer, iflaInetConf, iflaInet6GenMode] = [1, 2, 1, 1, 8];
/** include/uapi/linux/ip.h, IPV4_DEVCONF_*. */
const conf = {
  forwarding: 1,
  acceptRedirects: 4,
  sendRedirects: 6,
  rpFilter: 8,
  routeLocalnet: 26,
} as const;
const rta = { destination: 1, interface: 4, gateway: 5, priority: 6 } as const;
const onLink = 4;

/** Without a link-local address nothing is sent before the pod sends something. */
function noGeneratedAddress(writer: NetlinkWriter): NetlinkWriter {
  const none = 1;
  return writer.nest(afInet6, () => writer.attributeU8(iflaInet6GenMode, none));
}

/** `struct ifinfomsg`; flags are set, never cleared. */
function linkHead(writer: NetlinkWriter, index: number, flags: number): NetlinkWriter {
  return writer.u32(0).u32(index).u32(flags).u32(flags);
}

/** Alone in its network; for IPv6 without a search for others that have it. */
function composeAddress(
  writer: NetlinkWriter,
  label: string,
  index: number,
  address: Uint8Array,
): void {
  addressRequest(writer.begin(label, newAddress, create), index, address);
}

function addressRequest(
  writer: NetlinkWriter,
  index: number,
  address: Uint8Array,
  scope = 0,
): void {
  const [ifaAddress, ifaLocal, ifaFlags] = [1, 2, 8];
  const [noDuplicateDetection, permanent, noPrefixRoute] = [0x2, 0x80, 0x200];
  const isV6 = address.length === 16;
  const flags = permanent | noPrefixRoute | (isV6 ? noDuplicateDetection : 0);
  // `struct ifaddrmsg`.
  writer
    .u8(isV6 ? afInet6 : afInet)
    .u8(address.length * 8)
    .u8(0)
    .u8(scope)
    .u32(index);
  writer.attribute(ifaLocal, address).attribute(ifaAddress, address);
  writer.attributeU32(ifaFlags, flags);
}

/** Never asked for, never forgotten, and not to be overwritten by what the other side says. */
function composeNeighbour(
  writer: NetlinkWriter,
  label: string,
  index: number,
  address: Uint8Array,
  mac: Uint8Array,
): void {
  const [destination, linkAddress, permanent] = [1, 2, 0x80];
  writer.begin(label, newNeighbour, flag.create | flag.replace);
  // `struct ndmsg`.
  writer
    .u32(address.length === 16 ? afInet6 : afInet)
    .u32(index)
    .u16(permanent)
    .u16(0);
  writer.attribute(destination, address).attribute(linkAddress, mac);
}

/** `struct rtmsg` of a route in the main table. */
function routeHead(
  writer: NetlinkWriter,
  addressBytes: number,
  destinationBits: number,
  flags: number,
): void {
  const [mainTable, byAdministrator, linkScope, unicast] = [254, 4, 253, 1];
  const isV6 = addressBytes === 16;
  const scope = destinationBits > 0 && !isV6 ? linkScope : 0;
  writer
    .u8(isV6 ? afInet6 : afInet)
    .u8(destinationBits)
    .u8(0)
    .u8(0);
  writer.u8(mainTable).u8(byAdministrator).u8(scope).u8(unicast).u32(flags);
}
