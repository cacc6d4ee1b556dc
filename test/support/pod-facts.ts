// A pod as its state directory would tell of it, put together by hand: for what is computed from
// that and from nothing else.

import type { ContainerLife, Journal, Termination } from "../../src/pod/life/journal.ts";
import { newContainerLife, newJournal } from "../../src/pod/life/journal.ts";
import type { ContainerEntry, PodState } from "../../src/pod/read-state.ts";
import type { ProcessRecord } from "../../src/pod/record.ts";
import { conditionsOf, dateConditions } from "../../src/pod/status/conditions.ts";
import { viewManifest } from "../../src/pod/status/manifest.ts";
import { phaseOf } from "../../src/pod/status/phase.ts";
import { viewContainers } from "../../src/pod/status/views.ts";
import type { PodView } from "../../src/pod/status.ts";
import type { HostPath } from "../../src/spec/paths.ts";
import type { ContainerKind } from "../../src/spec/launches.ts";

export const createdMs = Date.UTC(2026, 0, 1);

/** What the keeper knows of one container: `none`, `running`, or its exit code. */
export type Ran = "none" | "running" | number;

export interface GivenContainer {
  readonly name: string;
  readonly kind?: ContainerKind;
  readonly ran?: Ran;
  readonly attempt?: number;
  readonly oomKilled?: boolean;
  readonly life?: Partial<ContainerLife>;
  /** More of its manifest. */
  readonly manifest?: Readonly<Record<string, unknown>>;
  readonly user?: ContainerEntry["user"];
}

export interface GivenPod {
  readonly containers: readonly GivenContainer[];
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly journal?: Partial<Journal>;
  readonly isKeeperAlive?: boolean;
}

export function viewOf(given: GivenPod): PodView {
  const state = stateOf(given);
  const hasLife = given.journal ?? given.containers.find(({ life }) => life);
  const journal = hasLife ? journalOf(given) : undefined;
  const facts = {
    ...{ state, journal, manifest: viewManifest(state) },
    record: recordOf(given),
    isKeeperAlive: given.isKeeperAlive ?? true,
  };
  const containers = viewContainers(facts);
  const phase = phaseOf(facts, containers);
  const conditions = conditionsOf(facts, containers, phase);
  return { facts, containers, phase, conditions: dateConditions(facts, containers, conditions) };
}

export function ended(exitCode: number, more: Partial<Termination> = {}): Termination {
  return {
    ...{ attempt: 0, exitCode, reason: exitCode === 0 ? "Completed" : "Error", message: "" },
    ...{ startedMs: createdMs + 1000, finishedMs: createdMs + 2000 },
    ...more,
  };
}

const path = "/nowhere" as HostPath;

export function stateOf({ containers, spec = {} }: GivenPod): PodState {
  const listed = (kinds: readonly ContainerKind[]) =>
    containers
      .filter(({ kind = "container" }) => kinds.includes(kind))
      .map(({ name, kind, manifest }) => ({
        ...{ name, image: `${name}:1` },
        ...(kind === "sidecar" && { restartPolicy: "Always" }),
        ...manifest,
      }));
  return {
    ...{ version: 1, uid: "7e5", name: "web", namespace: "default", createdMs, graceMs: 30_000 },
    ...{ qosClass: "BestEffort", cpuRequestMilli: 0, hostname: "web", userNamespace: false },
    ids: { firstId: 0, count: 0, claim: "" },
    places: {
      ...{ uid: "7e5", stateParent: path, namesParent: path, nameLink: "default_web" },
      ...{
        rangesParent: path,
        addressesParent: path,
        dataParent: path,
        logsParent: path,
        logsName: "default_web_7e5",
      },
      ...{ cgroupParent: path, cgroupName: "pod7e5", keepersParent: path },
    },
    containers: containers.map(({ name, kind = "container", user }, process) => ({
      ...{ name, id: `${name}-id`, process, kind, env: [], workingDir: "/", oomScoreAdj: 0 },
      ...{ tty: false, stdin: false },
      ...(user && { user }),
    })),
    manifest: {
      metadata: { name: "web", labels: { app: "web" } },
      spec: {
        ...(listed(["init", "sidecar"]).length > 0 && {
          initContainers: listed(["init", "sidecar"]),
        }),
        containers: listed(["container"]),
        ...spec,
      },
    },
  };
}

function journalOf({ containers, journal }: GivenPod): Journal {
  const names = containers.map(({ name }) => name);
  const lives = containers.map(({ name, attempt = 0, ran = "running", life }) => {
    const isRunning = ran === "running";
    const plain = { attempt, started: isRunning, ready: isRunning };
    return [name, { ...newContainerLife(), ...plain, ...life }] as const;
  });
  return { ...newJournal(createdMs, names), containers: Object.fromEntries(lives), ...journal };
}

function recordOf({ containers }: GivenPod) {
  const startedNs = BigInt(createdMs + 1000) * 1_000_000n;
  const processes = containers.flatMap(
    ({ ran = "running", attempt = 0, oomKilled = false }, process): [number, ProcessRecord][] => {
      if (ran === "none") return [];
      const exit =
        ran === "running"
          ? undefined
          : {
              ...{ exitCode: ran, signal: ran > 128 ? "SIGKILL" : undefined, oomKilled },
              ...{ startedAt: new Date(createdMs + 1000), finishedAt: new Date(createdMs + 2000) },
              ...{ cpuMs: 0, memoryPeakBytes: 0 },
            };
      const state = exit ? "exited" : "running";
      return [[process, { attempt, state, pid: 1, startedNs, linesDropped: 0, exit }]];
    },
  );
  return {
    ...{ keeperPid: 1, mountNamespace: 1, isDetached: true, isPristine: true, startedNs },
    processes: new Map(processes),
  };
}
