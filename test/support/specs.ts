// Specs for tests of resolve and plan: a manifest as its reader has it, and objects beside it.

import { PodError, printError } from "../../src/errors/pod-error.ts";
import { readPodManifest } from "../../src/read/pod-manifest/read.ts";
import type { ResolveOptions } from "../../src/resolve/pod.ts";
import { resolvePod } from "../../src/resolve/pod.ts";
import type { HostFacts } from "../../src/spec/host-facts.ts";
import type { DataObject } from "../../src/spec/objects.ts";
import type { HostPath } from "../../src/spec/paths.ts";
import type { ContainerSpec, PodSpec } from "../../src/spec/pod-spec.ts";
import type { ResolvedPod } from "../../src/spec/resolved.ts";

/** A pod of one container on any directory, with more fields for both. */
export function specOf(
  container: Partial<ContainerSpec> = {},
  more: Partial<PodSpec> = {},
): PodSpec {
  const read = readPodManifest({
    metadata: { name: "web" },
    spec: { containers: [{ name: "app", image: "rootfs:/usr", command: ["run"] }] },
  });
  const [first] = read.containers;
  if (!first) throw new Error("it has one");
  return { ...read, containers: [{ ...first, ...container }], ...more };
}

/** A ConfigMap or a Secret; bytes are what is no text. */
export function dataObject(
  name: string,
  data: Readonly<Record<string, string | Uint8Array>>,
): readonly [string, DataObject] {
  const texts = new Map<string, string>();
  const binaries = new Map<string, Uint8Array>();
  for (const [key, value] of Object.entries<string | Uint8Array>(data)) {
    if (typeof value === "string") texts.set(key, value);
    else binaries.set(key, value);
  }
  return [name, { name, type: "", texts, binaries }];
}

export const someFacts: HostFacts = {
  arch: "x64",
  kernel: [6, 18],
  memoryBytes: 8 * 2 ** 30,
  openFilesMax: 1_048_576,
  layersByDescriptor: true,
  clonesDetached: true,
  tmpfsWithoutSwap: true,
  thermalThrottle: [],
  security: { capabilities: 0n, appArmorProfiles: undefined, hasSeLinux: false },
  cgroup: {
    root: "/sys/fs/cgroup/peapod" as HostPath,
    controllers: new Set(["cpu", "memory", "pids"]),
    hugePageSizes: [],
  },
};

export const someUid = "00000000-0000-4000-8000-000000000000";

export function resolved(spec: PodSpec, more: Partial<ResolveOptions> = {}): ResolvedPod {
  return resolvePod(spec, someFacts, {
    uid: someUid,
    places: {
      root: "/" as HostPath,
      state: "/run/peapod" as HostPath,
      logs: "/var/log/pods" as HostPath,
    },
    ids: { firstId: 0, count: 0, claim: "" },
    podPidsMax: 4096,
    deadlineMs: 60_000,
    missingControllers: "warn",
    warn: () => {},
    files: {},
    ...more,
  });
}

/** What a user reads when resolve refuses; empty when it does not. */
export function refusal(spec: PodSpec, more: Partial<ResolveOptions> = {}): string {
  try {
    resolved(spec, more);
    return "";
  } catch (error) {
    if (error instanceof PodError) return printError(error);
    throw error;
  }
}
