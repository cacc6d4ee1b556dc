// Starts the pods of manifests: in the foreground with their output, or detached.

import type { Peapod } from "../../open.ts";
import type { Pod } from "../../pod/types.ts";
import type { JobSpec } from "../../spec/job-spec.ts";
import type { PodSpec } from "../../spec/pod-spec.ts";
import { ProgressPrinter } from "../pull-progress.ts";
import type { Invocation } from "../command.ts";
import { defineCommand } from "../command.ts";
import { printData } from "../data.ts";
import { Interrupted } from "../failure.ts";
import type { FlagTable } from "../flags.ts";
import { usageError } from "../flags.ts";
import { Exits } from "../exits.ts";
import type { FollowEnd, FollowStyle } from "../follow.ts";
import { followPods } from "../follow.ts";
import { catchInterrupts, interruptStatus } from "../interrupts.ts";
import { manifestFlags, manifestNames, readManifests } from "../manifests.ts";
import { noteInert, noteInertObjects } from "../inert.ts";
import { note, openFromFlags } from "../open.ts";
import { policyFlags, policyOptions } from "../policy-flags.ts";
import { podLabel } from "../text.ts";
import { formatElapsed } from "../time.ts";
import { chromeTrace, printWaterfall } from "../waterfall.ts";

const usage = "up FILE… [flags]";

const flags = {
  ...manifestFlags,
  detach: {
    kind: "switch",
    short: "d",
    help: "leave the pods running; print their names when all containers have started",
  },
  wait: {
    kind: "switch",
    help: "as -d, and come back when all are ready, or have done their work; fail when one fails",
  },
  "wait-timeout": { kind: "duration", value: "DURATION", help: "for --wait (default: none)" },
  "dry-run": {
    kind: "switch",
    help: "say what would become of each pod, and do nothing",
  },
  "force-recreate": {
    kind: "switch",
    aliases: ["replace"],
    help: "end pods of these names first, also unchanged ones",
  },
  timeout: { kind: "duration", value: "DURATION", help: "for the start alone (default: 60s)" },
  publish: {
    kind: "texts",
    short: "p",
    value: "[IP:]HOST:CONTAINER[/PROTOCOL]",
    help: "a port of the host for one of the pod, besides those of the manifest",
  },
  ...policyFlags,
  timestamps: { kind: "switch", short: "t", help: "put the time before every line" },
  "no-prefix": {
    kind: "switch",
    aliases: ["no-log-prefix"],
    help: "do not put the container's name before every line",
  },
  "abort-on-container-exit": {
    kind: "switch",
    help: "end all pods when the first container has ended",
  },
  "exit-code-from": {
    kind: "text",
    value: "CONTAINER",
    help: "end all pods when this container has ended, with its exit status",
  },
  trace: {
    kind: "optionalText",
    value: "FILE",
    help: "print when each operation was done; write a Chrome trace to peapod-trace.json or FILE",
  },
} as const satisfies FlagTable;

type Up = Invocation<typeof flags>;

export const up = defineCommand({
  usage: [usage],
  about: [
    "Start the pods of manifests and follow the output of their containers. Ctrl-C ends them",
    "gracefully, a second Ctrl-C at once. The exit status is 0 when all containers succeeded, else",
    "that of the first failing one in the order of the manifest; 125 when peapod failed, 126 not",
    "executable, 127 not found, 130 after Ctrl-C.",
  ],
  examples: [
    ["peapod up web.yaml", "in the foreground"],
    ["peapod up -d web.yaml db.yaml", "two files, left running"],
    ["peapod up --wait --wait-timeout 1m web.yaml", "until its probes say that it is ready"],
    ["generate-manifest | peapod up -", "a manifest from stdin"],
    ["peapod up -f manifests/ --configmap site.yaml", "all of a directory, and its ConfigMaps"],
    ["peapod up web.yaml --image-map '*=rootfs:/srv'", "with one root for all images"],
    ["peapod up --exit-code-from test suite.yaml", "a test beside what it needs"],
    ["peapod up -p 8080:80 web.yaml", "port 80 of the pod as port 8080 here"],
    ["peapod up -d web.yaml", "again: what has changed"],
    ["peapod up --trace web.yaml", "see where the time goes"],
  ],
  flags,
  run: async (given) => {
    const { operands, io } = given;
    const detach = given.flags.detach || given.flags.wait;
    const invocation = { ...given, flags: { ...given.flags, detach } };
    const names = manifestNames(operands, invocation.flags.file, usage);
    const { pods, jobs, documents } = await readManifests(names, invocation.flags);
    const specs = await published(pods, invocation.flags.publish);
    noteInertObjects(documents, io);
    const end = followEnd(invocation, specs);
    if (jobs.length > 0 && invocation.flags.detach) throw detachedJobs(jobs);
    await using peapod = await openFromFlags(invocation.flags, io, policyOptions(invocation.flags));
    if (given.flags["dry-run"]) return await sayOnly(peapod, specs, invocation);
    using exits = new Exits(peapod);
    const started = await startAll(peapod, specs, invocation);
    if (invocation.flags.trace !== undefined) await writeTraces(started, invocation);
    if (invocation.flags.wait) await waitReady(peapod, started, invocation);
    if (invocation.flags.detach) return await printObjects(started, invocation);
    const style = {
      io,
      hasPrefix: !invocation.flags["no-prefix"],
      timestamps: invocation.flags.timestamps,
      exits,
    };
    // Awaited here: the pods must not be disposed of while they are followed.
    if (jobs.length === 0) return await followPods(started, style, end);
    return await followAll(peapod, started, jobs, style, invocation);
  },
});

/** A port is one pod's. */
async function published(
  pods: readonly PodSpec[],
  words: readonly string[],
): Promise<readonly PodSpec[]> {
  if (words.length === 0) return pods;
  const [spec, ...others] = pods;
  if (!spec || others.length > 0) {
    throw usageError(`--publish is for one pod, and there are ${pods.length}`);
  }
  const { withPublished } = await import("../publish.ts");
  return [withPublished(spec, words)];
}

async function followAll(
  peapod: Peapod,
  pods: readonly Pod[],
  jobs: readonly JobSpec[],
  style: FollowStyle,
  up: Up,
): Promise<number> {
  const { runJobs } = await import("../job-runs.ts");
  const start = (spec: PodSpec, signal: AbortSignal) => startOne(peapod, spec, up, signal);
  const ends = await Promise.allSettled([
    pods.length > 0 ? followPods(pods, style) : 0,
    runJobs(jobs, { style, start }),
  ]);
  for (const end of ends) if (end.status === "rejected") throw end.reason;
  return ends.map((end) => (end.status === "fulfilled" ? end.value : 1)).find((n) => n !== 0) ?? 0;
}

function followEnd({ flags: given }: Up, specs: readonly PodSpec[]): FollowEnd {
  const exitCodeFrom = given["exit-code-from"];
  const names = specs.flatMap(({ containers }) => containers.map(({ name }) => name));
  if (exitCodeFrom !== undefined && !names.includes(exitCodeFrom)) {
    throw usageError(
      `--exit-code-from: no container is called ${JSON.stringify(exitCodeFrom)}`,
      `there are ${names.join(", ")}`,
    );
  }
  return { abortOnExit: given["abort-on-container-exit"], exitCodeFrom };
}

/** Pods that do not get there are left as they are, to be looked at. */
async function waitReady(peapod: Peapod, pods: readonly Pod[], { flags }: Up): Promise<void> {
  const { waitUntil } = await import("../wait-until.ts");
  const { readyWish } = await import("../wishes.ts");
  await waitUntil(peapod, pods, readyWish, { timeoutMs: flags["wait-timeout"] ?? Infinity });
}

function detachedJobs(jobs: readonly JobSpec[]): Error {
  const names = jobs.map((job) => podLabel(job)).join(", ");
  return usageError(
    `nobody would stay to make the pods of Job ${names}`,
    "run up without --detach; it ends when the Job is over",
  );
}

/**
 * In the order of the files. A signal gives up the start; what has started as an owner's pod ends
 * with `peapod`.
 */
async function startAll(peapod: Peapod, specs: readonly PodSpec[], up: Up): Promise<Pod[]> {
  const { io } = up;
  const launch = new AbortController();
  using _ = catchInterrupts((signal) => launch.abort(new Interrupted(interruptStatus(signal))));
  const pods: Pod[] = [];
  for (const spec of specs) {
    noteInert(spec, io);
    const startedMs = performance.now();
    const kept = await settleOld(peapod, spec, up);
    if (kept) {
      pods.push(kept);
      if (!up.flags.output) io.stdout.write(`${podLabel(kept)}\n`);
      continue;
    }
    const pod = await startOne(peapod, spec, up, launch.signal);
    pods.push(pod);
    // At once: when a later one fails, these stay.
    if (up.flags.detach && !up.flags.output) io.stdout.write(`${podLabel(pod)}\n`);
    if (up.flags.detach && !io.stderr.isTerminal) continue;
    const took = formatElapsed(performance.now() - startedMs);
    const names = pod.containers.map(({ name }) => name).join(", ");
    note(io, `${podLabel(pod)} started in ${took}: ${names}`);
  }
  return pods;
}

async function sayOnly(peapod: Peapod, specs: readonly PodSpec[], up: Up): Promise<number> {
  const { compareAll, printAgain } = await import("../again.ts");
  const all = await compareAll(peapod, specs);
  up.io.stdout.write(printAgain(all, up.flags["force-recreate"]));
  return 0;
}

/** A pod of this name that stays. Whoever follows pods in the foreground has to be their owner. */
async function settleOld(
  peapod: Peapod,
  spec: PodSpec,
  { flags, io }: Up,
): Promise<Pod | undefined> {
  const isForced = flags["force-recreate"];
  if (!(flags.detach || isForced) || !(await peapod.has(spec))) return undefined;
  const { compareAll, keepOrEnd } = await import("../again.ts");
  const [again] = await compareAll(peapod, [spec]);
  return again && keepOrEnd(peapod, again, isForced, io);
}

async function startOne(
  peapod: Peapod,
  spec: PodSpec,
  { flags: { detach, timeout, trace }, io }: Up,
  signal: AbortSignal,
): Promise<Pod> {
  // Most starts are over before anyone could read that they began.
  const slow = setTimeout(() => note(io, `${podLabel(spec)} is starting`), slowStartMs);
  let progress: ProgressPrinter | undefined;
  try {
    return await peapod.up(spec, {
      onPull: (pulled) => (progress ??= new ProgressPrinter(io)).tell(pulled),
      lifetime: detach ? "detached" : "owner",
      trace: trace !== undefined,
      signal,
      ...(timeout !== undefined && { timeoutMs: timeout }),
    });
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  } finally {
    clearTimeout(slow);
  }
}

const slowStartMs = 300;

async function writeTraces(pods: readonly Pod[], { flags: { trace }, io }: Up): Promise<void> {
  for (const pod of pods) io.stderr.write(printWaterfall(pod.trace, io.paintErr));
  const file = trace === undefined || trace === "" ? "peapod-trace.json" : trace;
  await Bun.write(
    file,
    chromeTrace(pods.map((pod) => ({ label: podLabel(pod), spans: pod.trace }))),
  );
  note(io, `trace written to ${file}`);
}

/** The names are out already. */
async function printObjects(pods: readonly Pod[], { flags, io }: Up): Promise<number> {
  if (flags.output) {
    const objects = await Promise.all(pods.map((pod) => pod.object()));
    const data = objects.length === 1 ? objects[0] : listOf(objects);
    io.stdout.write(await printData(flags.output, data));
  }
  return 0;
}

function listOf(items: readonly unknown[]): unknown {
  return { apiVersion: "v1", kind: "List", metadata: {}, items };
}
