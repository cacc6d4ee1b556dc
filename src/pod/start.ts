// Starting a pod: claim, resolve, plan, launch; or one error, and nothing left.

import { PodError } from "../errors/pod-error.ts";
import { explainReply } from "../launch/explain.ts";
import type { KeeperClient, KeeperEvents, LaunchRequest, Reply } from "../launch/keeper-client.ts";
import { KeeperGone } from "../launch/keeper-client.ts";
import type { ProcessLaunch } from "../launch/launch.ts";
import { launchProcess, startKeeper } from "../launch/launch.ts";
import { closeFd, monotonicNs } from "../native/syscalls.ts";
import { noProcess } from "../plan/abi.gen.ts";
import { oomScoreAdj } from "../plan/cgroup-values.ts";
import type { LogPolicy } from "../plan/container.ts";
import { defaultLogPolicy, planContainer } from "../plan/container.ts";
import { PlanTooLarge } from "../plan/encode.ts";
import { planPause } from "../plan/exec.ts";
import type { Plan } from "../plan/plan.ts";
import { printPlanWithOrigins } from "../plan/print.ts";
import { planSandbox } from "../plan/sandbox.ts";
import { planLastTeardown, planTeardown } from "../plan/teardown.ts";
import type { ResolveOptions } from "../resolve/pod.ts";
import { firstOtherProcess, resolvePod } from "../resolve/pod.ts";
import type { HostFacts } from "../spec/host-facts.ts";
import type { PodSpec } from "../spec/pod-spec.ts";
import { originOf } from "../spec/pod-spec.ts";
import { qosClass, sum } from "../spec/qos.ts";
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
  readonly log: LogPolicy;
  readonly seed: Seed;
  readonly onEvent: (event: PodEvent) => void;
  /** Index of the plan (sandbox, then containers) and operation that is to fail; tests walk it. */
  readonly failAt?: { readonly plan: number; readonly operation: number };
}

const timeoutDefaultMs = 60_000;
const sigterm = 15;
const pauseProcess = firstOtherProcess;

/**
 * What is sent, and under which name a failure is told. Planned when it is asked for: the keeper
 * works meanwhile.
 */
interface PlannedProcess {
  readonly subject: string;
  readonly name: string;
  readonly plan: () => Plan;
  readonly request: Omit<ProcessLaunch, "plan">;
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
  return planProcesses(pod, facts, { log: defaultLogPolicy })
    .map(({ subject, plan }) => `${subject}: ${printPlanWithOrigins(plan())}`)
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
  const startNs = monotonicNs();
  claimName(places, nameLink, uid);
  let ids = hostIds;
  try {
    if (spec.namespaces.user === "POD") ids = claimIds(places, uid);
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

function planProcesses(
  pod: ResolvedPod,
  facts: HostFacts,
  options: Pick<StartOptions, "trace" | "lifetime" | "failAt" | "log">,
): readonly [sandbox: PlannedProcess, ...others: PlannedProcess[]] {
  const { failAt } = options;
  const requestOf = (index: number) => ({
    trace: options.trace ?? false,
    ...(failAt?.plan === index && { failAt: failAt.operation + 1 }),
    stopSignal: sigterm,
    graceMs: pod.terminationGraceMs,
  });
  const sandbox: PlannedProcess = {
    subject: "the sandbox",
    name: "sandbox",
    plan: once(() => planSandbox(pod, facts)),
    request: {
      ...requestOf(0),
      process: noProcess,
      flags: [
        ...(options.lifetime === "detached" ? (["detached"] as const) : []),
        ...(options.trace ? [] : (["quiet"] as const)),
      ],
    },
  };
  const pause: PlannedProcess = {
    subject: "the pause of the shared PID namespace",
    name: "pause",
    plan: once(() => planPause(pod, facts)),
    request: { ...requestOf(-1), process: pauseProcess, flags: ["unrecorded"] },
  };
  const containers = pod.containers.map((container, index): PlannedProcess => ({
    subject: `container ${container.name}`,
    name: container.name,
    plan: once(() => planContainer(pod, container, facts, { log: options.log })),
    request: {
      ...requestOf(index + 1),
      process: container.process,
      // In the order of the manifest: one execs when the one before it has.
      after: index === 0 ? noProcess : container.process - 1,
      flags: launchFlagsOf(container),
    },
  }));
  return [sandbox, ...(pod.namespaces.pid === "POD" ? [pause] : []), ...containers];
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

async function launchPod(
  spec: PodSpec,
  pod: ResolvedPod,
  processes: ReturnType<typeof planProcesses>,
  facts: HostFacts,
  options: StartOptions,
  startNs: bigint,
): Promise<RunningPod> {
  const [sandbox, ...others] = processes;
  const keeper = bringUpKeeper(pod, sandbox, options);
  const { client } = keeper;
  const running = new RunningPod({
    state: describePod(spec, pod, facts),
    facts,
    lifetime: options.lifetime ?? "owner",
    keeperPidfd: keeper.pidfd,
    onEvent: options.onEvent,
  });
  keeper.events.target = running.events;
  running.adopt(client);
  using _ = endOnAbort(client, options.signal);
  try {
    const replies = await sendOthers(pod, keeper, others, running);
    const answers = await Promise.all(replies);
    running.trace = readTrace(processes, answers, startNs);
    checkAnswers(spec, processes, answers);
  } catch (error) {
    await abandon(running, client);
    throw options.signal?.aborted ? aborted(options.signal) : asPodError(error, running);
  }
  const record = readRecord(running.directory);
  if (record) options.seed.take(record.keeperPid, record.mountNamespace);
  for (const { name } of pod.containers) {
    options.onEvent({ type: "started", pod: pod.name, container: name });
  }
  return running;
}

interface StartingKeeper {
  readonly client: KeeperClient;
  readonly pidfd: number;
  readonly sandboxReply: Promise<Reply>;
  /** Where its events go once there is a pod to hear them. */
  readonly events: { target: KeeperEvents | undefined };
}

function bringUpKeeper(
  pod: ResolvedPod,
  sandbox: PlannedProcess,
  options: StartOptions,
): StartingKeeper {
  const events: StartingKeeper["events"] = { target: undefined };
  const group = makeKeeperGroup(pod.places);
  const answered = Promise.withResolvers<Reply>();
  try {
    const { client, pidfd } = startKeeper({
      cgroup: group,
      seed: options.seed.fd,
      events: {
        exited: (event) => events.target?.exited(event),
        ended: (reply) => events.target?.ended(reply),
        closed: () => events.target?.closed(),
      },
      send: (toKeeper) => {
        const plan = sandbox.plan();
        launchProcess(toKeeper, { ...sandbox.request, plan }).then(
          answered.resolve,
          answered.reject,
        );
      },
    });
    return { client, pidfd, sandboxReply: answered.promise, events };
  } catch (error) {
    answered.promise.catch(() => {});
    void removeKeeperGroup(pod.places);
    throw error;
  } finally {
    closeFd(group);
  }
}

/** Planned, encoded and sent while the keeper makes the sandbox. */
async function sendOthers(
  pod: ResolvedPod,
  keeper: StartingKeeper,
  others: readonly PlannedProcess[],
  running: RunningPod,
): Promise<Promise<Reply>[]> {
  const { client } = keeper;
  const replies = [keeper.sandboxReply];
  // Before the containers: a sandbox that came up can then be taken down by its keeper alone.
  for (const [plan, flags] of [
    [planTeardown(pod.places, pod.ids.claim), ["quiet"]],
    [planLastTeardown(pod.places), ["quiet", "when_alone"]],
  ] as const) {
    const request = { process: noProcess, flags, stopSignal: 0, graceMs: 0, plan };
    launchProcess(client, request).catch(() => {});
  }
  const send = ({ plan: planned, request }: PlannedProcess) => {
    const reply = launchProcess(client, { ...request, plan: planned() });
    reply.catch(() => {}); // Heard together with the others.
    replies.push(reply);
  };
  const isShared = pod.namespaces.pid === "POD";
  for (const planned of isShared ? others.slice(0, 1) : others) send(planned);
  const listening = client.listen();
  const unwritten = tryWriteState(running);
  await listening;
  // A sandbox that failed has taken the directory with it, and its reply says why.
  if (unwritten && (await keeper.sandboxReply).status === "ok") throw unwritten.error;
  if (!isShared) return replies;
  // Joining a PID namespace needs its first process to exist, so the containers of such a pod wait
  // for pause.
  const early = await Promise.all(replies);
  if (early.every(({ status }) => status === "ok"))
    for (const planned of others.slice(1)) send(planned);
  return replies;
}

function endOnAbort(client: KeeperClient, signal: AbortSignal | undefined): Disposable {
  const end = () => void client.end(0).catch(() => {});
  signal?.addEventListener("abort", end, { once: true });
  if (signal?.aborted) end();
  return { [Symbol.dispose]: () => signal?.removeEventListener("abort", end) };
}

/** For who opens the pod later. */
function tryWriteState(pod: RunningPod): { readonly error: unknown } | undefined {
  try {
    writePodState(pod.directory, pod.state);
    return undefined;
  } catch (error) {
    return { error };
  }
}

/**
 * Whatever of the pod came up goes down at once; a keeper without a sandbox has undone everything
 * and ends by itself.
 */
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
    plan: planned.plan(),
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
    spansOf(name, plan(), answers[index]?.trace ?? [], startNs),
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
    cpuRequestMilli: sum(pod.resources.map(({ requests }) => requests.cpuMilli ?? 0)),
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
