// The keeper's record: what became of each process, for those who were not there. Written by
// zig/keeper/record.zig.

import { readFileSync, statSync } from "node:fs";
import { constants } from "node:os";
import { unpackStruct } from "../launch/layout.ts";
import { processStates, recordEntry, recordHead, recordMagic } from "../plan/abi.gen.ts";
import type { ExitStatus } from "./types.ts";

export interface KeeperRecord {
  readonly keeperPid: number;
  /** Inode of the keeper's mount namespace: a pid alone may have been given to another. */
  readonly mountNamespace: number;
  readonly isDetached: boolean;
  /** Nothing of the pod is mounted in the keeper's namespace, so other keepers may copy it. */
  readonly isPristine: boolean;
  readonly startedNs: bigint;
  readonly processes: ReadonlyMap<number, ProcessRecord>;
}

export interface ProcessRecord {
  /** How often it had been launched before. */
  readonly attempt: number;
  readonly state: (typeof processStates)[number];
  readonly pid: number;
  readonly startedNs: bigint;
  readonly linesDropped: number;
  readonly exit: ExitStatus | undefined;
}

/** Undefined before the keeper has written it, and after the pod is gone. */
export function readRecord(stateDirectory: string): KeeperRecord | undefined {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(`${stateDirectory}/record`);
  } catch {
    return undefined;
  }
  if (bytes.length < recordHead.size) return undefined;
  const head = unpackStruct(recordHead, bytes);
  if (head.magic !== recordMagic) return undefined;
  const processes = new Map<number, ProcessRecord>();
  for (let at = recordHead.size; at + recordEntry.size <= bytes.length; at += recordEntry.size) {
    const entry = unpackStruct(recordEntry, bytes.subarray(at));
    // A torn entry is being written at this moment; the next look sees it whole.
    if (entry.sequence === 0 || entry.sequence !== entry.sequence_end) continue;
    const state = processStates[entry.state] ?? "none";
    processes.set(entry.process, {
      attempt: entry.attempt,
      state,
      pid: state === "exited" ? 0 : entry.pid,
      startedNs: entry.started_ns,
      linesDropped: entry.lines_dropped,
      exit:
        state === "exited"
          ? makeExitStatus({
              code: entry.code,
              signal: entry.signal,
              oomKills: entry.oom_kills,
              cpuUs: entry.cpu_us,
              memoryPeakBytes: entry.memory_peak_bytes,
              startedNs: entry.started_ns,
              endedNs: entry.ended_ns,
            })
          : undefined,
    });
  }
  return {
    keeperPid: head.keeper_pid,
    mountNamespace: head.mount_namespace,
    isDetached: head.detached !== 0,
    isPristine: head.pristine !== 0,
    startedNs: head.started_ns,
    processes,
  };
}

export interface RawExit {
  readonly code: number;
  readonly signal: number;
  readonly oomKills: number;
  readonly cpuUs: bigint;
  readonly memoryPeakBytes: bigint;
  readonly startedNs: bigint;
  readonly endedNs: bigint;
}

export function makeExitStatus(raw: RawExit): ExitStatus {
  return {
    exitCode: raw.code,
    signal: raw.signal === 0 ? undefined : signalName(raw.signal),
    // A group that lost a process to the killer is told so even where its first process exited by
    // itself.
    oomKilled: raw.oomKills > 0,
    startedAt: dateOf(raw.startedNs),
    finishedAt: dateOf(raw.endedNs),
    cpuMs: Number(raw.cpuUs) / 1000,
    memoryPeakBytes: Number(raw.memoryPeakBytes),
  };
}

function dateOf(timeNs: bigint): Date {
  return new Date(Number(timeNs / 1_000_000n));
}

const signalNames = new Map<number, string>(
  Object.entries(constants.signals).map(([name, number]: [string, number]) => [number, name]),
);

export function signalName(number: number): string {
  return signalNames.get(number) ?? `SIG${number}`;
}

export function signalNumber(signal: NodeJS.Signals | number): number {
  return typeof signal === "number" ? signal : constants.signals[signal];
}

/**
 * Whether the process that wrote the record still lives; its namespace tells it from one that got
 * its pid.
 */
export function isKeeperAlive(record: KeeperRecord | undefined): record is KeeperRecord {
  if (!record || record.keeperPid === 0) return false;
  return namespaceInode(record.keeperPid, "mnt") === record.mountNamespace;
}

/** 0 when the process is gone. */
export function namespaceInode(pid: number, kind: string): number {
  try {
    return statSync(`/proc/${pid}/ns/${kind}`).ino;
  } catch {
    return 0;
  }
}

const namespaceKinds = ["net", "ipc", "uts", "mnt", "pid", "cgroup", "user", "time"] as const;

export function namespacesOf(pid: number): Readonly<Record<string, number>> {
  if (pid === 0) return {};
  return Object.fromEntries(namespaceKinds.map((kind) => [kind, namespaceInode(pid, kind)]));
}
