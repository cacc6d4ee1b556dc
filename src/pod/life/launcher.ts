// One run of one container: its image, its answers, its plan, its launch. What came of it is told;
// what to do about it is the supervisor's business.

import { existsSync, mkdirSync } from "node:fs";
import { PodError } from "../../errors/pod-error.ts";
import type { PreparedImages } from "../../image/prepare.ts";
import type { KeeperClient } from "../../launch/keeper-client.ts";
import { KeeperGone } from "../../launch/keeper-client.ts";
import { explainReply } from "../../launch/explain.ts";
import { launchProcess } from "../../launch/launch.ts";
import { resolvePod } from "../../resolve/pod.ts";
import type { HostFacts } from "../../spec/host-facts.ts";
import type { ContainerLaunch } from "../../spec/launches.ts";
import type { ContainerSpec, PodSpec } from "../../spec/pod-spec.ts";
import { isBuiltIn, originOf } from "../../spec/pod-spec.ts";
import type { ResolvedNetwork } from "../../spec/network.ts";
import type { IdRange, ResolvedContainer } from "../../spec/resolved.ts";
import type { PlanOptions, Policy } from "../plans.ts";
import { launchTimeoutMs, planProcess } from "../plans.ts";

export interface LaunchContext extends Policy, Pick<PlanOptions, "log"> {
  readonly facts: HostFacts;
  readonly uid: string;
  readonly network: ResolvedNetwork;
  readonly ids: IdRange;
  /** Brought before; undefined where an owner has taken over. */
  readonly images?: PreparedImages | undefined;
  readonly prepareImages: (
    spec: PodSpec,
    containers: readonly ContainerSpec[],
  ) => Promise<PreparedImages>;
}

export type Launched =
  | { readonly kind: "running"; readonly container: ResolvedContainer }
  /** Nothing was launched: the run before has not left, or this one has been launched already. */
  | { readonly kind: "busy" }
  | { readonly kind: "stale" }
  /** `isMade`: there was a container, and its program could not be executed. */
  | {
      readonly kind: "failed";
      readonly reason: string;
      readonly error: PodError;
      readonly isMade: boolean;
    };

export async function launchContainer(
  spec: PodSpec,
  launch: ContainerLaunch,
  client: KeeperClient,
  context: LaunchContext,
  after?: number,
): Promise<Launched> {
  const container = await resolveOne(spec, launch, context);
  if ("kind" in container && container.kind === "failed") return container;
  const { pod, resolved } = container as Resolved; // The other case has just returned.
  const planned = planProcess(pod, resolved, context.facts, context);
  const plan = planned.plan();
  const request = { ...planned.request, plan, ...(after !== undefined && { after }) };
  const reply = await launchProcess(client, request);
  if (reply.status === "ok") return { kind: "running", container: resolved };
  if (reply.status === "busy" || reply.status === "stale") return { kind: reply.status };
  const error = explainReply({
    reply,
    plan,
    subject: planned.subject,
    originOf: (field) => originOf(spec, field),
    secrets: planned.secrets,
  });
  return { kind: "failed", reason: "RunContainerError", error, isMade: true };
}

interface Resolved {
  readonly pod: ReturnType<typeof resolvePod>;
  readonly resolved: ResolvedContainer;
}

async function resolveOne(spec: PodSpec, launch: ContainerLaunch, context: LaunchContext) {
  try {
    using prepared = await imagesOf(spec, launch, context);
    const pod = resolvePod(spec, context.facts, {
      ...context,
      images: prepared?.images,
      launches: [launch],
      deadlineMs: launchTimeoutMs,
      files: {},
    });
    prepared?.images.alsoKeepFor(context.uid, pod.places.stateParent);
    const { logsParent, logsName } = pod.places;
    const logs = `${logsParent}/${logsName}/${launch.container.name}`;
    // The first run made it, and took it back if it failed.
    if (launch.attempt > 0 && !existsSync(logs)) mkdirSync(logs, { mode: 0o750 });
    const [resolved] = pod.containers;
    if (!resolved) throw new Error("the container that was asked for is not there");
    return { pod, resolved } satisfies Resolved;
  } catch (error) {
    if (!(error instanceof PodError) || error instanceof KeeperGone) throw error;
    const { imageReason } = await import("../../image/reasons.ts");
    const reason = imageReason(error) ?? "CreateContainerConfigError";
    return { kind: "failed", reason, error, isMade: false } satisfies Launched;
  }
}

/** Those that were brought for the pod's start are not disposed of here. */
async function imagesOf(
  spec: PodSpec,
  { container, attempt }: ContainerLaunch,
  context: LaunchContext,
) {
  const wantsStore =
    !isBuiltIn(container.image) || spec.volumes.some(({ kind }) => kind === "image");
  if (!wantsStore) return undefined;
  if (attempt === 0 && context.images) {
    return { images: context.images, [Symbol.dispose]() {} };
  }
  const images = await context.prepareImages(spec, [container]);
  return { images, [Symbol.dispose]: () => images[Symbol.dispose]() };
}
