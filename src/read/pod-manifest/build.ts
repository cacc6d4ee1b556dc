// A checked manifest → the spec: requests filled in, flags as namespaces.

import type { ContainerSpec, PodSpec, PortSpec } from "../../spec/pod-spec.ts";
import { noObjects } from "../../spec/objects.ts";
import { buildBandwidth } from "./bandwidth.ts";
import { buildEnv } from "./build-env.ts";
import { buildLife } from "./build-life.ts";
import { buildContainerSecurity, buildPodSecurity } from "./build-security.ts";
import { buildResources, listResources } from "./build-resources.ts";
import { buildMount, buildVolume } from "./build-volume.ts";
import type { CheckedContainer, CheckedPod } from "./schema.ts";

/** What the caller adds: where it all stands, and what will not be acted on. */
export type SpecParts = Omit<PodSpec, "manifest" | "origins" | "inert">;

export function buildSpec(pod: CheckedPod): SpecParts {
  const { metadata, spec } = pod;
  const bandwidth = buildBandwidth(metadata.annotations);
  const build = (list: "initContainers" | "containers") =>
    (spec[list] ?? []).map((container, index) =>
      buildContainer(container, `spec.${list}[${index}]`, spec),
    );
  return {
    name: metadata.name,
    namespace: metadata.namespace ?? "default",
    labels: metadata.labels ?? {},
    annotations: metadata.annotations ?? {},
    ...(bandwidth && { bandwidth }),
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
    // What it leaves out of its requests depends on its containers.
    ...(spec.resources && {
      resources: {
        requests: listResources(spec.resources.requests),
        limits: listResources(spec.resources.limits),
      },
    }),
    overhead: listResources(spec.overhead),
    pullSecrets: (spec.imagePullSecrets ?? []).flatMap(({ name }) => name ?? []),
    volumes: (spec.volumes ?? []).map(buildVolume),
    initContainers: build("initContainers"),
    containers: build("containers"),
    objects: noObjects,
    security: buildPodSecurity(spec.securityContext),
  };
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
  spec: CheckedPod["spec"],
): ContainerSpec {
  // An empty list is none: the image's own words count.
  const words = (key: "command" | "args") => {
    const list = container[key] ?? [];
    return list.length > 0 ? { [key]: list } : {};
  };
  return {
    name: container.name,
    field,
    image: container.image,
    ...(container.imagePullPolicy && { imagePullPolicy: container.imagePullPolicy }),
    ...words("command"),
    ...words("args"),
    ...(container.workingDir !== undefined && { workingDir: container.workingDir }),
    env: buildEnv(container, field),
    resources: buildResources(container.resources),
    restartOnResize: (container.resizePolicy ?? []).flatMap(({ resourceName, restartPolicy }) =>
      restartPolicy === "RestartContainer" ? [resourceName] : [],
    ),
    volumeMounts: (container.volumeMounts ?? []).map((mount, at) =>
      buildMount(mount, `${field}.volumeMounts[${at}]`),
    ),
    ports: (container.ports ?? []).map((port, at) =>
      buildPort(port, `${field}.ports[${at}]`, spec.hostNetwork ?? false),
    ),
    life: buildLife(container, field),
    security: buildContainerSecurity(container, spec.securityContext, field),
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
