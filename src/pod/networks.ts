// Addresses for the pods of one state directory. The code that knows how is loaded with the first
// pod that gets one.

import { existsSync } from "node:fs";
import { PodError } from "../errors/pod-error.ts";
import type { HostNetwork } from "../network/host-network.ts";
import type { ResolvedNetwork } from "../spec/network.ts";
import { noNetwork } from "../spec/network.ts";
import type { HostPath } from "../spec/paths.ts";
import type { PodSpec } from "../spec/pod-spec.ts";
import { originOf } from "../spec/pod-spec.ts";
import type { PolicyOptions } from "./policy.ts";
import { linkTarget } from "./state.ts";

/** `cni` is the first of the host's CNI networks; `bridge:NAME` a bridge that the host has. */
export type NetworkMode = "default" | "none" | "cni" | `cni:${string}` | `bridge:${string}`;

function usesPlugins(mode: NetworkMode): boolean {
  return mode.startsWith("cni") || mode.startsWith("bridge:");
}

export interface NetworksOptions {
  readonly mode: NetworkMode;
  readonly state: HostPath;
  readonly range: string | undefined;
  /** Undefined for that of the host's way out. */
  readonly mtu: number | undefined;
  readonly warn: (message: string) => void;
}

export class Networks implements AsyncDisposable {
  readonly #options: NetworksOptions;
  #opened: Promise<HostNetwork> | undefined;
  #serving: Promise<AsyncDisposable | undefined> | undefined;

  constructor(options: NetworksOptions) {
    this.#options = options;
  }

  /** A pod of this process has had an address. */
  get isUsed(): boolean {
    return this.#opened !== undefined;
  }

  /** For a pod that is not there yet, and publishes nothing; undefined where nothing can be. */
  async attachAhead(uid: string): Promise<ResolvedNetwork | undefined> {
    if (this.#options.mode !== "default") return undefined;
    const network = await this.#open();
    if (!network.record.hasLinks) return undefined;
    const { attachPod } = await import("../network/attach.ts");
    return attachPod(network, {
      uid,
      mtu: this.#options.mtu,
      ports: [],
      originOf: (field) => noPlace(field),
    });
  }

  async attach(uid: string, spec: PodSpec, keeperPid: number): Promise<ResolvedNetwork> {
    if (spec.namespaces.network === "NODE") return noNetwork;
    const { mode, range, state, warn } = this.#options;
    if (usesPlugins(mode)) {
      const { attachToCni } = await import("./cni-networks.ts");
      return attachToCni(state, { mode, range, uid, spec, keeperPid, warn });
    }
    const network = await this.#open();
    for (const lack of network.record.lacks) this.#options.warn(lack);
    if (!network.record.hasLinks) return noNetwork;
    const { attachPod } = await import("../network/attach.ts");
    return attachPod(network, {
      uid,
      mtu: this.#options.mtu,
      ports: [...spec.initContainers, ...spec.containers].flatMap(({ ports }) => ports),
      bandwidth: spec.bandwidth,
      originOf: (field) => originOf(spec, field),
    });
  }

  /**
   * Before anything of the pod runs. A pod without policies of its own waits for nothing but one
   * look at the state directory.
   */
  async admit(uid: string, spec: PodSpec, { podIPs, link }: ResolvedNetwork): Promise<void> {
    const { mode, state, warn } = this.#options;
    if (!link) {
      if (spec.policies && podIPs.length > 0) warn(`policies mean nothing to the network ${mode}`);
      return;
    }
    if (!spec.policies && !existsSync(`${state}/policies`)) return;
    const { admitPod } = await import("./network-policies.ts");
    admitPod(await this.#open(), uid, spec, podIPs);
  }

  /** Who brought policies while this pod started could not know what it is. */
  async admitLate({ policies }: PodSpec, { link }: ResolvedNetwork): Promise<void> {
    const { state } = this.#options;
    if (!link || policies || !existsSync(`${state}/policies`)) return;
    const { applyPolicies } = await import("../network/policies/keep.ts");
    applyPolicies(await this.#open());
  }

  /** What its keeper has not given back, if anything. */
  async detach(uid: string, { link }: ResolvedNetwork): Promise<void> {
    if (usesPlugins(this.#options.mode)) {
      const { detachFromCni } = await import("./cni-networks.ts");
      return detachFromCni(this.#options.state, (other) => other === uid);
    }
    if (!link || !this.#opened) return;
    const network = await this.#opened;
    if (linkTarget(`${network.state}/addresses/${link.claim}`) !== uid) return;
    const { detachPod } = await import("../network/attach.ts");
    detachPod(network, link);
  }

  /** Names of pods, for as long as this process has some. Off every path that somebody waits on. */
  serveNames({ network }: { readonly network?: object | undefined }): void {
    if (!network || this.#options.mode !== "default") return;
    this.#serving ??= this.#serve().catch(() => undefined);
  }

  async #serve(): Promise<AsyncDisposable | undefined> {
    const { state } = this.#options;
    const { openNameServer } = await import("../network/name-server.ts");
    return openNameServer(state);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#serving)?.[Symbol.asyncDispose]();
    const network = await this.#opened;
    network?.rules[Symbol.dispose]();
  }

  #open(): Promise<HostNetwork> {
    if (this.#opened) return this.#opened;
    const { state, range } = this.#options;
    const opened = import("../network/host-network.ts").then(({ openHostNetwork }) =>
      openHostNetwork(state, { range }),
    );
    // What failed once may go well when the host has changed.
    opened.catch(() => (this.#opened = undefined));
    return (this.#opened = opened);
  }
}

/** When a pod has ended: plugins hear of it. */
export async function leaveNetworks(state: HostPath): Promise<void> {
  if (existsSync(`${state}/policies`)) {
    const { leavePolicies } = await import("./network-policies.ts");
    await leavePolicies(state);
  }
  if (!existsSync(`${state}/cni`)) return;
  const { detachFromCni } = await import("./cni-networks.ts");
  await detachFromCni(state, (uid) => !existsSync(`${state}/pods/${uid}`));
}

const noPlace = (field: string) => ({ field, file: "", line: 0, column: 0 });

/** Its interfaces are others than those of a pod that says nothing of them. */
export function wantsOwnLink({ bandwidth, containers, initContainers }: PodSpec): boolean {
  if (bandwidth) return true;
  const all = [...initContainers, ...containers];
  return all.some(({ ports }) => ports.some(({ hostPort }) => hostPort > 0));
}

/** When pods have ended: what they had in common on the host goes with the last. */
export async function removeNetwork(state: HostPath): Promise<void> {
  await leaveNetworks(state);
  if (!existsSync(`${state}/network.json`)) return;
  const { findHostNetwork } = await import("../network/host-network.ts");
  const network = findHostNetwork(state);
  if (!network?.record.hasRules) return;
  const { removeTable } = await import("../network/make-table.ts");
  using _ = network.rules;
  removeTable(network);
}

/** Undefined where pods have only loopback. */
export function openNetworks(
  { network, networkRange, networkMtu }: PolicyOptions,
  state: HostPath,
  warn: (message: string) => void,
): Networks | undefined {
  const { env } = process;
  const mode = networkMode(network ?? env["PEAPOD_NETWORK"]);
  if (mode === "none") return undefined;
  const range = networkRange ?? env["PEAPOD_NETWORK_RANGE"];
  const mtu = checkMtu(networkMtu ?? env["PEAPOD_NETWORK_MTU"]);
  return new Networks({ mode, state, range, mtu, warn });
}

/** IPv6 has no smaller packets, and no interface has larger ones. */
function checkMtu(asked: string | number | undefined): number | undefined {
  if (asked === undefined) return undefined;
  const [least, most] = [1280, 65_535];
  const mtu = Number(asked);
  if (Number.isInteger(mtu) && mtu >= least && mtu <= most) return mtu;
  throw new PodError({
    code: "network.bad-mtu",
    message: `${JSON.stringify(asked)} is no size of packets from ${least} to ${most} bytes`,
  });
}

function networkMode(text: string | undefined): NetworkMode {
  if (text === undefined || text === "default" || text === "none") return text ?? "default";
  if (text === "cni" || /^(cni|bridge):./.test(text)) return text as NetworkMode;
  throw new PodError({
    code: "network.unknown",
    message: `${JSON.stringify(text)} is no network of pods`,
  });
}
