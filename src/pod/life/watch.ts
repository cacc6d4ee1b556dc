// A pod that another process owns, watched through what that owner writes down.

import { watch } from "node:fs";
import { PodError } from "../../errors/pod-error.ts";
import type { WatchedPod } from "../outcome.ts";
import type { PodOutcome } from "../shapes.ts";
import { readRecord } from "../record.ts";
import type { Journal } from "./journal.ts";
import { readJournal } from "./journal.ts";
import { outcomeOf } from "./order.ts";

/** A change that nobody told is seen after this. */
const lookMs = 1000;

export async function watchReady(pod: WatchedPod): Promise<void> {
  await watched(pod, () => {
    const journal = readJournal(pod.directory);
    if (journal?.outcome?.phase === "Failed") throw failed(pod, journal.outcome);
    return journal !== undefined && isReady(pod, journal) ? true : undefined;
  });
}

export function watchFinished(pod: WatchedPod): Promise<PodOutcome> {
  return watched(pod, () => {
    const outcome = readJournal(pod.directory)?.outcome;
    return outcome ?? (pod.state.needsOwner ? undefined : ownOutcome(pod));
  });
}

/** Of a pod that runs once and needs nobody to say so. */
function ownOutcome({ state, directory }: WatchedPod): PodOutcome | undefined {
  const record = readRecord(directory);
  const exits = state.containers.flatMap(({ process }) => {
    const exit = record?.processes.get(process)?.exit;
    return exit ? [{ kind: "container" as const, exitCode: exit.exitCode }] : [];
  });
  if (exits.length < state.containers.length) return undefined;
  return { phase: outcomeOf(exits), reason: "", message: "" };
}

function isReady({ state, directory }: WatchedPod, journal: Journal): boolean {
  const record = readRecord(directory);
  return state.containers.every(({ name, process, kind = "container" }) => {
    if (kind !== "container" && kind !== "sidecar") return true;
    const life = journal.containers[name];
    const isRunning = record?.processes.get(process)?.state === "running";
    return isRunning && life !== undefined && life.started && life.ready;
  });
}

async function watched<Value>(pod: WatchedPod, look: () => Value | undefined): Promise<Value> {
  const { promise, resolve, reject } = Promise.withResolvers<Value>();
  const check = () => {
    try {
      const value = look();
      if (value !== undefined) resolve(value);
    } catch (error) {
      reject(error);
    }
  };
  const gone = () => reject(failed(pod, { message: "it was taken down" }));
  pod.ended.then(gone, gone);
  const watcher = watch(pod.directory, check);
  watcher.on("error", check);
  const timer = setInterval(check, lookMs);
  check();
  try {
    return await promise;
  } finally {
    clearInterval(timer);
    watcher.close();
  }
}

function failed({ state }: WatchedPod, { message }: Pick<PodOutcome, "message">): PodError {
  const why = message === "" ? "its containers exited" : message;
  return new PodError({ code: "pod.failed", message: `pod ${state.name} failed: ${why}` });
}
