// The interfaces of a pod that starts: asked for first of all, so that its keeper makes them while
// the rest is resolved and planned.

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
  readonly reply: Promise<Reply>;
}

/** Undefined for a pod without any, and with a user namespace, which has to be there before. */
export function startLink(
  { client }: Pick<StartingKeeper, "client">,
  namespaces: PodSpec["namespaces"],
  network: ResolvedNetwork,
  trace: boolean,
): StartingLink | undefined {
  const { link } = network;
  if (!link || namespaces.user === "POD") return undefined;
  const plan = planLink(namespaces, link);
  const flags = trace ? [] : (["quiet"] as const);
  const request = { process: noProcess, flags, stopSignal: 0, graceMs: 0, trace };
  const reply = launchProcess(client, { ...request, plan });
  reply.catch(() => {}); // Heard together with the others.
  const about = { subject: "the sandbox", name: "network", secrets: noSecrets };
  return { network, planned: { ...about, plan: () => plan, request }, reply };
}
