// Published ports: which of the host's addresses they are at, that nobody else is there, and their
// elements in the packet rules.

import { PodError } from "../errors/pod-error.ts";
import type { Origin } from "../errors/pod-error.ts";
import { tryBind } from "../native/interfaces.ts";
import { NetlinkError } from "../native/netlink.ts";
import type { PortSpec } from "../spec/pod-spec.ts";
import { parseAddress } from "./address.ts";
import type { PodAddresses } from "./claims.ts";
import type { HostNetwork } from "./host-network.ts";
import { elementsOf } from "./release.ts";
import { findPublisher } from "./publisher.ts";
import type { SetElement } from "./rules-batch.ts";

/** IANA's numbers. */
const protocols = { TCP: 6, UDP: 17, SCTP: 132 } as const;

/** One published port at one address of the host, or with zeros at all of one family. */
export interface Publication {
  readonly port: PortSpec;
  readonly address: Uint8Array;
}

/** What comes of the published ports of one pod. */
export interface Publishing {
  readonly elements: readonly SetElement[];
  /** Some are reached by a loopback address of the host. */
  readonly loopback: Readonly<Record<"v4" | "v6", boolean>>;
  /** Throws, where the error of adding the elements is about a port. */
  explain(error: unknown): void;
  /**
   * One pod at all addresses and another at one of them: the sets do not refuse that. Called when
   * the elements are there, so that of two pods at least one sees the other.
   */
  refuseOverlap(withdraw: () => void): void;
}

export function preparePublishing(
  network: HostNetwork,
  claimed: PodAddresses,
  ports: readonly PortSpec[],
  originOf: (field: string) => Origin,
): Publishing {
  const publications = publicationsOf(ports, claimed);
  for (const publication of publications) refuseTaken(publication, originOf);
  const elements = publications.map((publication) => portElement(publication, claimed));
  const taken = (publication: Publication): PodError => {
    const holder = findPublisher(network.state, publication.port);
    return new PodError({
      code: "network.port-taken",
      message: `port ${describePort(publication)} of this host belongs to ${holder}`,
      origin: originOf(`${publication.port.field}.hostPort`),
    });
  };
  return {
    elements,
    loopback: {
      v4: publications.some(({ address }) => address.length === 4 && isOnLoopback(address)),
      v6: publications.some(({ address }) => address.length === 16 && isOnLoopback(address)),
    },
    explain(error) {
      if (!(error instanceof NetlinkError) || error.errno !== "EEXIST") return;
      const index = elements.findIndex(({ label }) => error.label === `add ${label}`);
      const publication = publications[index];
      if (publication) throw taken(publication);
    },
    refuseOverlap(withdraw) {
      const overlapping = publications.find((publication) => overlaps(network, publication));
      if (!overlapping) return;
      withdraw();
      throw taken(overlapping);
    },
  };
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
function overlaps({ table }: HostNetwork, { port, address }: Publication): boolean {
  const other = isEverywhere(address) ? "address-ports" : "ports";
  const wanted = [...protocolBytes(port), ...portBytes(port.hostPort)];
  return elementsOf(table, `${other}${address.length === 16 ? 6 : 4}`).some(({ key }) => {
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
