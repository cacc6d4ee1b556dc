// What a starting pod takes for itself alone: its name, and with a user namespace a range of ids.
// Both are made by one system call each, so that two processes never get the same.

import { mkdirSync, rmSync, symlinkSync } from "node:fs";
import { PodError } from "../errors/pod-error.ts";
import type { Places } from "../spec/places.ts";
import type { IdRange } from "../spec/resolved.ts";
import { linkTarget } from "./state.ts";

/** The kubelet's: 65 536 ids a pod. */
const idsPerPod = 65_536;
/**
 * Unused by useradd, systemd and podman: their ranges end at 1 879 048 191 (systemd,
 * docs/UIDS-GIDS.md).
 */
const firstRangeId = 1_879_048_192;
const rangesMax = 4096;

export const hostIds: IdRange = { firstId: 0, count: 0, claim: "" };

function makeDirectories(places: Places): void {
  for (const [path, mode] of [
    [`${places.state}/pods`, 0o700],
    [`${places.state}/names`, 0o700],
    [`${places.state}/id-ranges`, 0o700],
    [`${places.root}/pods`, 0o711],
    [places.logs, 0o755],
  ] as const) {
    try {
      mkdirSync(path, { recursive: true, mode });
    } catch (error) {
      throw new PodError({
        code: "host.directory-unusable",
        message: `the directory ${path} cannot be made`,
        step: error instanceof Error ? error.message : String(error),
      });
    }
  }
  made.add(places);
}

/** Makes the pod's state directory and its name; rejects when the name is taken. */
export function claimName(places: Places, nameLink: string, uid: string): void {
  makeStateDirectory(places, uid);
  const link = `${places.state}/names/${nameLink}`;
  try {
    symlinkSync(`../pods/${uid}`, link);
  } catch (error) {
    rmSync(`${places.state}/pods/${uid}`, { recursive: true });
    if (!isExisting(error)) throw error;
    const [namespace = "", name = ""] = nameLink.split("_");
    throw new PodError({
      code: "pod.exists",
      message: `there is a pod ${namespace}/${name} already (uid ${linkTarget(link)})`,
    });
  }
}

/** All directories are looked at once a process, and again when one is missing after all. */
function makeStateDirectory(places: Places, uid: string): void {
  const path = `${places.state}/pods/${uid}`;
  if (!made.has(places)) makeDirectories(places);
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (!hasCode(error, "ENOENT")) throw error;
    makeDirectories(places);
    mkdirSync(path, { mode: 0o700 });
  }
}

const made = new WeakSet<Places>();

export function claimIds(places: Places, uid: string): IdRange {
  const start = Math.floor(Math.random() * rangesMax);
  for (let tried = 0; tried < rangesMax; tried++) {
    const number = (start + tried) % rangesMax;
    try {
      symlinkSync(`../pods/${uid}`, `${places.state}/id-ranges/${number}`);
    } catch (error) {
      if (isExisting(error)) continue;
      throw error;
    }
    return {
      firstId: firstRangeId + number * idsPerPod,
      count: idsPerPod,
      claim: String(number),
    };
  }
  throw new PodError({
    code: "pod.queue-full",
    message: `all ${rangesMax} ranges of ids for user namespaces are in use`,
    hint: "end pods with hostUsers: false that are no longer needed",
  });
}

/** Before there is a keeper to do it. */
export function releaseClaims(places: Places, nameLink: string, ids: IdRange, uid: string): void {
  if (ids.claim !== "") rmSync(`${places.state}/id-ranges/${ids.claim}`, { force: true });
  if (linkTarget(`${places.state}/names/${nameLink}`) === uid) {
    rmSync(`${places.state}/names/${nameLink}`, { force: true });
  }
  rmSync(`${places.state}/pods/${uid}`, { recursive: true, force: true });
}

function isExisting(error: unknown): boolean {
  return hasCode(error, "EEXIST");
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
