// One container's entry in a pod's status.

import { signalNumber } from "../record.ts";
import type { Termination } from "../life/journal.ts";
import { containerId } from "../state.ts";
import type { Json, ManifestContainer } from "./manifest.ts";
import type { ContainerView, ShownState } from "./views.ts";

export function containerStatus(
  view: ContainerView,
  container: ManifestContainer | undefined,
): Json {
  const { entry, id, state, last, restarts, isReady, isStarted } = view;
  const image = container?.image ?? "";
  const resources = container?.resources;
  const { uid = 0, gid = 0, groups = [] } = entry.user ?? {};
  return {
    name: entry.name,
    state: stateObject(state, entry.id),
    lastState: last ? { terminated: terminatedObject(last, entry.id) } : {},
    ready: isReady,
    restartCount: restarts,
    image,
    imageID: id === "" ? "" : (entry.imageId ?? image),
    ...(id !== "" && { containerID: `peapod://${id}` }),
    started: isStarted,
    ...(resources?.["requests"] !== undefined && { allocatedResources: resources["requests"] }),
    ...(resources !== undefined && { resources }),
    ...(id !== "" && {
      user: { linux: { uid, gid, supplementalGroups: [...new Set([gid, ...groups])] } },
    }),
  };
}

function stateObject(state: ShownState, firstId: string): Json {
  switch (state.kind) {
    case "waiting":
      return {
        waiting: { reason: state.reason, ...(state.message !== "" && { message: state.message }) },
      };
    case "running":
      return { running: { startedAt: timeText(state.startedMs) } };
    case "terminated":
      return { terminated: terminatedObject(state, firstId) };
    default:
      return state satisfies never;
  }
}

function terminatedObject(end: Termination, firstId: string): Json {
  const { exitCode, signal, reason, message, startedMs, finishedMs, attempt } = end;
  return {
    exitCode,
    // Only a name that the kernel has comes from the record.
    ...(signal !== undefined && { signal: signalNumber(signal as NodeJS.Signals) }),
    reason,
    ...(message !== "" && { message }),
    startedAt: timeText(startedMs),
    finishedAt: timeText(finishedMs),
    containerID: `peapod://${containerId(firstId, attempt)}`,
  };
}

/** Kubernetes' times have whole seconds. */
export function timeText(timeMs: number): string {
  return new Date(timeMs).toISOString().replace(/\.[0-9]+Z$/, "Z");
}
