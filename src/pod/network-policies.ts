// Policies of the default network, as pods come and go. Loaded where there are any.

import { PodError } from "../errors/pod-error.ts";
import { NetlinkError } from "../native/netlink.ts";
import type { HostNetwork } from "../network/host-network.ts";
import { findHostNetwork } from "../network/host-network.ts";
import { applyPolicies, keepPolicies } from "../network/policies/keep.ts";
import type { HostPath } from "../spec/paths.ts";
import type { PodSpec } from "../spec/pod-spec.ts";
import type { PodState } from "./read-state.ts";

export function admitPod(
  network: HostNetwork,
  uid: string,
  spec: PodSpec,
  [v4 = "", v6 = ""]: readonly string[],
): void {
  const { namespace, labels, policies = [] } = spec;
  const containers = [...spec.initContainers, ...spec.containers];
  const ports = containers.flatMap((container) =>
    container.ports
      .filter(({ name }) => name !== "")
      .map(({ name, protocol, containerPort }) => ({ name, protocol, port: containerPort })),
  );
  keepPolicies(network.state, uid, { namespace, labels, v4, v6, ports }, policies);
  const refuse = (cause: string) => {
    throw new PodError({
      code: "network.no-policies",
      message: `cannot filter the traffic of pod ${spec.name} by policies: ${cause}`,
    });
  };
  if (!network.record.hasRules) refuse(network.record.lacks.join("; "));
  try {
    applyPolicies(network);
  } catch (error) {
    if (!(error instanceof NetlinkError)) throw error;
    refuse(error.message);
  }
}

/** Of a pod that stays, as its manifest and the policies beside it are now. */
export function renewPolicies(
  state: HostPath,
  { uid, network: found }: Pick<PodState, "uid" | "network">,
  spec: PodSpec,
): void {
  const network = findHostNetwork(state);
  // Without an interface of ours it is on a network of plugins.
  if (!network || !found || found.interface === "") return;
  using _ = network.rules;
  admitPod(network, uid, spec, found.podIPs);
}

/** By state directory. */
const leaving = new Map<string, Promise<void>>();
/** A thousand pods that end at once are one change. */
const patienceMs = 20;

export function leavePolicies(state: HostPath): Promise<void> {
  const under = leaving.get(state);
  if (under) return under;
  const applied = Bun.sleep(patienceMs).then(() => {
    leaving.delete(state);
    const network = findHostNetwork(state);
    if (!network) return;
    using _ = network.rules;
    applyPolicies(network);
  });
  leaving.set(state, applied);
  return applied;
}
