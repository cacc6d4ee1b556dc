// Ending an agent. The pods go on without it.

import { isAgentRunning, readAgent } from "./lock.ts";

const patienceMs = 10_000;

/** False when there was none; throws when it does not end. */
export async function stopAgent(state: string): Promise<boolean> {
  const agent = readAgent(state);
  if (agent === undefined) return false;
  try {
    process.kill(agent.pid, "SIGTERM");
  } catch {
    // It has just ended.
  }
  const end = performance.now() + patienceMs;
  while (isAgentRunning(state)) {
    if (performance.now() > end) throw new Error(`agent ${agent.pid} does not end`);
    await Bun.sleep(5);
  }
  return true;
}
