// Published ports: which of the host's addresses they are at, that nobody else is there, and their
// elements in the packet rules.

import { PodError } from "../errors/pod-error.ts";
import type { Origin } from "../errors/pod-error.ts";
import { tryBind } from "../native/interfaces.ts";
import { NetlinkError } from "../native/netlink.ts";
import type { NetlinkBatch } from "../spec/network.ts";
import type { PortSpec } from "../spec/pod-spec.ts";
import { formatAddress, parseAddress } from "./address.ts";
import type { PodAddresses } from "./claims.ts";
import type { HostNetwork } from "./host-network.ts";
import { findPublisher } from "./publisher.ts";
import type { SetElement } from "./rules-batch.ts";
import { composeElements } from "./rules-batch.ts";

/** IANA's numbers. */
const protocols = { TCP: 6, UDP: 17, SCTP: 132 } as const;

/** One published port at one address of the host, or with zeros at all of one family. */
export interface Publication {
  readonly port: PortSpec;
  readonly address: Uint8Array;
}

/** What comes of the published ports of one pod. */
export interface Publishing {
  /** Some are reached by a loopback address of the host. */
  readonly loopback: Readonly<Record<"v4" | "v6", boolean>>;
  readonly withdraw: readonly NetlinkBatch[];
}

/** All of them, or an error and none. */
export function publishPorts(
  network: HostNetwork,
  claimed: PodAddresses,
  ports: readonly PortSpec[],
  originOf: (field: string) => Origin,
): Publishing {
  const { rules, table } = network;
  const publications = publicationsOf(ports, claimed);
  for (const publication of publications) refuseTaken(publication, originOf);
  const ported = publications.map((publication) => portElement(publication, claimed));
  const elements = [...ported, ...hairpinElements(claimed)];
  const taken = (publication: Publication): PodError => {
    const holder = findPublisher(network.state, publication.port);
    return new PodError({
      code: "network.port-taken",
      message: `port ${describePort(publication)} of this host belongs to ${holder}`,
      origin: originOf(`${publication.port.field}.hostPort`),
    });
  };
  try {
    rules.send(composeElements(table, "add", elements));
  } catch (error) {
    const publication = publications[ported.findIndex((element) => isAbout(error, element))];
    throw publication ? taken(publication) : error;
  }
  const withdraw = [composeElements(table, "delete", elements)];
  // At all addresses and at one of them is not the same to a set. Looked for when the elements are
  // there, so that of two pods at least one sees the other.
  const overlapping = publications.find((publication) => overlaps(network, publication));
  if (overlapping) {
    for (const batch of withdraw) rules.send(batch);
    throw taken(overlapping);
  }
  return { loopback: loopbackOf(publications), withdraw };
}

function isAbout(error: unknown, { label }: SetElement): boolean {
  return (
    error instanceof NetlinkError && error.errno === "EEXIST" && error.label === `add ${label}`
  );
}

function loopbackOf(publications: readonly Publication[]): Publishing["loopback"] {
  const has = (bytes: number) =>
    publications.some(({ address }) => address.length === bytes && isOnLoopback(address));
  return { v4: has(4), v6: has(16) };
}

/** By these a pod that asks its own published port is known. */
export function hairpinElements({ index, v4, v6 }: PodAddresses): SetElement[] {
  const mark = new Uint8Array(Uint32Array.of(index).buffer);
  const own = (set: string, address: Uint8Array): SetElement => ({
    set,
    key: Uint8Array.from([...mark, ...address]),
    label: `way back to ${formatAddress(address)}`,
  });
  return [own("hairpin4", v4), ...(v6 ? [own("hairpin6", v6)] : [])];
}

function publicationsOf(ports: readonly PortSpec[], { v6 }: PodAddresses): Publication[] {
  return ports
    .filter(({ hostPort }) => hostPort > 0)
    .flatMap((port) => {
      const everywhere = [new Uint8Array(4), ...(v6 ? [new Uint8Array(16)] : [])];
      const address = parseAddress(port.hostIP);
      return (address ? [address] : everywhere).map((at) => ({ port, address: at }));
    });
}

function isOnLoopback(address: Uint8Array): boolean {
  if (isEverywhere(address)) return true;
  return address.length === 4 ? address[0] === 127 : isEverywhere(address.subarray(0, 15));
}

function isEverywhere(address: Uint8Array): boolean {
  return address.every((byte) => byte === 0);
}

/** `127.0.0.1:8080/tcp`. */
function describePort({ port: { hostIP, hostPort, protocol } }: Publication): string {
  const at = hostIP.includes(":") ? `[${hostIP}]:` : hostIP === "" ? "" : `${hostIP}:`;
  return `${at}${hostPort}/${protocol.toLowerCase()}`;
}

/**
 * A program of the host that listens would not hear anything any more, so its port is not to be
 * had. Another pod's is found out by the rules.
 */
function refuseTaken(publication: Publication, originOf: (field: string) => Origin): void {
  const { port, address } = publication;
  const refusal = tryBind(port.protocol, address, port.hostPort);
  if (refusal === "EADDRINUSE") {
    throw new PodError({
      code: "network.port-taken",
      message: `port ${describePort(publication)} of this host belongs to another program`,
      origin: originOf(`${port.field}.hostPort`),
    });
  }
  if (refusal === "EADDRNOTAVAIL") {
    throw new PodError({
      code: "network.no-address",
      message: `${port.hostIP} is no address of this host`,
      origin: originOf(`${port.field}.hostIP`),
    });
  }
}

function portElement(publication: Publication, { v4, v6 }: PodAddresses): SetElement {
  const { port, address } = publication;
  const isV6 = address.length === 16;
  const target = isV6 ? (v6 ?? address) : v4;
  const at = isEverywhere(address) ? [] : address;
  return {
    set: `${at.length > 0 ? "address-ports" : "ports"}${isV6 ? 6 : 4}`,
    // Each part fills whole registers of four bytes.
    key: Uint8Array.of(...protocolBytes(port), ...at, ...portBytes(port.hostPort)),
    value: Uint8Array.of(...target, ...portBytes(port.containerPort)),
    label: `port ${describePort(publication)}${isV6 ? " for IPv6" : ""}`,
  };
}

/** Of the other kind: at all addresses where this is at one, and the other way round. */
function overlaps({ rules, table }: HostNetwork, { port, address }: Publication): boolean {
  const other = isEverywhere(address) ? "address-ports" : "ports";
  const wanted = [...protocolBytes(port), ...portBytes(port.hostPort)];
  return rules.elements(table, `${other}${address.length === 16 ? 6 : 4}`).some(({ key }) => {
    const [protocol, at] = [key.subarray(0, 4), key.subarray(-4)];
    return [...protocol, ...at].every((byte, index) => byte === wanted[index]);
  });
}

function protocolBytes({ protocol }: PortSpec): number[] {
  return [protocols[protocol], 0, 0, 0];
}

function portBytes(port: number): number[] {
  return [port >> 8, port & 255, 0, 0];
}
