// The module in this process as a cell: each kind of work as the module does it.
import type { Absent, Cell, Job, Sample, Work } from "./cell.ts";
import { joinMany, joinsMax } from "./metrics/joins.ts";
import { weighMany } from "./metrics/memory.ts";
import { endMany, execInOne, launchOnce, liveOnce, makeMany } from "./metrics/pods.ts";
import { openSite, type Site } from "./metrics/site.ts";
import { readPodManifest } from "../src/read/pod-manifest/read.ts";

export function peapodCell(job: Job, { isWarm }: { readonly isWarm: boolean }): Cell {
  let site: Site | undefined;
  return {
    async prepare() {
      const lack = lackOf(job);
      if (lack !== undefined) return { absent: lack };
      site = await openSite(job.directory, { isWarm });
      return tryManifest(site, job);
    },
    async run() {
      if (site === undefined) throw new Error("peapod was not prepared");
      return await work(site, job);
    },
    async cleanup() {
      await site?.close();
    },
  };
}

function lackOf({ work: { kind, ...work }, shape }: Job): string | undefined {
  if (process.getuid?.() !== 0) return "needs root";
  if (shape.level !== "full") return "peapod starts whole containers only";
  const tooMany = kind === "join" && "count" in work && work.count > joinsMax;
  return tooMany ? `a pod has at most ${joinsMax} joins here` : undefined;
}

/** What the manifest's reader refuses, peapod can't do yet. */
function tryManifest(site: Site, job: Job): Absent | undefined {
  try {
    readPodManifest(site.manifest(job.shape));
    return undefined;
  } catch (error) {
    return { absent: error instanceof Error ? error.message : String(error) };
  }
}

async function work(site: Site, job: Job): Promise<Sample> {
  const { shape } = job;
  const asked: Work = job.work;
  switch (asked.kind) {
    case "launch":
      return await launchOnce(site, shape);
    case "join":
      return await joinMany(site, shape, asked.count);
    case "exec":
      return await execInOne(site, shape, asked.count);
    case "lifecycle":
      return await liveOnce(site, shape);
    case "throughput":
      return await makeMany(site, shape, asked);
    case "mass-down":
      return await endMany(site, shape, asked.pods);
    case "memory":
      return await weighMany(site, shape, asked.pods);
    default:
      return asked satisfies never;
  }
}
