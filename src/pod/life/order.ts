// What a pod's owner does next, from what its containers are at this moment: the kubelet's order of
// start, its restarts, and the end of a pod that has done its work. No clock and no I/O.

import type { ContainerKind } from "../../spec/launches.ts";
import type { Verdict } from "./restart.ts";

export interface ContainerView {
  readonly name: string;
  /** Ephemeral ones follow no order. */
  readonly kind: Exclude<ContainerKind, "ephemeral">;
  /** `none`: not yet in this round of starts. */
  readonly state: "none" | "launching" | "running" | "exited";
  /** postStart is done and the startup probe has passed. */
  readonly isStarted: boolean;
  /** Those after it wait until its postStart hook is done. */
  readonly isHookDue: boolean;
  /** Of one that has exited. */
  readonly exitCode: number;
  /** Of one that has exited. */
  readonly verdict: Verdict;
}

export interface Decision {
  /** Containers to run, in this order: places in the list. Whether at once, the back-off says. */
  readonly run: readonly number[];
  /** Everything is to start over, because of this container. */
  readonly restartAll?: number;
  readonly end?: "finished" | "init-failed";
}

export function decide(containers: readonly ContainerView[]): Decision {
  const source = containers.findIndex(
    ({ state, verdict }) => state === "exited" && verdict === "restart-all",
  );
  if (source >= 0) return { run: [], restartAll: source };
  const regular = containers.filter(({ kind }) => kind === "container");
  if (regular.every(isOver)) return { run: [], end: "finished" };
  const isFirst = regular.every(({ state }) => state === "none");
  const init = decideInit(containers, isFirst);
  if (init.hasFailed) return { run: [], end: "init-failed" };
  return { run: [...init.run, ...(init.isDone ? decideRegular(containers) : [])] };
}

function isOver({ state, verdict }: ContainerView): boolean {
  return state === "exited" && verdict === "no";
}

/**
 * One after another until all are through. After that only sidecars are looked at: what a plain one
 * once did counts for as long as the pod lives.
 */
function decideInit(containers: readonly ContainerView[], isFirst: boolean) {
  const run: number[] = [];
  let isDone = true;
  for (const [index, container] of containers.entries()) {
    const { kind, state } = container;
    if (kind === "container") break;
    if (!isFirst && kind === "init") continue;
    if (state === "exited" && (kind === "sidecar" || container.exitCode !== 0)) {
      if (container.verdict === "no") return { run: [], isDone: false, hasFailed: true };
      run.push(index);
    }
    // The next one's turn comes when this one is through.
    if (state === "none" && isDone) run.push(index);
    isDone &&= isThrough(container);
  }
  return { run, isDone: isDone || !isFirst, hasFailed: false };
}

function isThrough({ kind, state, isStarted, exitCode }: ContainerView): boolean {
  return kind === "sidecar"
    ? state === "running" && isStarted
    : state === "exited" && exitCode === 0;
}

/** Started in order, each when the hook of the one before it is done; restarted as they are due. */
function decideRegular(containers: readonly ContainerView[]): number[] {
  const run: number[] = [];
  let isOpen = true;
  for (const [index, { kind, state, verdict, isHookDue }] of containers.entries()) {
    if (kind !== "container") continue;
    if (state === "exited" && verdict === "restart") run.push(index);
    if (state === "none" && isOpen) run.push(index);
    if (isHookDue && state !== "exited") isOpen = false;
  }
  return run;
}

/** Of a pod none of whose regular containers will run again. */
export function outcomeOf(
  containers: readonly Pick<ContainerView, "kind" | "exitCode">[],
): "Succeeded" | "Failed" {
  const regular = containers.filter(({ kind }) => kind === "container");
  return regular.every(({ exitCode }) => exitCode === 0) ? "Succeeded" : "Failed";
}
