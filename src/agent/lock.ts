// One agent for each state directory: a lock that ends with its process, and beside it what others
// want to know of that process.

import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from "node:fs";
import { tryLock } from "../native/syscalls.ts";

export interface AgentRecord {
  readonly pid: number;
  readonly startedMs: number;
  readonly version: string;
}

/** Whoever asks whether there is an agent holds the lock for a moment, and is no agent. */
const attemptsMax = 20;
const attemptMs = 10;

function lockPath(state: string): string {
  return `${state}/agent.lock`;
}

/** Undefined when another process is the agent. */
export async function takeAgentLock(
  state: string,
  record: AgentRecord,
): Promise<Disposable | undefined> {
  mkdirSync(state, { recursive: true, mode: 0o700 });
  const fd = openSync(lockPath(state), "a+", 0o600);
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    if (tryLock(fd, "exclusive")) {
      ftruncateSync(fd);
      writeSync(fd, JSON.stringify(record));
      return { [Symbol.dispose]: () => closeSync(fd) };
    }
    await Bun.sleep(attemptMs);
  }
  closeSync(fd);
  return undefined;
}

export function isAgentRunning(state: string): boolean {
  let fd: number;
  try {
    fd = openSync(lockPath(state), "r");
  } catch {
    return false; // There never was one.
  }
  const isFree = tryLock(fd, "shared");
  closeSync(fd);
  return !isFree;
}

/** Undefined when there is no agent. */
export function readAgent(state: string): AgentRecord | undefined {
  if (!isAgentRunning(state)) return undefined;
  try {
    // Our own agents wrote it, one line, while they held the lock.
    return JSON.parse(readFileSync(lockPath(state), "utf8")) as AgentRecord;
  } catch {
    return undefined; // It has just taken the lock.
  }
}
