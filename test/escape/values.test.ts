// Values that would become something else where they are used: a second line of a generated file, a
// path, a second sysctl, an option. Each is refused by its field, before anything is started.

import { describe, expect, test } from "bun:test";
import { PodError } from "../../src/errors/pod-error.ts";
import { readPodManifests } from "../../src/read/pod-manifest/read.ts";

interface Hostile {
  readonly field: string;
  readonly metadata?: object;
  readonly spec?: object;
  readonly container?: object;
}

const line = "x\nnameserver 192.0.2.1";

const hostile: Readonly<Record<string, Hostile>> = {
  "a name that climbs (CRI-O 2025-0750)": {
    field: "metadata.name",
    metadata: { name: "../../x" },
  },
  "a name of two lines": { field: "metadata.name", metadata: { name: "a\nb" } },
  "a name of 4 KiB": { field: "metadata.name", metadata: { name: "a".repeat(4096) } },
  "a namespace with a slash": { field: "metadata.namespace", metadata: { namespace: "a/b" } },
  "a container's name with a dot": { field: "spec.containers[0].name", container: { name: ".." } },
  "a host name of two lines": { field: "spec.hostname", spec: { hostname: "a\n127.0.0.1 bank" } },
  "a subdomain of two lines": { field: "spec.subdomain", spec: { subdomain: line } },
  "an alias of two lines (Incus 2026-23953)": {
    field: "spec.hostAliases[0].hostnames[0]",
    spec: { hostAliases: [{ ip: "192.0.2.1", hostnames: ["a\n192.0.2.2 bank"] }] },
  },
  "an alias for what is no address": {
    field: "spec.hostAliases[0].ip",
    spec: { hostAliases: [{ ip: "192.0.2.1\tbank", hostnames: ["a"] }] },
  },
  "a search domain of two lines": {
    field: "spec.dnsConfig.searches[0]",
    spec: { dnsConfig: { searches: [line] } },
  },
  "a name server of two lines": {
    field: "spec.dnsConfig.nameservers[0]",
    spec: { dnsConfig: { nameservers: [`192.0.2.1\n${line}`] } },
  },
  "an option of two lines": {
    field: "spec.dnsConfig.options[0].name",
    spec: { dnsConfig: { options: [{ name: line }] } },
  },
  "a sysctl that climbs (CRI-O 2022-0811)": {
    field: "spec.securityContext.sysctls[0].name",
    spec: { securityContext: { sysctls: [{ name: "net/../kernel/core_pattern", value: "x" }] } },
  },
  "a volume's name that climbs": {
    field: "spec.volumes[0].name",
    spec: { volumes: [{ name: "../x", emptyDir: {} }] },
  },
  "a subPath that climbs (CVE-2017-1002101)": {
    field: "spec.containers[0].volumeMounts[0].subPath",
    spec: { volumes: [{ name: "v", emptyDir: {} }] },
    container: { volumeMounts: [{ name: "v", mountPath: "/v", subPath: "a/../../b" }] },
  },
  "a file of a volume that climbs": {
    field: "spec.volumes[0].configMap.items[0].path",
    spec: {
      volumes: [{ name: "v", configMap: { name: "c", items: [{ key: "k", path: "../x" }] } }],
    },
  },
  "a variable's name with an equals sign": {
    field: "spec.containers[0].env[0].name",
    container: { env: [{ name: "A=B", value: "c" }] },
  },
  "a variable of NUL (podman 2026-57231)": {
    field: "spec.containers[0].env[0].value",
    container: { env: [{ name: "A", value: "b\0C=d" }] },
  },
  "an argument of NUL": {
    field: "spec.containers[0].args[0]",
    container: { args: ["a\0b"] },
  },
  "a user below zero (CVE-2024-40635)": {
    field: "spec.containers[0].securityContext.runAsUser",
    container: { securityContext: { runAsUser: -1 } },
  },
  "a user that wraps to root (CVE-2024-40635)": {
    field: "spec.containers[0].securityContext.runAsUser",
    container: { securityContext: { runAsUser: 4_294_967_296 } },
  },
  "a profile that climbs": {
    field: "spec.containers[0].securityContext.seccompProfile.localhostProfile",
    container: {
      securityContext: { seccompProfile: { type: "Localhost", localhostProfile: "../../x" } },
    },
  },
  "a host path that climbs": {
    field: "spec.volumes[0].hostPath.path",
    spec: { volumes: [{ name: "v", hostPath: { path: "/srv/../etc" } }] },
  },
  "a claim's name that climbs": {
    field: "spec.volumes[0].persistentVolumeClaim.claimName",
    spec: { volumes: [{ name: "v", persistentVolumeClaim: { claimName: "../x" } }] },
  },
};

function read({ metadata, spec, container }: Omit<Hostile, "field">): PodError[] {
  const manifest = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "hostile", ...metadata },
    spec: { containers: [{ name: "main", image: "host", ...container }], ...spec },
  };
  try {
    readPodManifests(JSON.stringify(manifest), "hostile.json");
    return [];
  } catch (error) {
    if (error instanceof PodError) return [error, ...error.others];
    throw error;
  }
}

describe("is refused by its field:", () => {
  for (const [name, { field, ...parts }] of Object.entries(hostile)) {
    test(name, () => {
      expect(read(parts).map(({ origin }) => origin?.field)).toContain(field);
    });
  }
});

test("what is not hostile is read", () => {
  expect(read({})).toEqual([]);
});

test("annotations for other runtimes change nothing (CRI-O 2023-6476, 2024-3154)", () => {
  const annotations = {
    "org.systemd.property.ExecStart": "/bin/true",
    "run.oci.handler": "wasm",
    "io.podman.annotations.privileged": "TRUE",
    "io.kubernetes.cri-o.Devices": "/dev/sda",
  };
  const [spec] = readPodManifests(
    JSON.stringify({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "plain", annotations },
      spec: { containers: [{ name: "main", image: "host" }] },
    }),
    "",
  );
  const [plain] = readPodManifests(
    JSON.stringify({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "plain" },
      spec: { containers: [{ name: "main", image: "host" }] },
    }),
    "",
  );
  const {
    manifest: _own,
    origins: _ownOrigins,
    annotations: kept,
    ...rest
  } = spec ?? ({} as never);
  const { manifest: _, origins: __, annotations: none, ...plainRest } = plain ?? ({} as never);
  expect(kept).toEqual(annotations);
  expect(none).toEqual({});
  expect(rest).toEqual(plainRest);
});
