// Starting a pod: claim, resolve, plan, launch; or one error, and nothing left.

import { PodError } from "../errors/pod-error.ts";
import { explainReply } from "../launch/explain.ts";
import type { PreparedImages } from "../image/prepare.ts";
import type { KeeperClient, Reply } from "../launch/keeper-client.ts";
import { KeeperGone } from "../launch/keeper-client.ts";
import { launchProcess } from "../launch/launch.ts";
import { monotonicNs } from "../native/syscalls.ts";
import { noProcess } from "../plan/abi.gen.ts";
import { PlanTooLarge } from "../plan/encode.ts";
import { planLastTeardown, planTeardown } from "../plan/teardown.ts";
import { resolvePod } from "../resolve/pod.ts";
import type { HostFacts } from "../spec/host-facts.ts";
import type { PodSpec } from "../spec/pod-spec.ts";
import { originOf } from "../spec/pod-spec.ts";
import type { ResolvedNetwork } from "../spec/network.ts";
import { noNetwork } from "../spec/network.ts";
import { rootUser } from "../spec/resolved.ts";
import type { ResolvedPod } from "../spec/resolved.ts";
import { claimIds, claimName, hostIds, releaseClaims } from "./claims.ts";
import type { Kept } from "./kept.ts";
import type { KeeperPool } from "./keeper-pool.ts";
import type { LaunchContext } from "./life/launcher.ts";
import type { Seed } from "./keepers.ts";
import { tearDownWithoutKeeper } from "./keepers.ts";
import type { PlannedProcess, PlanOptions, Policy } from "./plans.ts";
import { launchTimeoutMs, planProcesses, sigterm } from "./plans.ts";
import type { Networks } from "./networks.ts";
import type { OwnerParts } from "./ownership.ts";
import { RunningPod } from "./running-pod.ts";
import type { PodState } from "./read-state.ts";
import type { StartingKeeper } from "./starting-keeper.ts";
import { bringUpKeeper, dismissKeeper } from "./starting-keeper.ts";
import { securityEntry } from "./security-entry.ts";
import {
  endsInOrder,
  hasReadiness,
  namesObjects,
  needsCare,
  needsOwner,
  startsInOrder,
} from "./needs.ts";
import { prepareLink } from "./starting-link.ts";
import { names, writePodState } from "./state.ts";
import { spansOf } from "./trace.ts";
import type { PodEvent, TraceSpan, UpOptions } from "./types.ts";

export interface StartOptions extends UpOptions, Policy, PlanOptions {
  readonly seed: Seed;
  readonly pool?: KeeperPool | undefined;
  readonly images?: PreparedImages | undefined;
  readonly readContainer: (
    spec: PodSpec,
    container: PodState["manifest"],
  ) => ReturnType<OwnerParts["readContainer"]>;
  /** For containers that start again. */
  readonly prepareImages: LaunchContext["prepareImages"];
  /** 1 but for tests. */
  readonly timeScale?: number;
  /** Undefined where pods have only loopback. */
  readonly networks?: Networks | undefined;
  readonly onEvent: (event: PodEvent) => void;
}

export async function startPod(
  spec: PodSpec,
  facts: HostFacts,
  options: StartOptions,
): Promise<RunningPod> {
  const { places } = options;
  const nameLink = `${spec.namespace}_${spec.name}`;
  const startNs = monotonicNs();
  let ids = hostIds;
  const ready = options.pool?.take(spec);
  const uid = ready?.uid ?? crypto.randomUUID();
  let keeper = ready;
  let network = noNetwork;
  let isClaimed = false;
  try {
    // First of all: what a killed start leaves can then be found.
    claimName(places, nameLink, uid);
    isClaimed = true;
    // It comes up and makes the pod's namespaces while we resolve and plan.
    const links = options.networks !== undefined;
    keeper ??= bringUpKeeper(facts, uid, spec.namespaces, options.seed, links);
    network =
      keeper.link?.network ?? (await options.networks?.attach(uid, spec, keeper.pid)) ?? noNetwork;
    await options.networks?.admit(uid, spec, network);
    const link =
      keeper.link ?? prepareLink(keeper, spec.namespaces, network, options.trace ?? false);
    if (spec.namespaces.user === "POD") ids = claimIds(places, uid);
    const pod = resolvePod(spec, facts, {
      ...options,
      uid,
      ids,
      network,
      deadlineMs: options.timeoutMs ?? launchTimeoutMs,
      files: options.files ?? {},
    });
    options.images?.keepFor(uid, pod.places.stateParent);
    return await launchPod(spec, pod, { ...keeper, link }, facts, options, startNs);
  } catch (error) {
    if (keeper) await dismissKeeper(keeper);
    await options.networks?.detach(uid, network);
    if (isClaimed) releaseClaims(places, nameLink, ids, uid);
    if (error instanceof PlanTooLarge) {
      throw new PodError({ code: "launch.too-large", message: error.message });
    }
    throw error;
  }
}

async function launchPod(
  spec: PodSpec,
  pod: ResolvedPod,
  keeper: StartingKeeper,
  facts: HostFacts,
  options: StartOptions,
  startNs: bigint,
): Promise<RunningPod> {
  const hearsSandbox = startsInOrder(spec);
  const processes = planProcesses(pod, facts, {
    ...options,
    hearsSandbox,
    isLinkedLater: keeper.link !== undefined,
  });
  const { client, link } = keeper;
  // A container may exit before its start has been told.
  const early: PodEvent[] = [];
  let isAnnounced = false;
  const secretEnv = secretEnvOf(pod);
  const running = new RunningPod({
    state: describePod(spec, pod, facts),
    facts,
    lifetime: options.lifetime ?? "owner",
    keeperPidfd: keeper.pidfd,
    secretEnv,
    owner: {
      spec,
      timeScale: options.timeScale ?? 1,
      readContainer: (container) => options.readContainer(spec, container),
      launch: { ...options, facts, uid: pod.uid, ids: pod.ids, network: pod.network },
    },
    onEvent: (event) => (isAnnounced ? options.onEvent(event) : early.push(event)),
  });
  keeper.events.target = running.events;
  running.adopt(client);
  using _ = endOnAbort(running, options.signal);
  try {
    const first = startsInOrder(spec) ? processes.slice(0, -pod.containers.length) : processes;
    const replies = await sendAll(pod, keeper, first, running);
    await options.networks?.admitLate(spec, pod.network);
    const answers = await Promise.all(link ? [link.send(), ...replies] : replies);
    const asked = link ? [link.planned, ...processes] : processes;
    if (options.trace) running.trace = readTrace(asked, answers, startNs);
    checkAnswers(spec, asked, answers);
    if (running.state.hasObjects) await keep(client, { objects: spec.objects, secretEnv });
    if (startsInOrder(spec)) await startInOrder(running, options);
  } catch (error) {
    await abandon(running, client);
    throw options.signal?.aborted ? aborted(options.signal) : asPodError(error, running);
  }
  options.seed.takeFrom(running.directory);
  for (const { name } of pod.containers) {
    options.onEvent({ type: "started", pod: pod.name, container: name });
  }
  isAnnounced = true;
  for (const event of early) options.onEvent(event);
  if (needsCare(spec)) setTimeout(() => void running.owner?.life(), 0);
  return running;
}

/** Before any container starts again: its next owner has to know what this one knows. */
async function keep(client: KeeperClient, kept: Kept): Promise<void> {
  const { keepObjects } = await import("./kept.ts");
  await keepObjects(client, kept);
}

/** One after another, as their owner says; init containers may take their time. */
async function startInOrder(pod: RunningPod, { timeoutMs }: StartOptions): Promise<void> {
  const late = Promise.withResolvers<never>();
  const message = `pod ${pod.name} did not start within ${timeoutMs} ms`;
  const give = () => late.reject(new PodError({ code: "launch.timed-out", message }));
  const timer = timeoutMs === undefined ? undefined : setTimeout(give, timeoutMs);
  const gone = () => late.reject(new KeeperGone("the keeper has gone"));
  pod.ended.then(gone, gone);
  late.promise.catch(() => {});
  try {
    await Promise.race([pod.owner?.start(), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Planned, encoded and sent one by one: the keeper works on each while the next is prepared. */
async function sendAll(
  pod: ResolvedPod,
  { client, link }: StartingKeeper,
  [sandbox, ...others]: readonly PlannedProcess[],
  running: RunningPod,
): Promise<Promise<Reply>[]> {
  const replies: Promise<Reply>[] = [];
  const send = ({ plan: planned, request }: PlannedProcess) => {
    const reply = launchProcess(client, { ...request, plan: planned() });
    reply.catch(() => {}); // Heard together with the others.
    replies.push(reply);
  };
  if (sandbox) send(sandbox);
  // Before the containers: a sandbox that came up can then be taken down by its keeper alone.
  for (const [plan, flags] of [
    [planTeardown(pod.places, pod.ids.claim, pod.network.link), ["quiet"]],
    [planLastTeardown(pod.places), ["quiet", "when_alone"]],
  ] as const) {
    const request = { process: noProcess, flags, stopSignal: 0, graceMs: 0, plan };
    launchProcess(client, request).catch(() => {});
  }
  const isShared = pod.namespaces.pid === "POD";
  for (const planned of isShared ? others.slice(0, 1) : others) send(planned);
  void link?.send();
  const listening = client.listen();
  const unwritten = tryWriteState(running);
  await listening;
  // A sandbox that failed has taken the directory with it, and its reply says why.
  if (unwritten && (await replies[0])?.status === "ok") throw unwritten.error;
  if (!isShared) return replies;
  // Joining a PID namespace needs its first process to exist, so the containers of such a pod wait
  // for pause.
  const early = await Promise.all(replies);
  if (early.every(({ status }) => status === "ok"))
    for (const planned of others.slice(1)) send(planned);
  return replies;
}

function endOnAbort(pod: RunningPod, signal: AbortSignal | undefined): Disposable {
  const end = () => void pod.end(0).catch(() => {});
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
  pod.owner?.[Symbol.dispose]();
  try {
    // What could not even be planned ends here before anybody listens.
    await client.listen();
    const { status } = await client.end(0);
    if (status !== "ok") client[Symbol.dispose]();
  } catch {
    client[Symbol.dispose]();
  }
  await pod.ended.catch(() => {});
  const { places, ids, uid } = pod.state;
  // A keeper that was killed has taken nothing back.
  if (names(places.stateParent).includes(uid)) await tearDownWithoutKeeper(places, ids.claim);
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
    secrets: planned.secrets,
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

/** What a launch rejects with: the caller's own reason, if it gave one. */
export function aborted(signal: AbortSignal): unknown {
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
  return {
    version: 1,
    uid: pod.uid,
    name: pod.name,
    namespace: pod.namespace,
    createdMs: Date.now(),
    graceMs: pod.terminationGraceMs,
    qosClass: pod.resources.qos,
    cpuRequestMilli: pod.resources.cpuRequestMilli,
    hostname: pod.hostname,
    userNamespace: pod.namespaces.user === "POD",
    ids: pod.ids,
    places: pod.places,
    ...networkEntry(pod.network),
    ...(namesObjects(spec) && { hasObjects: true }),
    ...(hasReadiness(spec) && { hasReadiness: true }),
    needsOwner: needsOwner(spec),
    ...(endsInOrder(spec) && { endsInOrder: true }),
    containers: pod.containers.map((container) => ({
      name: container.name,
      id: newContainerId(),
      process: container.process,
      kind: container.kind,
      // A Secret's values are never on a disk.
      env: container.env.filter((entry) => !container.secrets.has(entry)),
      workingDir: container.workingDir,
      ...(container.imageId !== "" && { imageId: container.imageId }),
      ...(container.user !== rootUser && {
        user: { ...container.user, groups: [...container.user.groups] },
      }),
      ...securityEntry(container, facts),
      ...(container.stopSignal !== sigterm && { stopSignal: container.stopSignal }),
      oomScoreAdj: container.oomScoreAdj,
      tty: container.tty,
      stdin: container.stdin,
    })),
    manifest: spec.manifest,
  };
}

function networkEntry({ podIPs, hostIPs, link }: ResolvedNetwork): Pick<PodState, "network"> {
  if (podIPs.length === 0) return {};
  const ports = (link?.ports ?? []).map((port) => ({ ...port }));
  const name = link?.name ?? "";
  return { network: { podIPs: [...podIPs], hostIPs: [...hostIPs], interface: name, ports } };
}

/** Variables that hold a Secret's value, by process. */
function secretEnvOf(pod: ResolvedPod): ReadonlyMap<number, readonly string[]> {
  const withSecrets = pod.containers.filter(({ secrets }) => secrets.size > 0);
  return new Map(
    withSecrets.map(({ process, env, secrets }) => [
      process,
      env.filter((entry) => secrets.has(entry)),
    ]),
  );
}

/** 64 hexadecimal digits, as every runtime has them. */
function newContainerId(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("hex");
}
