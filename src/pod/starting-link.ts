// The interfaces of a pod that starts: asked for when its first process has been, so that the
// keeper makes them while that builds its root, or in a pool long before.

import type { Reply } from "../launch/keeper-client.ts";
import { launchProcess } from "../launch/launch.ts";
import { noProcess } from "../plan/abi.gen.ts";
import { planLink } from "../plan/link.ts";
import { noSecrets } from "../plan/redact.ts";
import type { ResolvedNetwork } from "../spec/network.ts";
import type { PodSpec } from "../spec/pod-spec.ts";
import type { PlannedProcess } from "./plans.ts";
import type { StartingKeeper } from "./starting-keeper.ts";

export interface StartingLink {
  readonly network: ResolvedNetwork;
  readonly planned: PlannedProcess;
  /** Asked for once, whoever calls it. */
  readonly send: () => Promise<Reply>;
}

/** Undefined for a pod without any, and with a user namespace, which has to be there before. */
export function prepareLink(
  { client }: Pick<StartingKeeper, "client">,
  namespaces: PodSpec["namespaces"],
  network: ResolvedNetwork,
  trace: boolean,
): StartingLink | undefined {
  const { link } = network;
  if (!link || namespaces.user === "POD") return undefined;
  const plan = planLink(namespaces, link);
  const request = { process: noProcess, flags: [], stopSignal: 0, graceMs: 0, trace };
  const about = { subject: "the sandbox", name: "network", secrets: noSecrets };
  let reply: Promise<Reply> | undefined;
  const send = () => {
    reply ??= launchProcess(client, { ...request, plan });
    reply.catch(() => {}); // Heard together with the others.
    return reply;
  };
  return { network, planned: { ...about, plan: () => plan, request }, send };
}
