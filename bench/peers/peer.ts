// A peer as a subject of the benchmark: what it must offer, and the cells that are made from that.
import { writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { monotonicNs } from "../../src/native/syscalls.ts";
import type { Absent, Cell, Job, Sample, Subject, Work } from "../cell.ts";
import { cpuOfGroups } from "../cpu.ts";
import { buildFloor } from "../floor.ts";
import type { SpanName } from "../metric.ts";
import type { Shape } from "../shape.ts";
import { describeProgram } from "./find.ts";
import { privateMemory } from "./memory.ts";
import { type Lane, openSite, type Site } from "./site.ts";

/** What a driver is made for. */
export type DriverOptions = {
  readonly shape: Shape;
  /** Shells that work at the same time; each knows its number as `$lane`. */
  readonly lanes: number;
  /** Of one pod, joined ones included. */
  readonly containersMax: number;
  /** Files that are copied to the top of the root, and what a container runs. */
  readonly programs: readonly string[];
  readonly command: readonly string[];
  /** What `once` runs. */
  readonly once: readonly string[];
};

/**
 * How one peer is worked, in functions of sh that are defined in every shell of the site. A pod is
 * named by a number, and its containers by theirs, from 1. What a kind of work needs must be there:
 * `up POD` and `down POD` for launch, throughput and mass-down; `join POD CONTAINER`;
 * `call POD NUMBER`, a command in container 1, for exec; `once NUMBER` for lifecycle.
 */
export type Driver = {
  readonly functions: string;
  /** What a container has written so far. */
  output?(pod: number, container: number): Buffer;
  /** When a program ran its first instruction, in ns of CLOCK_MONOTONIC, once that is known. */
  firstInstruction?(what: "container" | "command", pod: number, number: number): bigint | undefined;
  /** The output of the last `once`. */
  onceOutput?(): Buffer;
  /** Names of the processes that the peer leaves beside a pod's containers. */
  readonly supervisors?: readonly string[];
};

export type Peer = {
  readonly name: string;
  readonly program: string;
  /** What is done for each kind of work; one that is not named can't be done. */
  readonly spans: Readonly<Partial<Record<Work["kind"], string>>>;
  /** See `openSite`. */
  readonly seesAllGroups?: boolean;
  /** Why it can't make such containers. */
  refuses(shape: Shape): string | undefined;
  drive(site: Site, options: DriverOptions): Promise<Driver>;
};

export function peerSubject(peer: Peer): Subject {
  return {
    name: peer.name,
    surface: "command",
    cpuCounts: "the peer's programs, the containers and the shell that starts them (cgroup)",
    version: () => describeProgram(peer.program),
    cell: (job) => peerCell(peer, job),
  };
}

type Opened = { readonly site: Site; readonly driver: Driver; readonly lanes: readonly Lane[] };

/** Numbers of pods: the one that is measured, the crowd of `existing`, the first of many. */
const measured = 1;
const crowd = 2;
const firstOfMany = 10;

function peerCell(peer: Peer, job: Job): Cell {
  let opened: Opened | undefined;
  return {
    async prepare() {
      const absent = await whyNot(peer, job);
      if (absent !== undefined) return { absent };
      const { directory, shape } = job;
      const seesAllGroups = peer.seesAllGroups ?? false;
      const site = await openSite({
        name: peer.program,
        directory,
        hostMounts: shape.hostMounts,
        seesAllGroups,
      });
      try {
        opened = await open(peer, site, job);
      } catch (error) {
        await site[Symbol.asyncDispose]();
        return { absent: String(error) };
      }
      return await tryOut(opened.site.lane, job.work);
    },
    async run() {
      if (opened === undefined) throw new Error(`${peer.name} was not prepared`);
      return await measure(opened, job);
    },
    async cleanup() {
      await opened?.site[Symbol.asyncDispose]();
    },
  };
}

async function open(peer: Peer, site: Site, { work, shape }: Job): Promise<Opened> {
  const lanesMax = lanesOf(work);
  const joined = work.kind === "join" ? work.count : 0;
  const driver = await peer.drive(site, {
    shape,
    lanes: lanesMax,
    containersMax: Math.max(shape.containers + joined, shape.existing),
    programs: [join(await buildFloor(), "..", "stamp")],
    command: ["/stamp"],
    once: ["/stamp", "exit"],
  });
  const lanes = [site.lane];
  while (lanes.length < lanesMax) lanes.push(await site.addLane());
  await defineFunctions(driver, site, lanes);
  return { site, driver, lanes };
}

export async function defineFunctions(
  driver: Driver,
  site: Site,
  lanes: readonly Lane[],
): Promise<void> {
  const file = join(site.directory, "functions.sh");
  writeFileSync(file, driver.functions);
  for (const lane of lanes) await lane.must(`. ${file}`);
}

async function whyNot(peer: Peer, { work, shape }: Job): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return "needs root";
  const version = await describeProgram(peer.program);
  if (typeof version !== "string") return version.absent;
  const offered = peer.spans;
  if (offered[work.kind] === undefined) return `has nothing like ${work.kind}`;
  if (shape.existing > 0 && offered.join === undefined) return "can't make a crowd";
  return peer.refuses(shape);
}

function lanesOf(work: Work): number {
  if (work.kind === "throughput") return work.concurrency;
  return work.kind === "mass-down" ? availableParallelism() : 1;
}

const messageMax = 300;

/** One round that does not count: what does not work here says so before the rounds. */
async function tryOut(lane: Lane, work: Work): Promise<Absent | undefined> {
  const lines = work.kind === "lifecycle" ? ["once 1"] : [`up ${measured}`, `down ${measured}`];
  for (const line of lines) {
    const { status, output } = await lane.send(line);
    if (status !== 0) return { absent: `${line} failed: ${output.slice(0, messageMax)}` };
  }
  return undefined;
}

/** In the presence of the crowd that the shape asks for. */
async function measure(opened: Opened, { work, shape }: Job): Promise<Sample> {
  const { lane } = opened.site;
  if (shape.existing === 0) return await measureAlone(opened, work, shape);
  await lane.must(`up ${crowd}`);
  try {
    for (let number = shape.containers + 1; number <= shape.existing; number += 1) {
      await lane.must(`join ${crowd} ${number}`);
    }
    return await measureAlone(opened, work, shape);
  } finally {
    await lane.must(`down ${crowd}`);
  }
}

async function measureAlone(opened: Opened, work: Work, shape: Shape): Promise<Sample> {
  switch (work.kind) {
    case "launch":
      return await launch(opened, shape);
    case "join":
    case "exec":
      return await addEach(opened, work, shape);
    case "lifecycle":
      return (await timed(opened, "lifecycle", () => opened.site.lane.must("once 1"))).sample;
    case "throughput":
      return await throughput(opened, work);
    case "mass-down":
      return await endMany(opened, work.pods);
    case "memory":
      return await readMemory(opened, work.pods);
    default:
      return work satisfies never;
  }
}

async function timed(
  { site }: Opened,
  span: SpanName,
  act: () => Promise<void>,
): Promise<{ readonly sample: Sample; readonly beganNs: bigint }> {
  const cpu = cpuOfGroups([site.group]);
  const beganNs = monotonicNs();
  await act();
  const us = Number(monotonicNs() - beganNs) / 1000;
  return {
    sample: { [span]: [us], [`${span}-cpu`]: [cpuOfGroups([site.group]) - cpu] },
    beganNs,
  };
}

async function launch(opened: Opened, shape: Shape): Promise<Sample> {
  const { lane } = opened.site;
  const up = await timed(opened, "up", () => lane.must(`up ${measured}`));
  const stamps: number[] = [];
  for (let index = 1; index <= shape.containers; index += 1) {
    const stamp = await awaitFirst(opened.driver, "container", measured, index);
    if (stamp !== undefined) stamps.push(Number(stamp - up.beganNs) / 1000);
  }
  const down = await timed(opened, "down", () => lane.must(`down ${measured}`));
  const first = stamps.length === shape.containers ? { first: [Math.max(...stamps)] } : {};
  return { ...up.sample, ...first, ...down.sample };
}

/** Joins or commands, one after the other, in a pod that is there. */
async function addEach(
  opened: Opened,
  work: Work & { readonly count: number },
  shape: Shape,
): Promise<Sample> {
  const { site, driver } = opened;
  const isJoin = work.kind === "join";
  const all: Record<string, number[]> = {};
  const add = (sample: Sample) => {
    for (const [name, values] of Object.entries(sample)) (all[name] ??= []).push(...values);
  };
  await site.lane.must(`up ${measured}`);
  try {
    for (let index = 1; index <= work.count; index += 1) {
      const number = isJoin ? shape.containers + index : index;
      const line = `${isJoin ? "join" : "call"} ${measured} ${number}`;
      const span = isJoin ? "join" : "exec";
      const done = await timed(opened, span, () => site.lane.must(line));
      add(done.sample);
      const what = isJoin ? "container" : "command";
      const stamp = await awaitFirst(driver, what, measured, number);
      if (stamp !== undefined) add({ [`${span}-first`]: [Number(stamp - done.beganNs) / 1000] });
    }
  } finally {
    await site.lane.must(`down ${measured}`);
  }
  return all;
}

const stampTimeoutMs = 5000;

/** A command may answer before the container's program has begun. */
async function awaitFirst(
  driver: Driver,
  ...which: Parameters<NonNullable<Driver["firstInstruction"]>>
): Promise<bigint | undefined> {
  if (driver.firstInstruction === undefined) return undefined;
  const deadline = performance.now() + stampTimeoutMs;
  for (;;) {
    const stamp = driver.firstInstruction(...which);
    if (stamp !== undefined) return stamp;
    if (performance.now() > deadline) throw new Error(`${which.join(" ")} never ran`);
    await Bun.sleep(1);
  }
}

async function throughput(opened: Opened, work: { readonly durationMs: number }): Promise<Sample> {
  const cycles: number[] = [];
  const ends: number[] = [];
  let pod = firstOfMany;
  const cpu = cpuOfGroups([opened.site.group]);
  const began = performance.now();
  await Promise.all(
    opened.lanes.map(async (lane) => {
      while (performance.now() - began < work.durationMs) {
        const number = pod;
        pod += 1;
        const start = performance.now();
        await lane.must(`up ${number}`);
        await lane.must(`down ${number}`);
        cycles.push((performance.now() - start) * 1000);
        ends.push((performance.now() - began) * 1000);
      }
    }),
  );
  const seconds = (performance.now() - began) / 1000;
  const used = cpuOfGroups([opened.site.group]) - cpu;
  return {
    rate: [cycles.length / seconds],
    cycle: cycles,
    "cycle-cpu": [used / cycles.length],
    "cycle-end": ends,
  };
}

async function endMany(opened: Opened, pods: number): Promise<Sample> {
  const { lanes, site } = opened;
  const numbers = Array.from({ length: pods }, (_, index) => firstOfMany + index);
  for (const number of numbers) await site.lane.must(`up ${number}`);
  const end = async () => {
    const parts = lanes.map((lane, offset) => ({
      lane,
      mine: numbers.filter((_, index) => index % lanes.length === offset),
    }));
    await Promise.all(
      parts.map(async ({ lane, mine }) => {
        for (const number of mine) await lane.must(`down ${number}`);
      }),
    );
  };
  return (await timed(opened, "mass-down", end)).sample;
}

/** What one pod takes does not depend on the others, so a few say it. */
const podsForMemory = 3;

async function readMemory({ site, driver }: Opened, pods: number): Promise<Sample> {
  const count = Math.min(pods, podsForMemory);
  const numbers = Array.from({ length: count }, (_, index) => firstOfMany + index);
  for (const number of numbers) await site.lane.must(`up ${number}`);
  const taken = privateMemory(site.group, driver.supervisors ?? []);
  for (const number of numbers) await site.lane.must(`down ${number}`);
  return { pods: [count], "keeper-memory": [taken / count] };
}
