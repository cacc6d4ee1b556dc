// What the agent writes down: one line an event, in a file that does not grow for ever.

import { appendFileSync, renameSync, statSync } from "node:fs";

const bytesMax = 1 << 20;

export function agentLogPath(state: string): string {
  return `${state}/agent.log`;
}

/** The one before is kept as `agent.log.1`. */
export function createAgentLog(state: string): (line: string) => void {
  const path = agentLogPath(state);
  return (line) => {
    try {
      if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > bytesMax) {
        renameSync(path, `${path}.1`);
      }
      appendFileSync(path, `${new Date().toISOString()} ${line}\n`, { mode: 0o600 });
    } catch {
      // A full disk must not end the agent.
    }
  };
}
