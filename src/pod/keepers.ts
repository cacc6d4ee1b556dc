// Keepers as processes: their control groups, the lean namespace they hand on, and their reaping.

import { closeSync, existsSync, mkdirSync, openSync, rmdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { PodError } from "../errors/pod-error.ts";
import type { KeeperEvents } from "../launch/keeper-client.ts";
import { KeeperClient } from "../launch/keeper-client.ts";
import { launchProcess, startKeeper } from "../launch/launch.ts";
import { readWords } from "../native/host.ts";
import { reapWhenEnded } from "../native/process-end.ts";
import { DescriptorSocket } from "../native/socket.ts";
import { closeFd, openDirectoryFd, tryReap } from "../native/syscalls.ts";
import { noProcess } from "../plan/abi.gen.ts";
import type { NetworkRelease } from "../plan/teardown.ts";
import { planTeardown } from "../plan/teardown.ts";
import type { HostPath } from "../spec/paths.ts";
import type { PodPlaces } from "../spec/resolved.ts";
import type { KeeperRecord } from "./record.ts";
import { isKeeperAlive, namespaceInode, readRecord } from "./record.ts";
import { names } from "./state.ts";

export type KeeperGroup = Readonly<Record<"keepersParent" | "uid", string>>;

/** The keeper's own group, outside the pod's limits. */
export function makeKeeperGroup(group: KeeperGroup): number {
  const path = `${group.keepersParent}/${group.uid}`;
  mkdirSync(path);
  return openDirectoryFd(path);
}

/** Busy until its keeper has gone; nothing else is ever in it. */
export async function removeKeeperGroup(group: KeeperGroup): Promise<void> {
  const path = `${group.keepersParent}/${group.uid}`;
  const [attemptsMax, patience] = [200, 40];
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    if (tryRemoveGroup(path)) return;
    // A helper that even SIGKILL does not wake: its volume's server has to answer, or to end.
    if (attempt > patience && readWords(`${path}/cgroup.procs`).length > 0) break;
    await Bun.sleep(Math.min(Math.floor(attempt / 4), 10));
  }
  const lookMs = 100;
  const timer = setInterval(() => {
    if (tryRemoveGroup(path)) clearInterval(timer);
  }, lookMs);
  timer.unref();
}

/** False while a process is in it, or has just left it. */
function tryRemoveGroup(path: string): boolean {
  try {
    rmdirSync(path);
    return true;
  } catch (error) {
    return !(error instanceof Error && "code" in error && error.code === "EBUSY");
  }
}

type SeedSource = Pick<KeeperRecord, "keeperPid" | "mountNamespace" | "isPristine">;

/**
 * A descriptor of a lean mount namespace: while it is held, no pod pays for a copy of the host's
 * mounts.
 */
export class Seed implements Disposable {
  #fd = -1;

  get fd(): number {
    return this.#fd;
  }

  /** From the keeper of this pod, known to live. */
  takeFrom(stateDirectory: string): void {
    const record = this.#fd >= 0 ? undefined : readRecord(stateDirectory);
    if (record) this.#take(record);
  }

  /** From a keeper that has nothing mounted yet. */
  takeFromProcess(keeperPid: number): void {
    const mountNamespace = this.#fd >= 0 ? 0 : namespaceInode(keeperPid, "mnt");
    if (mountNamespace !== 0) this.#take({ keeperPid, mountNamespace, isPristine: true });
  }

  #take({ keeperPid, mountNamespace, isPristine }: SeedSource): void {
    if (!isPristine) return;
    try {
      const fd = openSync(`/proc/${keeperPid}/ns/mnt`, "r");
      if (namespaceInode(keeperPid, "mnt") === mountNamespace) this.#fd = fd;
      else closeSync(fd);
    } catch {
      // The keeper has just ended; the next pod makes a seed of its own.
    }
  }

  /** From any pod of the state directory. */
  find(podsDirectory: string): void {
    if (this.#fd >= 0) return;
    for (const uid of names(podsDirectory)) {
      const record = readRecord(`${podsDirectory}/${uid}`);
      if (!isKeeperAlive(record)) continue;
      this.#take(record);
      if (this.#fd >= 0) return;
    }
  }

  [Symbol.dispose](): void {
    closeFd(this.#fd);
    this.#fd = -1;
  }
}

export function connectKeeper(places: PodPlaces, events: KeeperEvents): KeeperClient {
  const directory = openDirectoryFd(`${places.stateParent}/${places.uid}`);
  try {
    return new KeeperClient(DescriptorSocket.connect(directory, "socket"), events);
  } finally {
    closeFd(directory);
  }
}

/** For a pod that lives on: keeps neither a zombie nor this process waiting for its end. */
export function reapEventually(pidfd: number): Promise<void> {
  const lookMs = 100;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setInterval(() => {
    if (!tryReap(pidfd)) return;
    clearInterval(timer);
    closeFd(pidfd);
    resolve();
  }, lookMs);
  timer.unref();
  return promise;
}

/**
 * Cleaning up after a keeper that died: a fresh one carries out the teardown that the dead one
 * would have.
 */
export async function tearDownWithoutKeeper(places: PodPlaces, rangeClaim: string): Promise<void> {
  // The keeper first: one whose start was cut off lives on without a record to be known by.
  killGroup(`${places.keepersParent}/${places.uid}`);
  killGroup(`${places.cgroupParent}/${places.cgroupName}`);
  const plan = planTeardown(places, rangeClaim, await findNetwork(places));
  const { client, pidfd } = startKeeper({
    cgroup: -1,
    seed: -1,
    namespaces: [],
    links: false,
    events: { exited() {}, ended() {}, closed() {} },
  });
  const request = { process: noProcess, flags: [], stopSignal: 0, graceMs: 0, plan };
  const answer = launchProcess(client, request);
  await client.listen();
  const reply = await answer;
  client[Symbol.dispose]();
  await reapWhenEnded(pidfd);
  await removeKeeperGroup(places);
  // Parents that were never made are no failure: there is nothing in them either.
  if (names(places.stateParent).includes(places.uid)) {
    throw new PodError({
      code: "pod.not-down",
      message: `something of pod ${places.uid} could not be removed`,
      ...(reply && { step: `operation ${reply.operation + 1} of its teardown` }),
    });
  }
}

/** Looked for where pods have had addresses at all. */
async function findNetwork({
  uid,
  addressesParent,
}: PodPlaces): Promise<NetworkRelease | undefined> {
  if (!existsSync(addressesParent)) return undefined;
  const { findRelease } = await import("../network/release.ts");
  return findRelease(dirname(addressesParent) as HostPath, uid);
}

function killGroup(group: string): void {
  try {
    writeFileSync(`${group}/cgroup.kill`, "1");
  } catch {
    // No such group: nothing of it runs.
  }
}
