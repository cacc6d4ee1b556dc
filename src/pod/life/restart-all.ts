// RestartAllContainers: every container is killed, and the order of start begins anew. Sandbox,
// addresses and volumes stay.

import type { KeeperClient } from "../../launch/keeper-client.ts";
import type { Unit } from "./unit.ts";

const killedCode = 137;

/** In reverse order. None of these runs counts any more. */
export async function killForRestart(units: readonly Unit[], client: KeeperClient): Promise<void> {
  const killed = new Set<Unit>();
  for (const unit of units.toReversed()) {
    await unit.launching;
    if (unit.state !== "running") continue;
    killed.add(unit);
    await client.killTree(unit.entry.process);
    await unit.exited;
  }
  for (const unit of units) {
    const { termination } = unit.life;
    if (termination && killed.has(unit)) {
      const reason = "RestartingAllContainers";
      unit.life.termination = { ...termination, exitCode: killedCode, reason, message: "" };
    }
    if (unit.state === "exited") unit.discard();
  }
}
