// Spec → ResolvedPod: all I/O of a launch but the launch itself. After it no field is optional.

import type { HostFacts } from "../spec/host-facts.ts";
import type { ResolvedNetwork } from "../spec/network.ts";
import { noNetwork } from "../spec/network.ts";
import type { GuestPath, HostPath } from "../spec/paths.ts";
import type { Places } from "../spec/places.ts";
import type { QosClass } from "../spec/qos.ts";
import type { PodSpec } from "../spec/pod-spec.ts";
import type { PodResources } from "../spec/resources.ts";
import { containerResources, oomScoreAdj, podResources } from "../spec/resources.ts";
import type { ContainerLaunch } from "../spec/launches.ts";
import { firstLaunches } from "../spec/launches.ts";
import type {
  IdRange,
  PodPlaces,
  ResolvedContainer,
  ResolvedPod,
  ResolvedVolume,
} from "../spec/resolved.ts";
import { volumeDirectory } from "../spec/resolved.ts";
import { mergeCommand, mergeEnv, resolveCandidates, withPath } from "./command.ts";
import type { EnvironmentSource } from "./environment.ts";
import { resolveEnvironment } from "./environment.ts";
import { fault } from "./fault.ts";
import { fieldSource } from "./fields.ts";
import type { ClusterDns } from "./dns.ts";
import type { ImageSource } from "./image.ts";
import { resolveImage } from "./image.ts";
import { noCluster, resolveNames } from "./names.ts";
import type { PrivilegeOptions } from "./privileges.ts";
import { privilegesOf, sysctlsOf } from "./privileges.ts";
import { signalByName } from "../native/signals.ts";
import { checkControllers } from "./resources.ts";
import { readVolumeFile } from "./volume-file.ts";
import { refuseUnknownVolumes, resolveMount, resolveVolume } from "./volumes.ts";

export interface ResolveOptions extends PrivilegeOptions {
  readonly uid: string;
  readonly places: Places;
  readonly ids: IdRange;
  readonly podPidsMax: number;
  readonly deadlineMs: number;
  readonly missingControllers: "refuse" | "warn";
  readonly files: Readonly<Record<string, Readonly<Record<string, string | Uint8Array>>>>;
  /** Containers to resolve; left out, all of the pod for the first time. */
  readonly launches?: readonly ContainerLaunch[] | undefined;
  /** Undefined where no cluster is near. */
  readonly cluster?: ClusterDns | undefined;
  /** Undefined for loopback alone, or the host's own. */
  readonly network?: ResolvedNetwork | undefined;
  /** Those from the store, which were brought before; undefined where no container wants any. */
  readonly images?: ImageSource | undefined;
}

/**
 * Process numbers below this belong to containers, in manifest order; pauses and execs come after.
 */
export const firstOtherProcess = 10_000;

export function resolvePod(spec: PodSpec, facts: HostFacts, options: ResolveOptions): ResolvedPod {
  refuseUnknownVolumes(spec.volumes, options.files);
  checkControllers(spec, facts, options);
  const resources = podResources(spec);
  const network = options.network ?? noNetwork;
  const places = resolvePlaces(spec, facts, { ...options, qos: resources.qos });
  const texts: EnvironmentSource = {
    ...fieldSource(spec, facts, options),
    warn: options.warn,
    // What an init container is to write is not there before it has run.
    isEarly: options.launches === undefined && spec.initContainers.length > 0,
    readFile: (volume, path) => {
      refuseMemory(spec, volume);
      const directory = `${places.dataParent}/${places.uid}/${volumeDirectory(volume)}`;
      return readVolumeFile(directory, path);
    },
  };
  const { warn } = options;
  const { nameservers = [] } = network;
  const cluster = options.cluster ?? { ...noCluster, nameservers };
  const names = resolveNames({ spec, podIPs: network.podIPs, cluster, warn });
  const source: ContainerSource = {
    texts,
    hostname: names.hostname,
    facts,
    options,
    resources,
    volumes: spec.volumes.map((volume) =>
      resolveVolume({ fields: texts, facts, options, resources }, volume),
    ),
  };
  return {
    name: spec.name,
    namespace: spec.namespace,
    uid: options.uid,
    ...names,
    namespaces: spec.namespaces,
    terminationGraceMs: spec.terminationGraceMs,
    places,
    ids: options.ids,
    network,
    resources,
    podPidsMax: options.podPidsMax,
    // Set with the sandbox, which is there when a container starts again.
    sysctls: options.launches ? [] : sysctlsOf(spec, options),
    volumes: source.volumes,
    containers: (options.launches ?? firstLaunches(spec)).map((launch) =>
      resolveContainer(source, launch),
    ),
    deadlineMs: options.deadlineMs,
  };
}

export function resolvePlaces(
  pod: Pick<PodSpec, "name" | "namespace">,
  facts: HostFacts,
  options: Pick<ResolveOptions, "uid" | "places"> & { readonly qos: QosClass },
): PodPlaces {
  const { places, uid } = options;
  const groups = facts.cgroup.root;
  // Guaranteed pods sit directly under the root, as with the kubelet.
  const parent = options.qos === "Guaranteed" ? groups : `${groups}/${options.qos.toLowerCase()}`;
  return {
    uid,
    stateParent: `${places.state}/pods` as HostPath,
    namesParent: `${places.state}/names` as HostPath,
    nameLink: `${pod.namespace}_${pod.name}`,
    rangesParent: `${places.state}/id-ranges` as HostPath,
    addressesParent: `${places.state}/addresses` as HostPath,
    dataParent: `${places.root}/pods` as HostPath,
    logsParent: places.logs,
    logsName: `${pod.namespace}_${pod.name}_${uid}`,
    cgroupParent: parent as HostPath,
    cgroupName: `pod${uid}`,
    keepersParent: `${groups}/keepers` as HostPath,
  };
}

/** Its files are in the keeper's reach alone. */
function refuseMemory({ volumes }: PodSpec, name: string): void {
  const volume = volumes.find((candidate) => candidate.name === name);
  if (volume?.kind !== "emptyDir" || volume.medium === "") return;
  throw new Error("the volume is in memory, where nobody but containers can read it");
}

interface ContainerSource {
  readonly texts: EnvironmentSource;
  readonly hostname: string;
  readonly facts: HostFacts;
  readonly options: ResolveOptions;
  readonly resources: PodResources;
  readonly volumes: readonly ResolvedVolume[];
}

function resolveContainer(
  source: ContainerSource,
  { container, kind, process, attempt, target }: ContainerLaunch,
): ResolvedContainer {
  const { texts, hostname, facts, options, resources, volumes } = source;
  const { spec } = texts;
  const image = resolveImage(spec, container, options);
  const privileges = privilegesOf(spec, container, image, facts, options);
  const { user, home, security } = privileges;
  const own = resolveEnvironment(texts, container);
  const argv = mergeCommand(own, image);
  const [command] = argv;
  if (command === undefined) {
    throw fault(spec, container.field, {
      code: "container.no-command",
      message: `container ${container.name} has no command`,
    });
  }
  const defaults = [
    ...image.env,
    `HOSTNAME=${hostname}`,
    ...(image.env.some((entry) => entry.startsWith("HOME=")) ? [] : [`HOME=${home}`]),
    ...(container.tty ? ["TERM=xterm"] : []),
  ];
  const env = withPath(mergeEnv(mergeEnv(defaults, own.entries), privileges.env));
  const candidates = resolveCandidates(command, env);
  return {
    name: container.name,
    field: container.field,
    kind,
    process,
    attempt,
    targetProcess: target ?? -1,
    root: { ...image.root, binds: [...image.root.binds, ...privileges.binds] },
    imageId: image.id,
    candidates,
    argv,
    env,
    secrets: own.secrets.has(command) ? new Set([...own.secrets, ...candidates]) : own.secrets,
    workingDir: container.workingDir ?? (image.workingDir as GuestPath),
    user,
    security,
    stopSignal: signalByName(container.life.stopSignal ?? "") ?? image.stopSignal,
    resources: containerResources(spec, container),
    oomScoreAdj: oomScoreAdj(spec, container, kind, facts.memoryBytes),
    mounts: container.volumeMounts.map((mount) =>
      resolveMount({ fields: texts, facts, options, resources }, container, mount, own, volumes),
    ),
    messagePath: container.life.terminationMessage.path,
    stdin: container.stdin,
    stdinOnce: container.stdinOnce,
    readOnlyRoot: container.readOnlyRoot,
    tty: container.tty,
  };
}
