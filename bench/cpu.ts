// CPU time of control groups: what their processes, dead ones included, have used. cgroup v2 counts
// it in every group, with or without the cpu controller.
import { readFileSync } from "node:fs";

/**
 * Microseconds of all groups and what is below them. A removed group's time lives on in its parent:
 * name one that lasts as long as the measurement.
 */
export function cpuOfGroups(groups: readonly string[]): number {
  return groups.map(cpuOfGroup).reduce((sum, used) => sum + used, 0);
}

function cpuOfGroup(group: string): number {
  try {
    const [, used] = /^usage_usec (\d+)$/m.exec(readFileSync(`${group}/cpu.stat`, "utf8")) ?? [];
    return Number(used ?? 0);
  } catch {
    return 0;
  }
}

/** Microseconds of this process, all its threads. */
export function cpuOfSelf(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}
