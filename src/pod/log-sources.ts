// Where the output of a pod's containers is, and when there will be no more of it.

import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { logName } from "../spec/resolved.ts";
import { createWakeup } from "./logs/wakeup.ts";
import type { LogSource } from "./pod-logs.ts";
import type { PodState } from "./read-state.ts";
import { readRecord } from "./record.ts";
import type { ContainerEntry } from "./read-state.ts";

export interface LoggedPod {
  readonly state: PodState;
  readonly directory: string;
  /** Nothing of the pod is left, or nothing of it will run again. */
  readonly over: () => Promise<unknown>;
}

export interface LoggedContainer {
  readonly entry: ContainerEntry;
  /** Of a container that runs once. */
  readonly exited: Promise<unknown>;
}

export function logSource(pod: LoggedPod, container: LoggedContainer): LogSource {
  const { entry } = container;
  const { logsParent, logsName } = pod.state.places;
  const recorded = () => readRecord(pod.directory)?.processes.get(entry.process);
  const isRunOnce = entry.kind === "ephemeral" || !(pod.state.needsOwner ?? true);
  const pathOf = (attempt: number): string =>
    `${logsParent}/${logsName}/${entry.name}/${logName(attempt)}`;
  return {
    name: entry.name,
    attempt: recorded()?.attempt ?? 0,
    pathOf,
    ended: async (attempt, signal) => {
      if (isRunOnce) return container.exited;
      // Of which run an exit is, the record knows.
      const hasEnded = () => {
        const known = recorded();
        const isLater = known !== undefined && known.attempt > attempt;
        return isLater || (known?.attempt === attempt && known.exit !== undefined);
      };
      return until(hasEnded, pod.directory, pod.over(), signal);
    },
    successor: async (attempt, signal) => {
      if (isRunOnce) return undefined;
      const hasBegun = () => existsSync(pathOf(attempt + 1));
      return (await until(hasBegun, dirname(pathOf(attempt)), pod.over(), signal))
        ? attempt + 1
        : undefined;
    },
  };
}

/** True when it holds; false when the pod is over and it does not. */
async function until(
  holds: () => boolean,
  directory: string,
  over: Promise<unknown>,
  signal: AbortSignal,
): Promise<boolean> {
  using wakeup = createWakeup(directory);
  let isOver = false;
  const finish = (): void => {
    isOver = true;
    wakeup.wake();
  };
  void over.then(finish, finish);
  const onAbort = (): void => wakeup.wake();
  signal.addEventListener("abort", onAbort, { once: true });
  for (;;) {
    // Asked before the look: what begins and ends meanwhile is not missed.
    const isLastLook = isOver || signal.aborted;
    if (holds()) return true;
    if (isLastLook) return false;
    await wakeup.wait({});
  }
}
