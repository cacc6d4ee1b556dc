// Volumes and mounts of a pod: where their content is or what it is, how large it may grow, and
// whose it is.

import { existsSync } from "node:fs";
import { PodError } from "../errors/pod-error.ts";
import type { HostFacts } from "../spec/host-facts.ts";
import type { HostPath } from "../spec/paths.ts";
import type { ContainerSpec, PodSpec, VolumeMountSpec, VolumeSpec } from "../spec/pod-spec.ts";
import type { PodResources } from "../spec/resources.ts";
import type { IdRange, ResolvedMount, ResolvedVolume, VolumeFile } from "../spec/resolved.ts";
import { claimDirectory, noGroup } from "../spec/resolved.ts";
import type { Environment } from "./environment.ts";
import { fault } from "./fault.ts";
import type { FieldSource } from "./fields.ts";
import { fieldSource } from "./fields.ts";
import { resolveSources } from "./image.ts";
import type { ProjectedSpec } from "./projected.ts";
import { newFileSet, resolveProjected } from "./projected.ts";
import { checkPropagation } from "./propagation.ts";
import type { ResolveOptions } from "./pod.ts";

/** What resolving one volume needs to know beside the volume. */
export interface VolumeSource {
  readonly fields: FieldSource;
  readonly facts: HostFacts;
  readonly resources: PodResources;
  readonly options: ResolveOptions;
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

export function resolveVolume(source: VolumeSource, volume: VolumeSpec): ResolvedVolume {
  const { name, field } = volume;
  switch (volume.kind) {
    case "hostPath":
      return { kind: "host", name, field, path: volume.path, ...fileTypes[volume.type] };
    case "image":
      return { kind: "image", name, field };
    case "emptyDir":
      return resolveEmptyDir(source, volume);
    case "persistentVolumeClaim":
      return resolveClaim(source, volume);
    case "projected":
      return fileSet(source.fields, volume, source.options.ids);
    default:
      return volume satisfies never;
  }
}

/** A set of files for each volume that has one, by the place among the volumes. */
export function resolveFileSets(
  spec: PodSpec,
  facts: HostFacts,
  options: Pick<ResolveOptions, "uid" | "ids" | "network" | "places">,
): readonly (FileSet | undefined)[] {
  const source = fieldSource(spec, facts, options);
  return spec.volumes.map((volume) =>
    volume.kind === "projected" ? fileSet(source, volume, options.ids) : undefined,
  );
}

type FileSet = Extract<ResolvedVolume, { readonly kind: "projected" }>;

function fileSet(fields: FieldSource, volume: ProjectedSpec, ids: IdRange): FileSet {
  const { name, field } = volume;
  const files = resolveProjected(fields, volume);
  return { kind: "projected", name, field, set: newFileSet(), files, group: groupOf(fields, ids) };
}

/** fsGroup as the host has it, for what is the pod's own. */
function groupOf({ spec }: FieldSource, { firstId }: IdRange): number {
  const { fsGroup } = spec.security;
  return fsGroup === undefined ? noGroup : firstId + fsGroup;
}

function resolveEmptyDir(
  source: VolumeSource,
  volume: Extract<VolumeSpec, { readonly kind: "emptyDir" }>,
): ResolvedVolume {
  const { facts, options, resources } = source;
  const { name, field, medium, sizeLimitBytes = 0 } = volume;
  const files = resolveFiles(name, options.files[name] ?? {});
  const common = { name, field, files, group: groupOf(source.fields, options.ids) };
  if (medium === "") return { kind: "directory", ...common };
  if (medium !== "Memory") return resolveHugePages(source, volume, common.group);
  // As the kubelet sizes it: the least of its own limit, the pod's memory and the node's.
  const bounds = [sizeLimitBytes, resources.memoryLimitBytes, facts.memoryBytes];
  return { kind: "memory", ...common, bytesMax: Math.min(...bounds.filter((bytes) => bytes > 0)) };
}

/** `HugePages-2Mi` says which; without a size the pod asks for pages of one size alone. */
function resolveHugePages(
  { fields, resources }: VolumeSource,
  { name, field, medium, sizeLimitBytes }: Extract<VolumeSpec, { readonly kind: "emptyDir" }>,
  group: number,
): ResolvedVolume {
  const asked = Object.entries<number>(resources.hugepages).filter(([, bytes]) => bytes > 0);
  const wanted = medium.slice("HugePages-".length).replace(/i$/, "B");
  const found = asked.filter(([size]) => wanted === "" || size === wanted);
  const [first] = found;
  if (first === undefined || found.length > 1) {
    const some = wanted === "" ? "huge pages of exactly one size" : `huge pages of ${wanted}`;
    throw fault(fields.spec, `${field}.emptyDir.medium`, {
      code: "manifest.invalid",
      message: `volume ${name} is made of ${some}, which no container of the pod asks for`,
    });
  }
  const [size, bytes] = first;
  const bytesMax = sizeLimitBytes ? Math.min(sizeLimitBytes, bytes) : bytes;
  return { kind: "hugepages", name, field, group, pageBytes: pageBytes(size), bytesMax };
}

/** `2MB`, as the kernel writes it. */
function pageBytes(size: string): number {
  const [, number = "0", unit = "K"] = /^(\d+)([KMG])B$/.exec(size) ?? [];
  return Number(number) * 1024 ** ("KMG".indexOf(unit) + 1);
}

/** Made by the first container that mounts it; kept when the pod goes. */
function resolveClaim(
  { fields, options }: VolumeSource,
  volume: Extract<VolumeSpec, { readonly kind: "persistentVolumeClaim" }>,
): ResolvedVolume {
  const { name, field, claim, readOnly } = volume;
  const { spec } = fields;
  const path = claimDirectory(options.places.root, spec.namespace, claim) as HostPath;
  if (!spec.objects.claims.has(claim) && !existsSync(path)) {
    options.warn(
      `claim ${spec.namespace}/${claim} is in no manifest; an empty volume is made for it`,
    );
  }
  // Its ids are mapped where the pod has its own, so the group is written as the manifest has it.
  const { fsGroup = noGroup, fsGroupChangePolicy } = spec.security;
  const onMismatch = fsGroupChangePolicy === "OnRootMismatch";
  return { kind: "claim", name, field, path, readOnly, group: fsGroup, onMismatch };
}

export function resolveMount(
  source: VolumeSource,
  container: ContainerSpec,
  mount: VolumeMountSpec,
  environment: Environment,
  volumes: readonly ResolvedVolume[],
): ResolvedMount {
  const { spec } = source.fields;
  const index = spec.volumes.findIndex(({ name }) => name === mount.name);
  const volume = volumes[index];
  if (!volume) throw new Error(`${mount.field} names the volume ${mount.name}, which is not there`);
  const subPath = environment.subPathOf(mount);
  if (mount.propagation !== "None") checkPropagation(spec, container, mount, volume);
  checkSubPath(source, mount, volume, subPath);
  return {
    field: mount.field,
    volume: index,
    target: mount.mountPath,
    // Nobody but peapod writes to the files that it makes.
    readOnly:
      mount.readOnly || volume.kind === "projected" || (volume.kind === "claim" && volume.readOnly),
    // Every kernel that peapod runs on can, so IfPossible is as good as Enabled.
    recursiveReadOnly: mount.readOnly && mount.recursiveReadOnly !== "Disabled",
    propagation: mount.propagation,
    subPath,
    sources: resolveSources(spec, mount, subPath, source.options.images),
  };
}

/** A kubelet would show an empty directory in place of a key that is misspelt. */
function checkSubPath(
  { fields }: VolumeSource,
  mount: VolumeMountSpec,
  volume: ResolvedVolume,
  subPath: string,
): void {
  if (volume.kind !== "projected" || subPath === "") return;
  const paths = volume.files.map(({ path }) => path);
  if (paths.some((path) => path === subPath || path.startsWith(`${subPath}/`))) return;
  throw fault(fields.spec, `${mount.field}.subPath`, {
    code: "volume.source-missing",
    message: `volume ${volume.name} has no file ${JSON.stringify(subPath)}`,
    hint:
      paths.length === 0
        ? "the volume has no files at all"
        : `it has ${paths.toSorted().join(", ")}`,
  });
}

export function refuseUnknownVolumes(
  volumes: readonly VolumeSpec[],
  files: ResolveOptions["files"],
): void {
  for (const name of Object.keys(files)) {
    const volume = volumes.find((candidate) => candidate.name === name);
    if (volume?.kind === "emptyDir" && !volume.medium.startsWith("HugePages")) continue;
    throw new PodError({
      code: "manifest.invalid",
      message: `files are given for volume ${JSON.stringify(name)}, which is not an emptyDir of this pod`,
      hint: "files are put into emptyDir volumes before anything starts",
    });
  }
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
