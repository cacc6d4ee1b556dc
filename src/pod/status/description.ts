// Why a pod is as it is: its object, what happened to it, and what it waits for.

import type { LifeEvent } from "../life/journal.ts";
import type { PodState } from "../read-state.ts";
import type { PodView } from "../status.ts";
import { podObject, readPodView } from "../status.ts";
import type { PodDescription } from "../description-types.ts";
import { timeText } from "./container-status.ts";
import type { Json } from "./manifest.ts";

export function readDescription(state: PodState, directory: string): PodDescription {
  return describePod(readPodView(state, directory));
}

export function describePod(view: PodView): PodDescription {
  return {
    pod: podObject(view),
    events: eventsOf(view).map((event) => eventObject(view.facts.state, event)),
    retries: new Map(
      view.containers.flatMap(({ entry, state }) =>
        state.kind === "waiting" && state.untilMs !== undefined
          ? [[entry.name, new Date(state.untilMs)]]
          : [],
      ),
    ),
  };
}

/** Oldest first. A pod that nobody looks after has no journal; its record tells something. */
function eventsOf({ facts, containers }: PodView): readonly LifeEvent[] {
  const noted = facts.journal?.events ?? [];
  const started = containers.flatMap(({ entry, restarts }): LifeEvent[] => {
    const isNoted = noted.some(
      ({ reason, container }) => reason === "Started" && container === entry.name,
    );
    const known = facts.record?.processes.get(entry.process);
    if (isNoted || !known || known.startedNs === 0n) return [];
    const atMs = Number(known.startedNs / 1_000_000n);
    return [
      {
        ...{ type: "Normal", reason: "Started", message: `Started container ${entry.name}` },
        ...{ container: entry.name, count: restarts + 1, firstMs: atMs, lastMs: atMs },
      },
    ];
  });
  return [...started, ...noted].toSorted((a, b) => a.lastMs - b.lastMs);
}

function eventObject(state: PodState, event: LifeEvent): Json {
  const { type, reason, message, container, count, firstMs, lastMs } = event;
  const { name, namespace, uid } = state;
  const kind = state.containers.find((entry) => entry.name === container)?.kind ?? "container";
  const field = fields[kind];
  return {
    apiVersion: "v1",
    kind: "Event",
    metadata: {
      name: `${name}.${firstMs.toString(16)}${Bun.hash(`${reason} ${message}`).toString(16)}`,
      namespace,
      creationTimestamp: timeText(firstMs),
    },
    involvedObject: {
      ...{ kind: "Pod", apiVersion: "v1", name, namespace, uid },
      ...(container !== "" && { fieldPath: `${field}{${container}}` }),
    },
    ...{ reason, message, type, count },
    firstTimestamp: timeText(firstMs),
    lastTimestamp: timeText(lastMs),
    source: { component: "peapod" },
    ...{ reportingComponent: "peapod", reportingInstance: "" },
  };
}

const fields = {
  init: "spec.initContainers",
  sidecar: "spec.initContainers",
  container: "spec.containers",
  ephemeral: "spec.ephemeralContainers",
} as const;
