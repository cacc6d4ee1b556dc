// peapod as a cell, through its own layers: a pod from the module, joins as the pod's supervisor
// makes them.
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Cell, Job, Sample, Subject } from "./cell.ts";
import { launchProcess } from "../src/launch/launch.ts";
import { planContainer } from "../src/plan/container.ts";
import { noProcess } from "../src/plan/abi.gen.ts";
import { PodHost } from "../src/pod/peapod.ts";
import { RunningPod } from "../src/pod/running-pod.ts";
import { readPodManifest } from "../src/read/pod-manifest/read.ts";
import { findCgroupMount } from "../src/native/host.ts";
import { resolvePod } from "../src/resolve/pod.ts";
import type { PodSpec } from "../src/spec/pod-spec.ts";

const firstJoin = 5000;

export function peapodSubject(): Subject {
  return {
    name: "peapod",
    surface: "call",
    cpuCounts: "",
    async version() {
      return process.getuid?.() === 0 ? "peapod" : { absent: "needs root" };
    },
    cell: peapodCell,
  };
}

function peapodCell(job: Job): Cell {
  const joinsCount = job.work.kind === "join" ? job.work.count : 0;
  let host: PodHost | undefined;
  let round = 0;
  const directory = join(job.directory, "peapod");
  const cgroupRoot = `${findCgroupMount()?.path ?? "/sys/fs/cgroup"}/peapod-bench-${process.pid}`;
  return {
    async prepare() {
      if (process.getuid?.() !== 0) return { absent: "needs root" };
      host = new PodHost({
        root: join(directory, "root"),
        state: join(directory, "state"),
        logs: join(directory, "logs"),
        cgroupRoot,
        missingControllers: "warn",
      });
      return undefined;
    },
    async run(): Promise<Sample> {
      if (host === undefined) throw new Error("peapod was not prepared");
      round += 1;
      const spec = makeSpec(`bench-${round}`, "c", job.shape.containers);
      const start = performance.now();
      const pod = await host.up(spec, {});
      const up = microseconds(start);
      if (!(pod instanceof RunningPod)) throw new Error("the pod is not one of this process");
      const joins: number[] = [];
      for (let index = 0; index < joinsCount; index++) {
        joins.push(await joinPod(host, pod, index));
      }
      const end = performance.now();
      await pod.down({ graceMs: 0 });
      return { up: [up], ...(joins.length > 0 ? { join: joins } : {}), down: [microseconds(end)] };
    },
    async cleanup() {
      await host?.[Symbol.asyncDispose]();
      await Bun.$`rm -rf ${directory}`.quiet().nothrow();
      const groups = ["burstable", "besteffort", "keepers"].map((name) => join(cgroupRoot, name));
      await Bun.$`rmdir ${groups} ${cgroupRoot}`.quiet().nothrow();
    },
  };
}

/** A static program where there is one, as the floor's is: a dynamic one costs its loader. */
const payload = existsSync("/usr/bin/busybox")
  ? ["/usr/bin/busybox", "sleep", "3600"]
  : ["/usr/bin/sleep", "3600"];

function makeSpec(name: string, prefix: string, count: number): PodSpec {
  return readPodManifest({
    metadata: { name },
    spec: {
      restartPolicy: "Never",
      terminationGracePeriodSeconds: 0,
      containers: Array.from({ length: count }, (_, index) => ({
        name: `${prefix}${index}`,
        image: "host",
        command: payload,
      })),
    },
  });
}

/**
 * One more container in a running pod: resolved, planned, encoded, sent and exec'd within the time.
 */
async function joinPod(host: PodHost, pod: RunningPod, index: number): Promise<number> {
  const { state } = pod;
  const spec = makeSpec(pod.name, `j${index}-`, 1);
  const facts = host.facts();
  const start = performance.now();
  const resolved = resolvePod(spec, facts, {
    uid: state.uid,
    places: host.places,
    ids: state.ids,
    podPidsMax: 0,
    deadlineMs: 60_000,
    missingControllers: "warn",
    warn: () => {},
    files: {},
  });
  const [container] = resolved.containers;
  if (!container) throw new Error(`no container was resolved`);
  const process = firstJoin + index;
  const reply = await launchProcess(await pod.client(), {
    process,
    after: noProcess,
    flags: [],
    stopSignal: 15,
    graceMs: 0,
    plan: planContainer(resolved, { ...container, process }, facts),
  });
  if (reply.status !== "ok") throw new Error(`the join failed: ${JSON.stringify(reply)}`);
  return microseconds(start);
}

function microseconds(startMs: number): number {
  return (performance.now() - startMs) * 1000;
}
