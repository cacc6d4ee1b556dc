// The plans of a pod's start, in the order they are sent, each with what a failure of it is called.

import type { LaunchRequest } from "../launch/keeper-client.ts";
import type { ProcessLaunch } from "../launch/launch.ts";
import { networkTurn, noProcess } from "../plan/abi.gen.ts";
import type { LogPolicy } from "../plan/container.ts";
import { defaultLogPolicy, planContainer } from "../plan/container.ts";
import { planPause } from "../plan/exec.ts";
import type { Plan } from "../plan/plan.ts";
import { printPlanWithOrigins } from "../plan/print.ts";
import type { Secrets } from "../plan/redact.ts";
import { noSecrets } from "../plan/redact.ts";
import { planSandbox } from "../plan/sandbox.ts";
import type { ResolveOptions } from "../resolve/pod.ts";
import { firstOtherProcess, resolvePod } from "../resolve/pod.ts";
import type { HostFacts } from "../spec/host-facts.ts";
import type { ImageSource } from "../resolve/image.ts";
import type { PodSpec } from "../spec/pod-spec.ts";
import type { IdRange, ResolvedContainer, ResolvedPod } from "../spec/resolved.ts";
import { hostIds } from "./claims.ts";
import type { UpOptions } from "./types.ts";

/** What the host's owner decides, as against the manifest. */
export type Policy = Pick<
  ResolveOptions,
  | "places"
  | "podPidsMax"
  | "missingControllers"
  | "warn"
  | "allowedUnsafeSysctls"
  | "cdiDirectories"
>;

export interface PlanOptions extends Pick<UpOptions, "trace" | "lifetime"> {
  readonly log: LogPolicy;
  /** No container's answer says that the sandbox came up: none is sent with it. */
  readonly hearsSandbox?: boolean;
  /** The interfaces are made meanwhile: the first container waits for them before it execs. */
  readonly isLinkedLater?: boolean;
  /** Index of the plan (sandbox, then containers) and operation to fail; tests walk it. */
  readonly failAt?: { readonly plan: number; readonly operation: number };
}

export const sigterm = 15;
export const launchTimeoutMs = 60_000;
const pauseProcess = firstOtherProcess;

/**
 * What is sent, and under which name a failure is told. Planned when it is asked for: the keeper
 * works meanwhile.
 */
export interface PlannedProcess {
  readonly subject: string;
  readonly name: string;
  readonly plan: () => Plan;
  /** What of it is never shown. */
  readonly secrets: Secrets;
  readonly request: Omit<ProcessLaunch, "plan">;
}

export function printPodPlan(
  spec: PodSpec,
  facts: HostFacts,
  options: Policy & {
    readonly ids: IdRange;
    readonly images: ImageSource | undefined;
    readonly showSecrets: boolean;
  },
): string {
  const uid = "00000000-0000-0000-0000-000000000000";
  // A plan that is only read takes no range; it shows the first.
  const ids =
    spec.namespaces.user === "POD"
      ? { firstId: 1_879_048_192, count: 65_536, claim: "0" }
      : hostIds;
  const pod = resolvePod(spec, facts, {
    ...options,
    uid,
    ids,
    deadlineMs: launchTimeoutMs,
    files: {},
  });
  return planProcesses(pod, facts, { log: defaultLogPolicy })
    .map(({ subject, plan, secrets }) => {
      const hidden = options.showSecrets ? noSecrets : secrets;
      return `${subject}: ${printPlanWithOrigins(plan(), hidden)}`;
    })
    .join("\n");
}

/** Nothing is planned before it is asked for. */
export function planProcesses(
  pod: ResolvedPod,
  facts: HostFacts,
  options: PlanOptions,
): readonly [sandbox: PlannedProcess, ...others: PlannedProcess[]] {
  const { failAt } = options;
  const requestOf = (index: number) => ({
    trace: options.trace ?? false,
    ...(failAt?.plan === index && { failAt: failAt.operation + 1 }),
  });
  const ofSandbox = { stopSignal: sigterm, graceMs: pod.terminationGraceMs };
  const sandbox: PlannedProcess = {
    subject: "the sandbox",
    name: "sandbox",
    plan: once(() => planSandbox(pod, facts)),
    secrets: noSecrets,
    request: {
      ...requestOf(0),
      ...ofSandbox,
      process: noProcess,
      flags: [
        ...(options.lifetime === "detached" ? (["detached"] as const) : []),
        ...(options.trace || options.hearsSandbox ? [] : (["quiet"] as const)),
      ],
    },
  };
  const pause: PlannedProcess = {
    subject: "the pause of the shared PID namespace",
    name: "pause",
    plan: once(() => planPause(pod, facts)),
    secrets: noSecrets,
    request: { ...requestOf(-1), ...ofSandbox, process: pauseProcess, flags: ["unrecorded"] },
  };
  const containers = pod.containers.map((container, index) => {
    const planned = planProcess(pod, container, facts, options);
    // In the order of the manifest: one execs when the one before it has.
    const first = options.isLinkedLater ? networkTurn : noProcess;
    const after = index === 0 ? first : container.process - 1;
    return { ...planned, request: { ...planned.request, ...requestOf(index + 1), after } };
  });
  return [sandbox, ...(pod.namespaces.pid === "POD" ? [pause] : []), ...containers];
}

/** One run of a container. */
export function planProcess(
  pod: ResolvedPod,
  container: ResolvedContainer,
  facts: HostFacts,
  { log }: Pick<PlanOptions, "log">,
): PlannedProcess {
  return {
    subject: `container ${container.name}`,
    name: container.name,
    plan: once(() => planContainer(pod, container, facts, { log })),
    secrets: container.secrets,
    request: {
      stopSignal: container.stopSignal,
      graceMs: pod.terminationGraceMs,
      process: container.process,
      attempt: container.attempt,
      ...(container.targetProcess >= 0 && { target: container.targetProcess }),
      flags: launchFlagsOf(container),
    },
  };
}

function launchFlagsOf(container: ResolvedContainer): LaunchRequest["flags"] {
  return [
    ...(container.stdin ? (["stdin"] as const) : []),
    ...(container.stdinOnce ? (["stdin_once"] as const) : []),
    ...(container.tty ? (["terminal"] as const) : []),
  ];
}

function once<Value>(make: () => Value): () => Value {
  let made: { readonly value: Value } | undefined;
  return () => (made ??= { value: make() }).value;
}
