// What a pod's state directory says: written once at its start, read by whoever opens the pod
// later.

import { readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import Type from "typebox";
import type { Validator } from "typebox/compile";
import { Compile } from "typebox/compile";
import type { Static } from "typebox";
import { PodError } from "../errors/pod-error.ts";
import type { HostFacts } from "../spec/host-facts.ts";
import type { HostPath } from "../spec/paths.ts";
import type { Places } from "../spec/places.ts";
import type { PodPlaces } from "../spec/resolved.ts";

const Text = Type.String();
const ContainerEntry = Type.Object({
  name: Text,
  id: Text,
  process: Type.Integer(),
  env: Type.Array(Text),
  workingDir: Text,
  /** Missing where it is no image of the store. */
  imageId: Type.Optional(Text),
  /** Missing where it is root. */
  user: Type.Optional(
    Type.Object({
      uid: Type.Integer(),
      gid: Type.Integer(),
      groups: Type.Array(Type.Integer()),
    }),
  ),
  oomScoreAdj: Type.Integer(),
  tty: Type.Boolean(),
  stdin: Type.Boolean(),
  logName: Text,
});

const PodStateSchema = Type.Object({
  version: Type.Literal(1),
  uid: Text,
  name: Text,
  namespace: Text,
  createdMs: Type.Number(),
  graceMs: Type.Integer(),
  qosClass: Text,
  /** Sum of the containers' requests, for the weight of the group that all Burstable pods share. */
  cpuRequestMilli: Type.Integer(),
  hostname: Text,
  userNamespace: Type.Boolean(),
  ids: Type.Object({ firstId: Type.Integer(), count: Type.Integer(), claim: Text }),
  places: Type.Object({
    uid: Text,
    stateParent: Text,
    namesParent: Text,
    nameLink: Text,
    rangesParent: Text,
    dataParent: Text,
    logsParent: Text,
    logsName: Text,
    cgroupParent: Text,
    cgroupName: Text,
    keepersParent: Text,
  }),
  containers: Type.Array(ContainerEntry),
  manifest: Type.Record(Text, Type.Unknown()),
});

export type PodState = Omit<Static<typeof PodStateSchema>, "places"> & {
  readonly places: PodPlaces;
};
export type ContainerEntry = Static<typeof ContainerEntry>;

/** Compiled by the first that reads a pod: most starts read none. */
let validator: Validator<{}, typeof PodStateSchema> | undefined;

export function writePodState(directory: string, state: PodState): void {
  writeFileSync(`${directory}/pod.json`, JSON.stringify(state), { mode: 0o600 });
}

export function readPodState(directory: string): PodState {
  const path = `${directory}/pod.json`;
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw broken(path, error instanceof Error ? error.message : String(error));
  }
  validator ??= Compile(PodStateSchema);
  // Paths are branded; the check saw strings.
  if (validator.Check(value)) return value as unknown as PodState;
  const [first] = validator.Errors(value);
  throw broken(path, first ? `${first.instancePath} ${first.message}` : "not a pod's state");
}

function broken(path: string, why: string): PodError {
  return new PodError({
    code: "pod.keeper-lost",
    message: `the pod's state ${path} cannot be read: ${why}`,
  });
}

/**
 * The places of a pod by its uid alone, from what is on the disk: its start may have been cut off
 * before its state was written.
 */
export function findPlaces(uid: string, places: Places, facts: HostFacts): PodPlaces {
  const namesParent = `${places.state}/names` as HostPath;
  const nameLink = names(namesParent).find((name) => linkTarget(`${namesParent}/${name}`) === uid);
  const groups = facts.cgroup.root;
  const parents = [groups, `${groups}/burstable`, `${groups}/besteffort`];
  const cgroupName = `pod${uid}`;
  return {
    uid,
    stateParent: `${places.state}/pods` as HostPath,
    namesParent,
    nameLink: nameLink ?? uid,
    rangesParent: `${places.state}/id-ranges` as HostPath,
    dataParent: `${places.root}/pods` as HostPath,
    logsParent: places.logs,
    logsName: names(places.logs).find((name) => name.endsWith(`_${uid}`)) ?? uid,
    cgroupParent: (parents.find((path) => names(path).includes(cgroupName)) ?? groups) as HostPath,
    cgroupName,
    keepersParent: `${groups}/keepers` as HostPath,
  };
}

export function findRangeClaim(uid: string, rangesParent: string): string {
  return names(rangesParent).find((name) => linkTarget(`${rangesParent}/${name}`) === uid) ?? "";
}

/** The uid that a link of `names` or `id-ranges` stands for; empty for anything else. */
export function linkTarget(path: string): string {
  try {
    return readlinkSync(path).split("/").at(-1) ?? "";
  } catch {
    return "";
  }
}

export function names(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
