// Each container's last run, as the keeper's record has it.

import { logName } from "../spec/resolved.ts";
import type { PodState } from "./read-state.ts";
import type { KeeperRecord } from "./record.ts";
import { isKeeperAlive } from "./record.ts";
import { containerId } from "./state.ts";
import type { ContainerState, ExitStatus } from "./types.ts";

export function containerStates(
  state: PodState,
  record: KeeperRecord | undefined,
  cgroupOf: (name: string) => string,
): ContainerState[] {
  const isAlive = isKeeperAlive(record);
  return state.containers.map((container) => {
    const known = record?.processes.get(container.process);
    const startedAt = known && known.startedNs > 0n ? dateOf(known.startedNs) : undefined;
    const exit = known?.exit ?? (known && !isAlive ? lostExit(dateOf(known.startedNs)) : undefined);
    return {
      name: container.name,
      id: containerId(container.id, known?.attempt ?? 0),
      phase: exit ? "terminated" : known?.state === "running" ? "running" : "waiting",
      pid: exit ? 0 : (known?.pid ?? 0),
      startedAt,
      exit,
      logPath: `${state.places.logsParent}/${state.places.logsName}/${container.name}/${logName(known?.attempt ?? 0)}`,
      cgroup: cgroupOf(container.name),
      linesDropped: known?.linesDropped ?? 0,
    };
  });
}

/** A container whose keeper died has died with it, and nobody saw how. */
function lostExit(startedAt: Date): ExitStatus {
  return {
    ...{ exitCode: 137, signal: "SIGKILL", oomKilled: false },
    ...{ startedAt, finishedAt: startedAt, cpuMs: 0, memoryPeakBytes: 0 },
  };
}

function dateOf(timeNs: bigint): Date {
  return new Date(Number(timeNs / 1_000_000n));
}
