// What a pod's network is made of, once its addresses are known.

import type { PortSpec } from "./pod-spec.ts";

/** Requests for one netlink socket, encoded. */
export interface NetlinkBatch {
  /** What each request does, in order; they are numbered from 1. */
  readonly labels: readonly string[];
  readonly messages: Uint8Array;
  /** Where the keeper puts its pid; 0 for nowhere. */
  readonly pidAt: number;
}

/** A network namespace's way out: none with `hostNetwork`, and where loopback is all there is. */
export interface ResolvedNetwork {
  /** Of its interface, the primary one first: IPv4, then IPv6 where the host has it. */
  readonly podIPs: readonly string[];
  /** Of the host, in the same order; also of a pod with the host's network. */
  readonly hostIPs: readonly string[];
  /** Addresses of the host at which pods find a name server; none where nobody is there. */
  readonly nameservers?: readonly string[];
  readonly link?: ResolvedLink;
}

export interface ResolvedLink {
  /** Of its end on the host. */
  readonly name: string;
  /** Its name among the state directory's claims of addresses. */
  readonly claim: string;
  /** On the host: the pair of interfaces, address, route, neighbour. */
  readonly host: NetlinkBatch;
  /** In the pod. */
  readonly pod: NetlinkBatch;
  /** What of the packet rules goes with the pod. */
  readonly withdraw: readonly NetlinkBatch[];
  /** Published ones. */
  readonly ports: readonly PortSpec[];
}

/** Bits a second; undefined for as many as there are. */
export interface Bandwidth {
  readonly ingress?: number;
  readonly egress?: number;
}

export const noNetwork: ResolvedNetwork = { podIPs: [], hostIPs: [] };
