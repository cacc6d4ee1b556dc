// Ending what runs in a control group, and the group with all below it.

import { readdirSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Whatever still runs in there is killed; a group that was never made is no failure. */
export async function endGroup(group: string, attemptsMax: number): Promise<void> {
  try {
    writeFileSync(`${group}/cgroup.kill`, "1");
  } catch {
    return;
  }
  for (let attempt = 0; attempt < attemptsMax && !tryRemove(group); attempt++) await Bun.sleep(5);
}

function tryRemove(group: string): boolean {
  for (const entry of readdirSync(group, { withFileTypes: true })) {
    if (entry.isDirectory() && !tryRemove(join(group, entry.name))) return false;
  }
  try {
    rmdirSync(group);
    return true;
  } catch {
    return false;
  }
}
