// Spec → ResolvedPod: all I/O of a launch but the launch itself. After it no field is optional.

import { hostname as hostHostname } from "node:os";
import { PodError, throwTogether } from "../errors/pod-error.ts";
import type { HostFacts } from "../spec/host-facts.ts";
import type { ResolvedNetwork } from "../spec/network.ts";
import { noNetwork } from "../spec/network.ts";
import type { GuestPath, HostPath } from "../spec/paths.ts";
import type { Places } from "../spec/places.ts";
import type { QosClass } from "../spec/qos.ts";
import { qosClass } from "../spec/qos.ts";
import type { PodSpec, VolumeSpec } from "../spec/pod-spec.ts";
import type { ContainerLaunch } from "../spec/launches.ts";
import { firstLaunches } from "../spec/launches.ts";
import type {
  IdRange,
  PodPlaces,
  ResolvedContainer,
  ResolvedPod,
  ResolvedVolume,
  VolumeFile,
} from "../spec/resolved.ts";
import { volumeDirectory } from "../spec/resolved.ts";
import { mergeCommand, mergeEnv, resolveCandidates, withPath } from "./command.ts";
import type { EnvironmentSource } from "./environment.ts";
import { resolveEnvironment } from "./environment.ts";
import { fault } from "./fault.ts";
import { sandboxFacts } from "./fields.ts";
import { printHostname } from "./generated-files.ts";
import type { ImageSource } from "./image.ts";
import { resolveImage, resolveSources } from "./image.ts";
import { printHostsFor, printResolvConfFor } from "./names.ts";
import type { PrivilegeOptions } from "./privileges.ts";
import { privilegesOf, sysctlsOf } from "./privileges.ts";
import { readVolumeFile } from "./volume-file.ts";

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
  refuseUnknownVolumes(spec, options);
  checkControllers(spec, facts, options);
  const hostname =
    spec.namespaces.network === "NODE" ? hostHostname() : (spec.hostname ?? hostnameOf(spec.name));
  const network = options.network ?? noNetwork;
  const places = resolvePlaces(spec, facts, {
    ...options,
    qos: qosClass(spec.containers.map(({ resources }) => resources)),
  });
  const texts: EnvironmentSource = {
    spec,
    uid: options.uid,
    sandbox: sandboxFacts(spec.namespaces.network, network),
    memoryBytes: facts.memoryBytes,
    root: options.places.root,
    warn: options.warn,
    readFile: (volume, path) => {
      const directory = `${places.dataParent}/${places.uid}/${volumeDirectory(volume)}`;
      return readVolumeFile(directory, path);
    },
  };
  return {
    name: spec.name,
    namespace: spec.namespace,
    uid: options.uid,
    hostname,
    namespaces: spec.namespaces,
    terminationGraceMs: spec.terminationGraceMs,
    places,
    ids: options.ids,
    network,
    resources: spec.containers.map(({ resources }) => resources),
    podPidsMax: options.podPidsMax,
    files: {
      hosts: printHostsFor(spec.namespaces.network, hostname, network.podIPs),
      hostname: printHostname(hostname),
      resolvConf: printResolvConfFor(),
    },
    // Set with the sandbox, which is there when a container starts again.
    sysctls: options.launches ? [] : sysctlsOf(spec, options),
    volumes: spec.volumes.map((volume) => resolveVolume(spec, volume, facts, options)),
    containers: (options.launches ?? firstLaunches(spec)).map((launch) =>
      resolveContainer(texts, launch, hostname, facts, options),
    ),
    deadlineMs: options.deadlineMs,
  };
}

/** The pod's name cut to a host name's length (kubelet, `GeneratePodHostNameAndDomain`). */
function hostnameOf(name: string): string {
  return name.slice(0, 63).replace(/[-.]+$/, "");
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

/** A limit needs its controller; requests and peapod's own defaults can do without. */
function checkControllers(spec: PodSpec, facts: HostFacts, options: ResolveOptions): void {
  const has = (name: string) => facts.cgroup.controllers.has(name);
  const problems: PodError[] = [];
  for (const container of spec.containers) {
    const { limits } = container.resources;
    const wanted = [
      ["cpu", limits.cpuMilli],
      ["memory", limits.memoryBytes],
    ] as const;
    for (const [name, limit] of wanted) {
      if (!limit || has(name)) continue;
      const field = `${container.field}.resources.limits.${name}`;
      const message = `this host has no ${name} controller for the limit of container ${container.name}`;
      if (options.missingControllers === "warn") options.warn(`${message}; it is not applied`);
      else problems.push(fault(spec, field, { code: "cgroup.controller-missing", message }));
    }
  }
  throwTogether(problems);
  const without = ["cpu", "memory", "pids"].filter((name) => !has(name));
  if (without.length > 0) {
    const list = without.join(", ");
    options.warn(
      `no cgroup controller ${list} on this host: requests and the default pids limit are not applied`,
    );
  }
}

function refuseUnknownVolumes(spec: PodSpec, options: ResolveOptions): void {
  for (const name of Object.keys(options.files)) {
    const volume = spec.volumes.find((candidate) => candidate.name === name);
    if (volume?.kind === "emptyDir") continue;
    throw new PodError({
      code: "manifest.invalid",
      message: `files are given for volume ${JSON.stringify(name)}, which is not an emptyDir of this pod`,
      hint: "files are put into emptyDir volumes before anything starts",
    });
  }
}

const fileTypes = {
  "": { expect: "any", createMode: 0 },
  Directory: { expect: "directory", createMode: 0 },
  DirectoryOrCreate: { expect: "directory", createMode: 0o755 },
  File: { expect: "file", createMode: 0 },
  FileOrCreate: { expect: "file", createMode: 0o644 },
  Socket: { expect: "socket", createMode: 0 },
  CharDevice: { expect: "character_device", createMode: 0 },
  BlockDevice: { expect: "block_device", createMode: 0 },
} as const;

function resolveVolume(
  spec: PodSpec,
  volume: VolumeSpec,
  facts: HostFacts,
  options: ResolveOptions,
): ResolvedVolume {
  const { name, field } = volume;
  if (volume.kind === "hostPath") {
    return { kind: "host", name, field, path: volume.path, ...fileTypes[volume.type] };
  }
  if (volume.kind === "image") return { kind: "image", name, field };
  if (volume.kind !== "emptyDir") throw new Error(`the reader lets no ${volume.kind} volume by`);
  const files = resolveFiles(name, options.files[name] ?? {});
  if (volume.medium === "") return { kind: "directory", name, field, files };
  // As the kubelet sizes it: the least of its own limit, the pod's memory and the node's.
  const limits = spec.containers.map(({ resources }) => resources.limits.memoryBytes ?? 0);
  const podLimit = limits.every((limit) => limit > 0) ? limits.reduce((a, b) => a + b, 0) : 0;
  const bounds = [volume.sizeLimitBytes ?? 0, podLimit, facts.memoryBytes].filter((n) => n > 0);
  return { kind: "memory", name, field, files, bytesMax: Math.min(...bounds) };
}

function resolveFiles(
  volume: string,
  files: Readonly<Record<string, string | Uint8Array>>,
): VolumeFile[] {
  return Object.entries<string | Uint8Array>(files).map(([path, content]) => {
    const parts = path.split("/");
    const isClean = parts.every((part) => part !== "" && part !== "." && part !== "..");
    if (!isClean || path.includes("\0") || path.length > 4000) {
      throw new PodError({
        code: "manifest.invalid",
        message: `the file ${JSON.stringify(path)} for volume ${volume} is not a clean relative path`,
      });
    }
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    return { path, bytes };
  });
}

function resolveContainer(
  texts: EnvironmentSource,
  { container, kind, process, attempt }: ContainerLaunch,
  hostname: string,
  facts: HostFacts,
  options: ResolveOptions,
): ResolvedContainer {
  const { spec } = texts;
  const image = resolveImage(spec, container, options);
  const { user, home, security } = privilegesOf(spec, container, image, facts, options);
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
  const env = withPath(mergeEnv(defaults, own.entries));
  const candidates = resolveCandidates(command, env);
  return {
    name: container.name,
    field: container.field,
    kind,
    process,
    attempt,
    root: image.root,
    imageId: image.id,
    candidates,
    argv,
    env,
    secrets: own.secrets.has(command) ? new Set([...own.secrets, ...candidates]) : own.secrets,
    workingDir: container.workingDir ?? (image.workingDir as GuestPath),
    user,
    security,
    stopSignal: image.stopSignal,
    resources: container.resources,
    mounts: container.volumeMounts.map((mount) => ({
      field: mount.field,
      volume: spec.volumes.findIndex(({ name }) => name === mount.name),
      target: mount.mountPath,
      readOnly: mount.readOnly,
      subPath: own.subPathOf(mount),
      sources: resolveSources(spec, mount, mount.subPath ?? "", options.images),
    })),
    stdin: container.stdin,
    stdinOnce: container.stdinOnce,
    readOnlyRoot: container.readOnlyRoot,
    tty: container.tty,
  };
}
