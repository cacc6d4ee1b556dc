// A checked manifest → the spec: variables expanded, requests filled in, flags as namespaces.

import type {
  ContainerSpec,
  PodSpec,
  ResourceList,
  VolumeMountSpec,
  VolumeSpec,
} from "../../spec/pod-spec.ts";
import { plainLife } from "../../spec/life.ts";
import { noObjects } from "../../spec/objects.ts";
import { expandVariables } from "./expand.ts";
import { invalid } from "./flaw.ts";
import type { Flaw } from "./flaw.ts";
import type { CheckedContainer, CheckedPod, CheckedVolume } from "./schema.ts";

/** Of command, args and env of a container together: its plan must stay well under a mebibyte. */
const entriesMax = 4096;
const bytesMax = 512 * 1024;
/** The kernel's MAX_ARG_STRLEN without the NUL: no argument, and no NAME=value, may be longer. */
const textBytesMax = 131_071;

/** What the caller adds: where it all stands, and what will not be acted on. */
export type SpecParts = Omit<PodSpec, "manifest" | "origins" | "inert">;

export function buildSpec(pod: CheckedPod): { spec: SpecParts; flaws: readonly Flaw[] } {
  const { metadata, spec } = pod;
  const flaws: Flaw[] = [];
  const parts: SpecParts = {
    name: metadata.name,
    namespace: metadata.namespace ?? "default",
    labels: metadata.labels ?? {},
    annotations: metadata.annotations ?? {},
    ...(spec.hostname ? { hostname: spec.hostname } : {}),
    setHostnameAsFqdn: false,
    hostAliases: [],
    dns: { policy: "ClusterFirst", nameservers: [], searches: [], options: [] },
    namespaces: {
      network: spec.hostNetwork ? "NODE" : "POD",
      ipc: spec.hostIPC ? "NODE" : "POD",
      pid: spec.hostPID ? "NODE" : spec.shareProcessNamespace ? "POD" : "CONTAINER",
      user: spec.hostUsers === false ? "POD" : "NODE",
    },
    terminationGraceMs: (spec.terminationGracePeriodSeconds ?? 30) * 1000,
    restartPolicy: spec.restartPolicy ?? "Always",
    readinessGates: [],
    overhead: {},
    pullSecrets: [],
    initContainers: [],
    objects: noObjects,
    volumes: (spec.volumes ?? []).map(buildVolume),
    containers: spec.containers.map((container, index) => buildContainer(container, index, flaws)),
  };
  return { spec: parts, flaws };
}

function buildVolume(volume: CheckedVolume, index: number): VolumeSpec {
  const common = { name: volume.name, field: `spec.volumes[${index}]` };
  if (volume.hostPath) {
    const { path, type } = volume.hostPath;
    return { ...common, kind: "hostPath", path, type: type ?? "" };
  }
  const { medium, sizeLimit } = volume.emptyDir ?? {};
  // A limit of 0 is none: the kubelet looks at positive ones only.
  const limit = sizeLimit ? { sizeLimitBytes: sizeLimit } : {};
  return { ...common, kind: "emptyDir", medium: medium ?? "", ...limit };
}

function buildContainer(container: CheckedContainer, index: number, flaws: Flaw[]): ContainerSpec {
  const field = `spec.containers[${index}]`;
  const size: Size = { entries: 0, bytes: 0, flaws, field };
  const env = expandEnv(container, size);
  const words = (key: "command" | "args") => {
    const list = container[key]?.map((text, word) =>
      grow(size, `${field}.${key}[${word}]`, "", text, env),
    );
    return list && list.length > 0 ? { [key]: list } : {};
  };
  const requests = listResources(container.resources?.requests);
  const limits = listResources(container.resources?.limits);
  return {
    name: container.name,
    field,
    image: container.image,
    ...(container.imagePullPolicy && { imagePullPolicy: container.imagePullPolicy }),
    ...words("command"),
    ...words("args"),
    ...(container.workingDir !== undefined && { workingDir: container.workingDir }),
    env: Array.from(env, ([name, value]) => ({ name, value })),
    resources: { requests: { ...limits, ...requests }, limits },
    volumeMounts: (container.volumeMounts ?? []).map((mount, at) =>
      buildMount(mount, `${field}.volumeMounts[${at}]`),
    ),
    ports: [],
    life: plainLife,
    stdin: container.stdin ?? false,
    stdinOnce: container.stdinOnce ?? false,
    readOnlyRoot: container.securityContext?.readOnlyRootFilesystem ?? false,
    tty: container.tty ?? false,
  };
}

type CheckedMount = NonNullable<CheckedContainer["volumeMounts"]>[number];

function buildMount(mount: CheckedMount, field: string): VolumeMountSpec {
  return {
    name: mount.name,
    field,
    mountPath: mount.mountPath,
    readOnly: mount.readOnly ?? false,
    ...(mount.subPath !== undefined && { subPath: mount.subPath }),
    propagation: "None",
    recursiveReadOnly: "Disabled",
  };
}

type CheckedResources = NonNullable<CheckedContainer["resources"]>["limits"];

function listResources(list: CheckedResources): ResourceList {
  return {
    ...(list?.cpu !== undefined && { cpuMilli: list.cpu }),
    ...(list?.memory !== undefined && { memoryBytes: list.memory }),
  };
}

/** Each value sees the variables above it. A map keeps a name's first place and its last value. */
function expandEnv(container: CheckedContainer, size: Size): Map<string, string> {
  const env = new Map<string, string>();
  for (const [index, { name, value }] of (container.env ?? []).entries()) {
    env.set(name, grow(size, `${size.field}.env[${index}]`, `${name}=`, value ?? "", env));
  }
  return env;
}

/** What one container hands to execve so far. */
interface Size {
  entries: number;
  bytes: number;
  readonly flaws: Flaw[];
  readonly field: string;
}

/** Expand one text and count it; beyond a limit nothing is expanded any more. */
function grow(
  size: Size,
  field: string,
  prefix: string,
  text: string,
  env: ReadonlyMap<string, string>,
): string {
  const isFull = size.entries > entriesMax || size.bytes > bytesMax;
  if (isFull) return "";
  const expanded = expandVariables(text, env, textBytesMax);
  const bytes = Buffer.byteLength(prefix) + Buffer.byteLength(expanded ?? "");
  if (expanded === undefined || bytes > textBytesMax) {
    size.flaws.push(invalid(field, `too long: may not be more than ${textBytesMax} bytes`));
    return "";
  }
  size.entries++;
  size.bytes += bytes;
  if (size.entries > entriesMax) {
    size.flaws.push(
      invalid(size.field, `too many: command, args and env have more than ${entriesMax} entries`),
    );
  } else if (size.bytes > bytesMax) {
    size.flaws.push(
      invalid(size.field, `too long: command, args and env are more than ${bytesMax} bytes`),
    );
  }
  return expanded;
}
