// Running plans that no manifest leads to: another way into the root, or a container that was left
// its privileges.

import { readFileSync } from "node:fs";
import { launchProcess, startKeeper } from "../../src/launch/launch.ts";
import { closeFd } from "../../src/native/syscalls.ts";
import { noProcess } from "../../src/plan/abi.gen.ts";
import { planContainer } from "../../src/plan/container.ts";
import type { Plan } from "../../src/plan/plan.ts";
import { planSandbox } from "../../src/plan/sandbox.ts";
import { planTeardown } from "../../src/plan/teardown.ts";
import { claimIds, claimName, hostIds, releaseClaims } from "../../src/pod/claims.ts";
import { reapWhenEnded } from "../../src/native/process-end.ts";
import { makeKeeperGroup, removeKeeperGroup } from "../../src/pod/keepers.ts";
import type { PodManifest } from "../../src/read/pod-manifest/read.ts";
import { readPodManifest } from "../../src/read/pod-manifest/read.ts";
import { resolvePod } from "../../src/resolve/pod.ts";
import type { ResolvedPod } from "../../src/spec/resolved.ts";
import type { TestHost } from "./host.ts";
import { probeAnswers } from "./probe.ts";

const sigterm = 15;

/** What the probe of the pod's only container said. The pod is gone when this returns. */
export async function answersOfChanged(
  host: TestHost,
  manifest: PodManifest,
  change: (plan: Plan) => Plan,
): Promise<Record<string, unknown>> {
  const { places } = host.pods;
  const spec = readPodManifest(manifest);
  const facts = host.pods.facts();
  const uid = crypto.randomUUID();
  const nameLink = `${spec.namespace}_${spec.name}`;
  claimName(places, nameLink, uid);
  const ids = spec.namespaces.user === "POD" ? claimIds(places, uid) : hostIds;
  const pod = resolvePod(spec, facts, {
    ...{ uid, places, ids, podPidsMax: 4096, deadlineMs: 10_000, files: {} },
    ...{ missingControllers: "warn", warn: () => {} },
  });
  try {
    const [container] = pod.containers;
    if (!container) throw new Error("the pod has a container");
    await run(pod, [
      planSandbox(pod, facts),
      planTeardown(pod.places, ids.claim),
      change(planContainer(pod, container, facts)),
    ]);
    const { logsParent, logsName } = pod.places;
    const log = readFileSync(`${logsParent}/${logsName}/${container.name}/0.log`, "utf8");
    return probeAnswers(log.replace(/^\S+ \S+ F /gm, ""));
  } finally {
    await down(pod);
    releaseClaims(places, nameLink, ids, uid);
  }
}

const keepers = new Map<string, () => Promise<void>>();

async function down(pod: ResolvedPod): Promise<void> {
  await keepers.get(pod.uid)?.();
  keepers.delete(pod.uid);
  await removeKeeperGroup(pod.places);
}

/** Until the container has exited. */
async function run(pod: ResolvedPod, plans: readonly Plan[]): Promise<void> {
  const exited = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<void>();
  const group = makeKeeperGroup(pod.places);
  const replies: ReturnType<typeof launchProcess>[] = [];
  const { client, pidfd } = startKeeper({
    cgroup: group,
    seed: -1,
    namespaces: [],
    links: false,
    events: { exited: () => exited.resolve(), ended() {}, closed: () => closed.resolve() },
  });
  for (const plan of plans) {
    const process = plan.kind === "container" ? 0 : noProcess;
    const request = { process, flags: [], stopSignal: sigterm, graceMs: 0, plan };
    replies.push(launchProcess(client, request));
  }
  closeFd(group);
  keepers.set(pod.uid, async () => {
    await client.end(0).catch(() => {});
    await closed.promise;
    await reapWhenEnded(pidfd);
  });
  await client.listen();
  for (const [index, { status, operation, errno }] of (await Promise.all(replies)).entries()) {
    if (status === "ok") continue;
    const op = plans[index]?.steps[operation]?.op.op;
    throw new Error(`plan ${index} ${status} at ${op} with errno ${errno}`);
  }
  await exited.promise;
}
