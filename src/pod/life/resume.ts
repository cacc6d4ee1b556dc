// Where another owner left off: each container as the keeper's record has it, and what the journal
// adds to that.

import type { KeeperRecord, ProcessRecord } from "../record.ts";
import type { Unit } from "./unit.ts";

/** True when the run that the record knows is one that the journal does not. */
export function resumeUnit(unit: Unit, record: KeeperRecord | undefined): boolean {
  const known = record?.processes.get(unit.entry.process);
  const { life } = unit;
  const failedMs = life.termination?.finishedMs;
  if (failedMs !== undefined && life.attempt > (known?.attempt ?? -1)) {
    // It could not be executed, so the record does not have it.
    unit.attempt = life.attempt;
    unit.finish(life.termination?.exitCode ?? 0, failedMs);
  } else if (known) {
    adopt(unit, known);
  }
  if (unit.state === "exited" && life.discarded >= unit.attempt) unit.state = "none";
  return known !== undefined && known.attempt > life.attempt;
}

function adopt(unit: Unit, known: ProcessRecord): void {
  const { life } = unit;
  const isNews = known.attempt > life.attempt;
  if (isNews) unit.beginLaunch(known.attempt);
  unit.attempt = known.attempt;
  const startedMs = Number(known.startedNs / 1_000_000n);
  unit.run(startedMs);
  if (isNews) {
    life.started = false;
    life.ready = false;
  }
  if (known.exit) unit.finish(known.exit.exitCode, known.exit.finishedAt.getTime());
}
