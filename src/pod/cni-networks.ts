// Pods on a network of CNI plugins: attached when the keeper has made the network namespace, and
// taken back when the pod has ended, by whoever hears of that.

import { dirname } from "node:path";
import { namespaceInode } from "./record.ts";
import { PodError } from "../errors/pod-error.ts";
import { interfaceNumber, sourceAddress } from "../native/interfaces.ts";
import type { CniAttachment } from "../network/cni/attachment.ts";
import {
  addAttachment,
  askStatus,
  checkAttachment,
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
import type { PodPlaces } from "../spec/resolved.ts";
import type { PodSpec, PortSpec } from "../spec/pod-spec.ts";
import { originOf } from "../spec/pod-spec.ts";

/** Throws in the words of the plugin that misses something. */
export async function checkCni({ stateParent, uid }: PodPlaces): Promise<void> {
  const state = dirname(stateParent) as HostPath; // As `placesOf` puts them together.
  const attachment = readAttachments(state).find(({ words }) => words.containerId === uid);
  if (attachment) await checkAttachment(attachment);
}

export interface CniNetworkWish {
  /** `cni`, `cni:NAME` or `bridge:NAME`. */
  readonly mode: string;
  readonly range: string | undefined;
  readonly uid: string;
  readonly spec: PodSpec;
  readonly keeperPid: number;
  readonly warn: (message: string) => void;
}

const configurations = "/etc/cni/net.d";
const patienceMs = 5000;

export async function attachToCni(state: HostPath, wish: CniNetworkWish): Promise<ResolvedNetwork> {
  const { uid, spec, keeperPid, warn } = wish;
  if (spec.namespaces.user === "POD") {
    throw new PodError({
      code: "network.no-user-namespace",
      message: `pod ${spec.name} cannot have a user namespace of its own on a CNI network`,
      origin: originOf(spec, "spec.hostUsers"),
    });
  }
  const ports = [...spec.initContainers, ...spec.containers].flatMap((one) => one.ports);
  const list = await chooseList(state, wish, ports);
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

async function chooseList(
  state: HostPath,
  { mode, range, spec: { bandwidth } }: CniNetworkWish,
  ports: readonly PortSpec[],
): Promise<CniList> {
  const [kind, name = ""] = mode.split(/:(.*)/s);
  if (kind === "cni") return findList(process.env["CNI_CONF_DIR"] ?? configurations, name);
  if (interfaceNumber(name) === 0) {
    throw new PodError({
      code: "network.unknown",
      message: `this host has no bridge ${JSON.stringify(name)}`,
    });
  }
  const { bridgeList } = await import("../network/cni/bridge.ts");
  return bridgeList({ bridge: name, range, state, ports, bandwidth });
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
