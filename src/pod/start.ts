// Starting a pod: claim, resolve, plan, launch; or one error, and nothing left.

import { PodError } from "../errors/pod-error.ts";
import { explainReply } from "../launch/explain.ts";
import type { KeeperClient, KeeperEvents, Reply } from "../launch/keeper-client.ts";
import { KeeperGone } from "../launch/keeper-client.ts";
import { launchProcess, startKeeper } from "../launch/launch.ts";
import { closeFd } from "../native/syscalls.ts";
import { noProcess } from "../plan/abi.gen.ts";
import { oomScoreAdj } from "../plan/cgroup-values.ts";
import { planContainer } from "../plan/container.ts";
import { PlanTooLarge } from "../plan/encode.ts";
import { planPause } from "../plan/exec.ts";
import type { Plan } from "../plan/plan.ts";
import { printPlanWithOrigins } from "../plan/print.ts";
import { planSandbox } from "../plan/sandbox.ts";
import { planTeardown } from "../plan/teardown.ts";
import type { ResolveOptions } from "../resolve/pod.ts";
import { firstOtherProcess, resolvePod } from "../resolve/pod.ts";
import type { HostFacts } from "../spec/host-facts.ts";
import type { PodSpec } from "../spec/pod-spec.ts";
import { originOf } from "../spec/pod-spec.ts";
import { qosClass } from "../spec/qos.ts";
import type { IdRange, ResolvedContainer, ResolvedPod } from "../spec/resolved.ts";
import { claimIds, claimName, hostIds, releaseClaims } from "./claims.ts";
import type { Seed } from "./keepers.ts";
import { makeKeeperGroup, removeKeeperGroup } from "./keepers.ts";
import { readRecord } from "./record.ts";
import { RunningPod } from "./running-pod.ts";
import type { PodState } from "./state.ts";
import { writePodState } from "./state.ts";
import { spansOf } from "./trace.ts";
import type { PodEvent, TraceSpan, UpOptions } from "./types.ts";

type Policy = Pick<ResolveOptions, "places" | "podPidsMax" | "missingControllers" | "warn">;

export interface StartOptions extends UpOptions, Policy {
  readonly seed: Seed;
  readonly onEvent: (event: PodEvent) => void;
  /** Index of the plan (sandbox, then containers) and operation that is to fail; tests walk it. */
  readonly failAt?: { readonly plan: number; readonly operation: number };
}

const timeoutDefaultMs = 60_000;
const sigterm = 15;
const pauseProcess = firstOtherProcess;

/** What is sent, and under which name a failure is told. */
interface PlannedProcess {
  readonly subject: string;
  readonly name: string;
  readonly plan: Plan;
  send(client: KeeperClient): Promise<Reply>;
}

export function printPodPlan(
  spec: PodSpec,
  facts: HostFacts,
  options: Policy & { readonly ids: IdRange },
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
    deadlineMs: timeoutDefaultMs,
    files: {},
  });
  return planProcesses(pod, facts, {})
    .map(({ subject, plan }) => `${subject}: ${printPlanWithOrigins(plan)}`)
    .join("\n");
}

export async function startPod(
  spec: PodSpec,
  facts: HostFacts,
  options: StartOptions,
): Promise<RunningPod> {
  const uid = crypto.randomUUID();
  const { places } = options;
  const nameLink = `${spec.namespace}_${spec.name}`;
  const startNs = process.hrtime.bigint();
  claimName(places, nameLink, uid);
  let ids = hostIds;
  try {
    if (spec.namespaces.user === "POD") {
      refuseOldKernel(spec, facts);
      ids = claimIds(places, uid);
    }
    const pod = resolvePod(spec, facts, {
      ...options,
      uid,
      ids,
      deadlineMs: options.timeoutMs ?? timeoutDefaultMs,
      files: options.files ?? {},
    });
    const processes = planProcesses(pod, facts, options);
    return await launchPod(spec, pod, processes, facts, options, startNs);
  } catch (error) {
    releaseClaims(places, nameLink, ids, uid);
    if (error instanceof PlanTooLarge) {
      throw new PodError({ code: "launch.too-large", message: error.message });
    }
    throw error;
  }
}

/** Before 6.13 idmapped layers would have to be attached where overlayfs can see them by name. */
function refuseOldKernel(spec: PodSpec, facts: HostFacts): void {
  if (facts.layersByDescriptor) return;
  throw new PodError({
    code: "host.kernel-too-old",
    message: `hostUsers: false needs Linux 6.15 and this is ${facts.kernel.join(".")}`,
    origin: originOf(spec, "spec.hostUsers"),
    hint: "boot a newer kernel, or run the pod without hostUsers: false",
  });
}

function planProcesses(
  pod: ResolvedPod,
  facts: HostFacts,
  options: Pick<StartOptions, "trace" | "lifetime" | "failAt">,
): PlannedProcess[] {
  const { failAt } = options;
  const extras = (index: number) => ({
    trace: options.trace ?? false,
    ...(failAt?.plan === index && { failAt: failAt.operation + 1 }),
  });
  const sandbox = planSandbox(pod, facts);
  const sharesPids = pod.namespaces.pid === "POD";
  return [
    {
      subject: "the sandbox",
      name: "sandbox",
      plan: sandbox,
      send: (client) =>
        launchProcess(client, {
          ...extras(0),
          process: noProcess,
          flags: options.lifetime === "detached" ? ["detached"] : [],
          stopSignal: 0,
          graceMs: pod.terminationGraceMs,
          plan: sandbox,
        }),
    },
    ...(sharesPids ? [plannedPause(pod, facts, extras(-1))] : []),
    ...pod.containers.map((container, index) =>
      plannedContainer(pod, container, facts, extras(index + 1)),
    ),
  ];
}

function plannedPause(pod: ResolvedPod, facts: HostFacts, extras: object): PlannedProcess {
  const plan = planPause(pod, facts);
  return {
    subject: "the pause of the shared PID namespace",
    name: "pause",
    plan,
    send: (client) =>
      launchProcess(client, {
        ...extras,
        process: pauseProcess,
        flags: ["unrecorded"],
        stopSignal: sigterm,
        graceMs: 0,
        plan,
      }),
  };
}

function plannedContainer(
  pod: ResolvedPod,
  container: ResolvedContainer,
  facts: HostFacts,
  extras: object,
): PlannedProcess {
  const plan = planContainer(pod, container, facts);
  return {
    subject: `container ${container.name}`,
    name: container.name,
    plan,
    send: (client) =>
      launchProcess(client, {
        ...extras,
        process: container.process,
        // In the order of the manifest: one execs when the one before it has.
        after: container.process === 0 ? noProcess : container.process - 1,
        flags: [
          ...(container.stdin ? (["stdin"] as const) : []),
          ...(container.stdinOnce ? (["stdin_once"] as const) : []),
          ...(container.tty ? (["terminal"] as const) : []),
        ],
        stopSignal: sigterm,
        graceMs: pod.terminationGraceMs,
        plan,
      }),
  };
}

async function launchPod(
  spec: PodSpec,
  pod: ResolvedPod,
  processes: readonly PlannedProcess[],
  facts: HostFacts,
  options: StartOptions,
  startNs: bigint,
): Promise<RunningPod> {
  let running: RunningPod | undefined;
  const events: KeeperEvents = {
    exited: (event) => running?.events.exited(event),
    ended: (reply) => running?.events.ended(reply),
    closed: () => running?.events.closed(),
  };
  const group = makeKeeperGroup(pod.places);
  // Joining a PID namespace needs its first process to exist, so the containers of such a pod wait for pause.
  const isShared = pod.namespaces.pid === "POD";
  const first = isShared ? 2 : processes.length;
  const replies: Promise<Reply>[] = [];
  const keeper = (() => {
    try {
      return startKeeper({
        cgroup: group,
        seed: options.seed.fd,
        events,
        send: (client) => {
          const [sandbox, ...others] = processes.slice(0, first);
          if (sandbox) replies.push(sandbox.send(client));
          // Second: a sandbox that fails leaves nothing, and one that comes up can be taken down by its keeper alone.
          const teardown = planTeardown(pod.places, pod.ids.claim);
          const plan = { process: noProcess, flags: [], stopSignal: 0, graceMs: 0, plan: teardown };
          void launchProcess(client, plan).catch(() => {});
          for (const planned of others) replies.push(planned.send(client));
        },
      });
    } catch (error) {
      removeKeeperGroup(pod.places);
      throw error;
    } finally {
      closeFd(group);
    }
  })();
  // While the keeper works: who opens the pod later reads this.
  const state = describePod(spec, pod, facts);
  writePodState(`${pod.places.stateParent}/${pod.uid}`, state);
  running = new RunningPod({
    state,
    facts,
    lifetime: options.lifetime ?? "owner",
    keeperPidfd: keeper.pidfd,
    onEvent: options.onEvent,
  });
  running.adopt(keeper.client);
  await keeper.client.listen();
  using _ = endOnAbort(keeper.client, options.signal);
  try {
    if (isShared) {
      await Promise.all(replies);
      for (const planned of processes.slice(first)) replies.push(planned.send(keeper.client));
    }
    const answers = await Promise.all(replies);
    running.trace = readTrace(processes, answers, startNs);
    checkAnswers(spec, processes, answers);
  } catch (error) {
    await abandon(running, keeper.client);
    removeKeeperGroup(pod.places);
    throw options.signal?.aborted ? aborted(options.signal) : asPodError(error, running);
  }
  if (options.lifetime === "detached") void keeper.client.handOver().catch(() => {});
  const record = readRecord(running.directory);
  if (record) options.seed.take(record.keeperPid, record.mountNamespace);
  for (const { name } of pod.containers) {
    options.onEvent({ type: "started", pod: pod.name, container: name });
  }
  return running;
}

function endOnAbort(client: KeeperClient, signal: AbortSignal | undefined): Disposable {
  const end = () => void client.end(0).catch(() => {});
  signal?.addEventListener("abort", end, { once: true });
  if (signal?.aborted) end();
  return { [Symbol.dispose]: () => signal?.removeEventListener("abort", end) };
}

/** Whatever of the pod came up goes down at once; a keeper without a sandbox has undone everything and ends by itself. */
async function abandon(pod: RunningPod, client: KeeperClient): Promise<void> {
  try {
    const { status } = await client.end(0);
    if (status !== "ok") client[Symbol.dispose]();
  } catch {
    client[Symbol.dispose]();
  }
  await pod.ended.catch(() => {});
}

function checkAnswers(
  spec: PodSpec,
  processes: readonly PlannedProcess[],
  answers: readonly Reply[],
): void {
  // The first in order: those after it were refused or cancelled because of it.
  const index = answers.findIndex(({ status }) => status !== "ok");
  const reply = answers[index];
  const planned = processes[index];
  if (!reply || !planned) return;
  throw explainReply({
    reply,
    plan: planned.plan,
    subject: planned.subject,
    originOf: (field) => originOf(spec, field),
  });
}

function readTrace(
  processes: readonly PlannedProcess[],
  answers: readonly Reply[],
  startNs: bigint,
): readonly TraceSpan[] {
  return processes.flatMap(({ name, plan }, index) =>
    spansOf(name, plan, answers[index]?.trace ?? [], startNs),
  );
}

function aborted(signal: AbortSignal): unknown {
  return signal.reason instanceof Error && signal.reason.name !== "AbortError"
    ? signal.reason
    : new PodError({ code: "launch.aborted", message: "the launch was given up by its caller" });
}

function asPodError(error: unknown, pod: RunningPod): unknown {
  if (!(error instanceof KeeperGone)) return error;
  return new PodError({
    code: "pod.keeper-lost",
    message: `the keeper of pod ${pod.name} died while the pod was starting`,
  });
}

function describePod(spec: PodSpec, pod: ResolvedPod, facts: HostFacts): PodState {
  const qos = qosClass(pod.resources);
  return {
    version: 1,
    uid: pod.uid,
    name: pod.name,
    namespace: pod.namespace,
    createdMs: Date.now(),
    graceMs: pod.terminationGraceMs,
    qosClass: qos,
    hostname: pod.hostname,
    userNamespace: pod.namespaces.user === "POD",
    ids: pod.ids,
    places: pod.places,
    containers: pod.containers.map((container) => ({
      name: container.name,
      id: newContainerId(),
      process: container.process,
      env: [...container.env],
      workingDir: container.workingDir,
      oomScoreAdj: oomScoreAdj(qos, container.resources, facts.memoryBytes),
      tty: container.tty,
      stdin: container.stdin,
      logName: container.logName,
    })),
    manifest: spec.manifest,
  };
}

/** 64 hexadecimal digits, as every runtime has them. */
function newContainerId(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("hex");
}
