// Pods on a network of CNI plugins: attached when the keeper has made the network namespace, and
// taken back when the pod has ended, by whoever hears of that.

import { namespaceInode } from "./record.ts";
import { PodError } from "../errors/pod-error.ts";
import { sourceAddress } from "../native/interfaces.ts";
import type { CniAttachment } from "../network/cni/attachment.ts";
import {
  addAttachment,
  askStatus,
  collectGarbage,
  describeAttachment,
  hasCapability,
  readAttachments,
  removeAttachment,
} from "../network/cni/attachment.ts";
import type { CniList } from "../network/cni/configuration.ts";
import { findList } from "../network/cni/configuration.ts";
import { podAddresses } from "../network/cni/result.ts";
import { formatAddress } from "../network/address.ts";
import type { ResolvedNetwork } from "../spec/network.ts";
import type { HostPath } from "../spec/paths.ts";
import type { PodSpec } from "../spec/pod-spec.ts";
import { originOf } from "../spec/pod-spec.ts";

export interface CniNetworkWish {
  /** Of the network; empty for the first. */
  readonly name: string;
  readonly uid: string;
  readonly spec: PodSpec;
  readonly keeperPid: number;
  readonly warn: (message: string) => void;
}

const configurations = "/etc/cni/net.d";
const patienceMs = 5000;

export async function attachToCni(state: HostPath, wish: CniNetworkWish): Promise<ResolvedNetwork> {
  const { name, uid, spec, keeperPid, warn } = wish;
  if (spec.namespaces.user === "POD") {
    throw new PodError({
      code: "network.no-user-namespace",
      message: `pod ${spec.name} cannot have a user namespace of its own on a CNI network`,
      origin: originOf(spec, "spec.hostUsers"),
    });
  }
  const list = findList(process.env["CNI_CONF_DIR"] ?? configurations, name);
  const ports = [...spec.initContainers, ...spec.containers].flatMap((one) => one.ports);
  if (ports.some(({ hostPort }) => hostPort > 0) && !hasCapability(list, "portMappings")) {
    warn(`the network ${list.name} has no plugin that publishes ports, so none is published`);
  }
  await sweepOnce(state, list);
  await askStatus(list);
  await untilNamespace(keeperPid);
  const netns = `/proc/${keeperPid}/ns/net`;
  const { namespace, annotations, bandwidth } = spec;
  if (bandwidth && !hasCapability(list, "bandwidth")) {
    warn(`the network ${list.name} has no plugin that limits bandwidth, so none is limited`);
  }
  const described = { uid, name: spec.name, namespace, netns, ports, annotations, bandwidth };
  const result = await addAttachment(state, describeAttachment(list, described));
  const podIPs = podAddresses(result);
  return { podIPs, hostIPs: podIPs.map(hostAddressFor) };
}

const swept = new Set<string>();

/** What a killed process left with the plugins: once for each network that this one uses. */
async function sweepOnce(state: HostPath, list: CniList): Promise<void> {
  const key = `${state} ${list.name}`;
  if (swept.has(key)) return;
  swept.add(key);
  await collectGarbage(state, list);
}

/** The keeper makes it first of all. */
async function untilNamespace(keeperPid: number): Promise<void> {
  const own = namespaceInode(process.pid, "net");
  const end = performance.now() + patienceMs;
  for (;;) {
    const theirs = namespaceInode(keeperPid, "net");
    if (theirs !== 0 && theirs !== own) return;
    if (theirs === 0 || performance.now() > end) {
      throw new PodError({
        code: "pod.keeper-lost",
        message: "the keeper made no network namespace for the CNI plugins",
      });
    }
    await Bun.sleep(1);
  }
}

/** For documentation (RFC 5737, RFC 3849): wherever everything else goes. */
const elsewhere = {
  v4: Uint8Array.of(198, 51, 100, 1),
  v6: Uint8Array.of(0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
} as const;

function hostAddressFor(podIP: string): string {
  const found = sourceAddress(podIP.includes(":") ? elsewhere.v6 : elsewhere.v4);
  return found ? formatAddress(found) : podIP;
}

/** Throws in the words of the first plugin that failed, when all have been asked. */
export async function detachFromCni(
  state: HostPath,
  isOver: (uid: string) => boolean,
): Promise<void> {
  const over = readAttachments(state).filter(({ words }) => isOver(words.containerId));
  const results = await Promise.allSettled(
    over.map((attachment: CniAttachment) => removeAttachment(state, attachment)),
  );
  for (const result of results) if (result.status === "rejected") throw result.reason;
}
