// New requests and limits for containers of a pod that runs. Nothing is begun that Kubernetes would
// refuse, and what fails half-way is taken back.

import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import { PodError } from "../errors/pod-error.ts";
import { explainReply } from "../launch/explain.ts";
import type { KeeperClient } from "../launch/keeper-client.ts";
import { launchProcess } from "../launch/launch.ts";
import type { Plan } from "../plan/plan.ts";
import { noSecrets } from "../plan/redact.ts";
import type { ResizeInput } from "../plan/resize.ts";
import { planResize } from "../plan/resize.ts";
import { updateRequest } from "../plan/update.ts";
import type { HostFacts } from "../spec/host-facts.ts";
import type { ContainerSpec, PodSpec } from "../spec/pod-spec.ts";
import { originOf } from "../spec/pod-spec.ts";
import { containerResources, podResources } from "../spec/resources.ts";
import { withResources } from "./resized-manifest.ts";
import type { PodState } from "./read-state.ts";
import type { ResizeWish } from "./shapes.ts";
import { replacePodState } from "./state.ts";

export interface Resize {
  /** As it is to be. */
  readonly spec: PodSpec;
  /** To be stopped before `applyResize` and started after it, by their resizePolicy. */
  readonly restarts: readonly string[];
  readonly input: ResizeInput;
}

/** Throws for what may not be; changes nothing. */
export function prepareResize(
  before: PodSpec,
  state: PodState,
  wishes: readonly ResizeWish[],
  facts: HostFacts,
): Resize {
  for (const wish of wishes) checkWish(before, wish);
  const wishOf = (name: string) => wishes.find(({ container }) => container === name);
  const apply = (container: ContainerSpec) => resized(container, wishOf(container.name));
  const containers = before.containers.map(apply);
  const initContainers = before.initContainers.map(apply);
  const all = [...initContainers, ...containers];
  const manifest = withResources(before.manifest, all);
  const spec: PodSpec = { ...before, containers, initContainers, manifest };
  const [old, next] = [podResources(before), podResources(spec)];
  for (const container of all) if (wishOf(container.name)) checkAmounts(spec, container);
  if (old.qos !== next.qos) {
    throw refused(
      `Pod QOS Class may not change as a result of resizing: it is ${old.qos}, and would be ${next.qos}`,
      "change requests and limits together, or start the pod anew",
    );
  }
  checkNode(next.cpuRequestMilli, cpus().length * 1000, "cpu");
  checkNode(next.memoryRequestBytes, facts.memoryBytes, "memory");
  const changed = [...before.initContainers, ...before.containers].flatMap((was) => {
    const wish = wishOf(was.name);
    const now = all.find(({ name }) => name === was.name);
    return wish && now ? [{ was, now }] : [];
  });
  const restarts = changed.filter(({ was, now }) => wantsRestart(was, now));
  return {
    spec,
    restarts: restarts.map(({ now }) => now.name),
    input: {
      places: state.places,
      firstId: state.ids.firstId,
      before: old,
      after: next,
      containers: changed
        .filter((one) => !restarts.includes(one))
        .map(({ was, now }) => ({
          name: now.name,
          field: `${now.field}.resources`,
          before: containerResources(before, was),
          after: containerResources(spec, now),
        })),
    },
  };
}

/** In the pod's groups, and in its state: what is read of it from here on has the new amounts. */
export async function applyResize(
  client: KeeperClient,
  directory: string,
  state: PodState,
  { spec, input }: Resize,
  facts: HostFacts,
): Promise<void> {
  checkUsage(input);
  await run(client, spec, planResize(input, facts), async () => {
    const { before: after, after: before, containers } = input;
    const back = containers.map((one) => ({ ...one, before: one.after, after: one.before }));
    const plan = planResize({ ...input, before, after, containers: back }, facts);
    await launchProcess(client, { ...updateRequest, plan });
  });
  state.cpuRequestMilli = input.after.cpuRequestMilli;
  state.manifest = { ...spec.manifest };
  replacePodState(directory, state);
}

async function run(
  client: KeeperClient,
  spec: PodSpec,
  plan: Plan,
  takeBack: () => Promise<void>,
): Promise<void> {
  if (plan.steps.length === 0) return;
  const reply = await launchProcess(client, { ...updateRequest, plan });
  if (reply.status === "ok") return;
  await takeBack();
  throw explainReply({
    reply,
    plan,
    subject: `the new size of pod ${spec.name}`,
    originOf: (field) => originOf(spec, field),
    secrets: noSecrets,
  });
}

function resized(container: ContainerSpec, wish: ResizeWish | undefined): ContainerSpec {
  if (!wish) return container;
  const { requests, limits } = container.resources;
  return {
    ...container,
    resources: {
      requests: { ...requests, ...wish.requests },
      limits: { ...limits, ...wish.limits },
    },
  };
}

function checkWish({ containers, initContainers }: PodSpec, { container }: ResizeWish): void {
  const found = [...initContainers, ...containers].find(({ name }) => name === container);
  if (!found) {
    const names = containers.map(({ name }) => name).join(", ");
    throw new PodError({
      code: "container.unknown",
      message: `there is no container ${JSON.stringify(container)} to resize`,
      hint: `there are ${names}`,
    });
  }
  if (initContainers.includes(found) && found.life.restartPolicy !== "Always") {
    throw refused(`${container} is an init container, which runs once and is not resized`);
  }
}

const kinds = [
  ["cpuMilli", "cpu"],
  ["memoryBytes", "memory"],
] as const;

function checkAmounts(spec: PodSpec, { name, resources }: ContainerSpec): void {
  const pod = spec.resources?.limits ?? {};
  for (const [key, resource] of kinds) {
    const request = resources.requests[key] ?? 0;
    const limit = resources.limits[key] ?? 0;
    if (limit > 0 && request > limit) {
      throw refused(`the ${resource} request of container ${name} would be above its limit`);
    }
    if (pod[key] && limit > pod[key]) {
      throw refused(`the ${resource} limit of container ${name} would be above the pod's own`);
    }
  }
}

function checkNode(asked: number, capacity: number, resource: string): void {
  if (asked <= capacity) return;
  throw refused(
    `Node didn't have enough capacity: ${resource}, requested: ${asked}, capacity: ${capacity}`,
    "ask for less",
  );
}

/**
 * The kernel kills what it cannot reclaim below a new limit, so a limit below what is used is
 * refused for as long as it is used, as a kubelet does.
 */
function checkUsage({ places, before, after, containers }: ResizeInput): void {
  const pod = `${places.cgroupParent}/${places.cgroupName}`;
  const groups = [
    { name: "the pod", path: pod, before, after },
    ...containers.map((one) => ({
      ...one,
      name: `container ${one.name}`,
      path: `${pod}/${one.name}`,
    })),
  ];
  for (const { name, path, ...amounts } of groups) {
    const limit = amounts.after.memoryLimitBytes;
    if (limit === 0 || limit === amounts.before.memoryLimitBytes) continue;
    const used = usedBytes(path);
    if (used <= limit) continue;
    throw refused(
      `${name} uses ${used} bytes of memory, more than the ${limit} that it would be left with`,
      "free some first, or start the container anew with resizePolicy: RestartContainer",
    );
  }
}

/** 0 without the controller. */
function usedBytes(group: string): number {
  try {
    return Number(readFileSync(`${group}/memory.current`, "utf8"));
  } catch {
    return 0;
  }
}

function wantsRestart(before: ContainerSpec, after: ContainerSpec): boolean {
  return kinds.some(
    ([key, resource]) =>
      after.restartOnResize.includes(resource) &&
      (before.resources.requests[key] !== after.resources.requests[key] ||
        before.resources.limits[key] !== after.resources.limits[key]),
  );
}

function refused(message: string, hint?: string): PodError {
  return new PodError({ code: "pod.resize-refused", message, ...(hint && { hint }) });
}
