// A checked manifest → the spec: variables expanded, requests filled in, flags as namespaces.

import type { ContainerSpec, PodSpec, PortSpec } from "../../spec/pod-spec.ts";
import { noObjects } from "../../spec/objects.ts";
import { buildLife } from "./build-life.ts";
import { buildResources, listResources } from "./build-resources.ts";
import { buildMount, buildVolume } from "./build-volume.ts";
import { expandVariables } from "./expand.ts";
import { invalid } from "./flaw.ts";
import type { Flaw } from "./flaw.ts";
import type { CheckedContainer, CheckedPod } from "./schema.ts";

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
  const build = (list: "initContainers" | "containers") =>
    (spec[list] ?? []).map((container, index) =>
      buildContainer(container, `spec.${list}[${index}]`, spec.hostNetwork ?? false, flaws),
    );
  const parts: SpecParts = {
    name: metadata.name,
    namespace: metadata.namespace ?? "default",
    labels: metadata.labels ?? {},
    annotations: metadata.annotations ?? {},
    ...buildNames(spec),
    namespaces: {
      network: spec.hostNetwork ? "NODE" : "POD",
      ipc: spec.hostIPC ? "NODE" : "POD",
      pid: spec.hostPID ? "NODE" : spec.shareProcessNamespace ? "POD" : "CONTAINER",
      user: spec.hostUsers === false ? "POD" : "NODE",
    },
    terminationGraceMs: graceSeconds(spec.terminationGracePeriodSeconds ?? 30) * 1000,
    restartPolicy: spec.restartPolicy ?? "Always",
    ...(spec.activeDeadlineSeconds !== undefined && {
      activeDeadlineMs: spec.activeDeadlineSeconds * 1000,
    }),
    readinessGates: (spec.readinessGates ?? []).map(({ conditionType }) => conditionType),
    ...(spec.resources && { resources: buildResources(spec.resources) }),
    overhead: listResources(spec.overhead),
    pullSecrets: (spec.imagePullSecrets ?? []).flatMap(({ name }) => name ?? []),
    volumes: (spec.volumes ?? []).map(buildVolume),
    initContainers: build("initContainers"),
    containers: build("containers"),
    objects: noObjects,
  };
  return { spec: parts, flaws };
}

/** The API server takes a negative one for the least that a kubelet gives. */
function graceSeconds(seconds: number): number {
  return seconds < 0 ? 1 : seconds;
}

type Names =
  "hostname" | "subdomain" | "hostnameOverride" | "setHostnameAsFqdn" | "hostAliases" | "dns";

function buildNames(spec: CheckedPod["spec"]): Pick<SpecParts, Names> {
  const { hostname, subdomain, hostnameOverride, dnsConfig } = spec;
  return {
    ...(hostname && { hostname }),
    ...(subdomain && { subdomain }),
    ...(hostnameOverride !== undefined && { hostnameOverride }),
    setHostnameAsFqdn: spec.setHostnameAsFQDN ?? false,
    hostAliases: (spec.hostAliases ?? []).map(({ ip, hostnames }) => ({
      ip,
      hostnames: hostnames ?? [],
    })),
    dns: {
      policy: spec.dnsPolicy ?? "ClusterFirst",
      nameservers: dnsConfig?.nameservers ?? [],
      searches: dnsConfig?.searches ?? [],
      options: (dnsConfig?.options ?? []).map(({ name, value }) =>
        value === undefined ? { name } : { name, value },
      ),
    },
  };
}

function buildContainer(
  container: CheckedContainer,
  field: string,
  isHostNetwork: boolean,
  flaws: Flaw[],
): ContainerSpec {
  const size: Size = { entries: 0, bytes: 0, flaws, field };
  const env = expandEnv(container, size);
  const words = (key: "command" | "args") => {
    const list = container[key]?.map((text, word) =>
      grow(size, `${field}.${key}[${word}]`, "", text, env),
    );
    return list && list.length > 0 ? { [key]: list } : {};
  };
  return {
    name: container.name,
    field,
    image: container.image,
    ...(container.imagePullPolicy && { imagePullPolicy: container.imagePullPolicy }),
    ...words("command"),
    ...words("args"),
    ...(container.workingDir !== undefined && { workingDir: container.workingDir }),
    env: Array.from(env, ([name, value]) => ({ name, value })),
    resources: buildResources(container.resources),
    restartOnResize: (container.resizePolicy ?? []).flatMap(({ resourceName, restartPolicy }) =>
      restartPolicy === "RestartContainer" ? [resourceName] : [],
    ),
    volumeMounts: (container.volumeMounts ?? []).map((mount, at) =>
      buildMount(mount, `${field}.volumeMounts[${at}]`),
    ),
    ports: (container.ports ?? []).map((port, at) =>
      buildPort(port, `${field}.ports[${at}]`, isHostNetwork),
    ),
    life: buildLife(container, field),
    stdin: container.stdin ?? false,
    stdinOnce: container.stdinOnce ?? false,
    readOnlyRoot: container.securityContext?.readOnlyRootFilesystem ?? false,
    tty: container.tty ?? false,
  };
}

function buildPort(port: CheckedPort, field: string, isHostNetwork: boolean): PortSpec {
  return {
    field,
    name: port.name ?? "",
    containerPort: port.containerPort,
    // With the host's network every port is one of the host.
    hostPort: port.hostPort || (isHostNetwork ? port.containerPort : 0),
    hostIP: port.hostIP ?? "",
    protocol: port.protocol ?? "TCP",
  };
}

type CheckedPort = NonNullable<CheckedContainer["ports"]>[number];

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
