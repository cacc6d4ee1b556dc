// peapod as subjects: the module in a process that has long been running, as a service embeds it,
// and in one that has only just started.
import type { Subject } from "./cell.ts";
import { cpuCounts } from "./metrics/site.ts";
import { peapodCell } from "./peapod-cell.ts";
import { crowdedCell, freshCell } from "./worker-cell.ts";
import packageJson from "../package.json" with { type: "json" };

async function version(): Promise<string> {
  return `peapod ${packageJson.version}, Bun ${Bun.version}`;
}

export function peapodSubject(): Subject {
  return {
    name: "peapod",
    surface: "call",
    cpuCounts,
    version,
    cell: (job) =>
      job.shape.hostMounts > 0 ? crowdedCell(job) : peapodCell(job, { isWarm: true }),
  };
}

/** The first pod of a process, whose code Bun has not compiled yet. */
export function freshSubject(): Subject {
  return {
    name: "peapod (first pod)",
    surface: "call",
    cpuCounts,
    version,
    cell: freshCell,
  };
}
