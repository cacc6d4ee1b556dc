// The files of a pod's volumes, brought up to what its manifest and its objects say now: labels,
// annotations, ConfigMaps and Secrets may change while it runs.

import { explainReply } from "../launch/explain.ts";
import type { KeeperClient } from "../launch/keeper-client.ts";
import { launchProcess } from "../launch/launch.ts";
import type { ProjectedChange } from "../plan/projected.ts";
import { isSameContent, planProjectedUpdate } from "../plan/projected.ts";
import { noSecrets } from "../plan/redact.ts";
import { updateRequest } from "../plan/update.ts";
import type { ResolveOptions } from "../resolve/pod.ts";
import { resolveFileSets } from "../resolve/volumes.ts";
import type { HostFacts } from "../spec/host-facts.ts";
import type { PodSpec } from "../spec/pod-spec.ts";
import { originOf } from "../spec/pod-spec.ts";

/**
 * From what `before` put into the volumes to what `after` wants there; the names of the volumes
 * that changed. Whoever reads sees the old files or the new. A container's variables, and files
 * mounted by subPath, stay what they were when it started.
 */
export async function updateFiles(
  client: KeeperClient,
  before: PodSpec,
  after: PodSpec,
  facts: HostFacts,
  options: Pick<ResolveOptions, "uid" | "ids" | "network" | "places">,
): Promise<readonly string[]> {
  const old = resolveFileSets(before, facts, options);
  const changes = resolveFileSets(after, facts, options).flatMap((volume, index) => {
    const known = old[index];
    if (!volume || !known || isSameContent(known.files, volume.files)) return [];
    return [{ index, before: known, after: volume } satisfies ProjectedChange];
  });
  if (changes.length === 0) return [];
  const plan = planProjectedUpdate({ ids: options.ids }, changes);
  const reply = await launchProcess(client, { ...updateRequest, plan });
  if (reply.status === "ok") return changes.map((change) => change.after.name);
  throw explainReply({
    reply,
    plan,
    subject: "the update of the pod's files",
    originOf: (field) => originOf(after, field),
    secrets: noSecrets,
  });
}
