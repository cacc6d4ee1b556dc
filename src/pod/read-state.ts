// What a pod's `pod.json` says, checked. Loaded by who opens a pod that is there already: a start
// does not wait for the check to be compiled.

import { readFileSync } from "node:fs";
import Type from "typebox";
import { Compile } from "typebox/compile";
import type { Static } from "typebox";
import { PodError } from "../errors/pod-error.ts";
import type { PodPlaces } from "../spec/resolved.ts";

const Text = Type.String();
const ContainerEntry = Type.Object({
  name: Text,
  /** Of its first run; `containerId` makes those of the others. */
  id: Text,
  process: Type.Integer(),
  /** Missing in the state of an older version, whose containers were all regular ones. */
  kind: Type.Optional(
    Type.Union([
      Type.Literal("init"),
      Type.Literal("sidecar"),
      Type.Literal("container"),
      Type.Literal("ephemeral"),
    ]),
  ),
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
  /** Missing where it has the plain ones. */
  security: Type.Optional(
    Type.Object({
      capabilities: Type.String({ pattern: "^[0-9a-f]{1,16}$" }),
      noNewPrivileges: Type.Boolean(),
      seccomp: Text,
      seccompFlags: Type.Integer(),
      appArmor: Text,
      seLinux: Text,
    }),
  ),
  /** Of an ephemeral one: as it was asked for, and whose processes it sees. */
  ephemeral: Type.Optional(
    Type.Object({ container: Type.Record(Text, Type.Unknown()), target: Text }),
  ),
  oomScoreAdj: Type.Integer(),
  /** Missing for SIGTERM. */
  stopSignal: Type.Optional(Type.Integer()),
  tty: Type.Boolean(),
  stdin: Type.Boolean(),
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
    addressesParent: Text,
    dataParent: Text,
    logsParent: Text,
    logsName: Text,
    cgroupParent: Text,
    cgroupName: Text,
    keepersParent: Text,
  }),
  /** Missing where the pod has no address of its own. */
  network: Type.Optional(
    Type.Object({
      podIPs: Type.Array(Text),
      hostIPs: Type.Array(Text),
      interface: Text,
      ports: Type.Array(
        Type.Object({
          field: Text,
          name: Text,
          containerPort: Type.Integer(),
          hostPort: Type.Integer(),
          hostIP: Text,
          protocol: Type.Enum(["TCP", "UDP", "SCTP"]),
        }),
      ),
    }),
  ),
  /** True where being ready is more than to run. */
  hasReadiness: Type.Optional(Type.Boolean()),
  /** True where the keeper holds objects that the pod names. */
  hasObjects: Type.Optional(Type.Boolean()),
  /** Whether its containers' exits, or time itself, call for somebody to act. */
  needsOwner: Type.Optional(Type.Boolean()),
  /** True where a stop signal to all containers at once would be too early for some. */
  endsInOrder: Type.Optional(Type.Boolean()),
  containers: Type.Array(ContainerEntry),
  manifest: Type.Record(Text, Type.Unknown()),
});

export type PodState = Omit<Static<typeof PodStateSchema>, "places"> & {
  readonly places: PodPlaces;
};
export type ContainerEntry = Static<typeof ContainerEntry>;

const validator = Compile(PodStateSchema);

export function readPodState(directory: string): PodState {
  const path = `${directory}/pod.json`;
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw broken(path, error instanceof Error ? error.message : String(error));
  }
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
