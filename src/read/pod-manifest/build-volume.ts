// Volumes and mounts. What peapod writes the files of is one kind, whatever it is called.

import type {
  DownwardFile,
  FieldRef,
  KeyToPath,
  ProjectedSource,
  ResourceFieldRef,
  VolumeMountSpec,
  VolumeSpec,
} from "../../spec/volume-spec.ts";
import type { CheckedContainer, CheckedVolume } from "./schema.ts";

const modeDefault = 0o644;

export function buildVolume(volume: CheckedVolume, index: number): VolumeSpec {
  const field = `spec.volumes[${index}]`;
  const common = { name: volume.name, field };
  const { hostPath, image, persistentVolumeClaim: claim } = volume;
  if (hostPath) {
    return { ...common, kind: "hostPath", path: hostPath.path, type: hostPath.type ?? "" };
  }
  if (image) {
    const { reference, pullPolicy } = image;
    return { ...common, kind: "image", reference, ...(pullPolicy && { pullPolicy }) };
  }
  if (claim) {
    const { claimName, readOnly } = claim;
    const kind = "persistentVolumeClaim";
    return { ...common, kind, claim: claimName, readOnly: readOnly ?? false };
  }
  const files = filesOf(volume, field);
  if (files) return { ...common, kind: "projected", ...files };
  const { medium, sizeLimit } = volume.emptyDir ?? {};
  // A limit of 0 is none: the kubelet looks at positive ones only.
  const limit = sizeLimit ? { sizeLimitBytes: sizeLimit } : {};
  // An ephemeral claim is a directory that starts empty and goes with the pod, too.
  return { ...common, kind: "emptyDir", medium: medium ?? "", ...limit };
}

interface Files {
  readonly defaultMode: number;
  readonly sources: readonly ProjectedSource[];
  readonly isSecret: boolean;
}

function filesOf(volume: CheckedVolume, field: string): Files | undefined {
  const { configMap, secret, downwardAPI, projected } = volume;
  const of = (source: ProjectedSource, defaultMode = modeDefault): Files => ({
    defaultMode,
    sources: [source],
    isSecret: source.kind === "secret",
  });
  if (configMap) {
    const source = buildObject("configMap", configMap, configMap.name, `${field}.configMap`);
    return of(source, configMap.defaultMode);
  }
  if (secret) {
    const source = buildObject("secret", secret, secret.secretName, `${field}.secret`);
    return of(source, secret.defaultMode);
  }
  if (downwardAPI) {
    return of(buildDownward(downwardAPI, `${field}.downwardAPI`), downwardAPI.defaultMode);
  }
  if (!projected) return undefined;
  const sources = (projected.sources ?? []).flatMap((source, index) =>
    buildSource(source, `${field}.projected.sources[${index}]`),
  );
  return {
    defaultMode: projected.defaultMode ?? modeDefault,
    sources,
    isSecret: sources.some(({ kind }) => kind === "secret"),
  };
}

type CheckedProjected = NonNullable<CheckedVolume["projected"]>;
type CheckedSource = NonNullable<CheckedProjected["sources"]>[number];
type CheckedObject = NonNullable<CheckedSource["configMap"]>;
type CheckedDownward = NonNullable<CheckedSource["downwardAPI"]>;

function buildSource(source: CheckedSource, field: string): ProjectedSource[] {
  const { configMap, secret, downwardAPI } = source;
  if (configMap) return [buildObject("configMap", configMap, configMap.name, `${field}.configMap`)];
  if (secret) return [buildObject("secret", secret, secret.name, `${field}.secret`)];
  return downwardAPI ? [buildDownward(downwardAPI, `${field}.downwardAPI`)] : [];
}

function buildObject(
  kind: "configMap" | "secret",
  { items, optional }: Pick<CheckedObject, "items" | "optional">,
  name: string,
  field: string,
): ProjectedSource {
  const paths = items?.map(({ key, path, mode }): KeyToPath => ({
    key,
    path,
    ...(mode !== undefined && { mode }),
  }));
  // An empty list is as good as none.
  const chosen = paths && paths.length > 0 ? { items: paths } : {};
  return { field, kind, name, optional: optional ?? false, ...chosen };
}

function buildDownward({ items }: CheckedDownward, field: string): ProjectedSource {
  const files = (items ?? []).map((item, index): DownwardFile => ({
    field: `${field}.items[${index}]`,
    path: item.path,
    ...(item.mode !== undefined && { mode: item.mode }),
    value: buildRef(item),
  }));
  return { field, kind: "downwardAPI", items: files };
}

type CheckedItem = NonNullable<CheckedDownward["items"]>[number];

/** The rules have seen to it that there is one of the two. */
export function buildRef({
  fieldRef,
  resourceFieldRef,
}: Pick<CheckedItem, "fieldRef" | "resourceFieldRef">): FieldRef | ResourceFieldRef {
  if (!resourceFieldRef) return { kind: "fieldRef", path: fieldRef?.fieldPath ?? "" };
  const { containerName: container, resource, divisor } = resourceFieldRef;
  return {
    kind: "resourceFieldRef",
    ...(container !== undefined && { container }),
    resource,
    // "" and 0 are Go's way of leaving it out.
    ...(divisor && divisor !== "0" && { divisor: String(divisor) }),
  };
}

type CheckedMount = NonNullable<CheckedContainer["volumeMounts"]>[number];

export function buildMount(mount: CheckedMount, field: string): VolumeMountSpec {
  return {
    name: mount.name,
    field,
    mountPath: mount.mountPath,
    readOnly: mount.readOnly ?? false,
    ...(mount.subPath !== undefined && { subPath: mount.subPath }),
    ...(mount.subPathExpr !== undefined && { subPathExpr: mount.subPathExpr }),
    propagation: mount.mountPropagation ?? "None",
    recursiveReadOnly: mount.recursiveReadOnly ?? "Disabled",
  };
}
