// `env` and `envFrom` of a container → the sources of its variables, in the order in which a later
// one wins. Nothing is expanded or looked up here: that is resolve/.

import type { EnvSource } from "../../spec/pod-spec.ts";
import { buildRef } from "./build-volume.ts";
import type { CheckedContainer } from "./schema.ts";

type CheckedEnv = Pick<CheckedContainer, "env" | "envFrom">;
type ValueFrom = NonNullable<NonNullable<NonNullable<CheckedEnv["env"]>[number]>["valueFrom"]>;

/** `envFrom` first: whatever it brings, `env` has the last word. */
export function buildEnv({ env = [], envFrom = [] }: CheckedEnv, field: string): EnvSource[] {
  return [
    ...envFrom.map((source, index): EnvSource => {
      const [object, ref] = source.secretRef
        ? (["secret", source.secretRef] as const)
        : (["configMap", source.configMapRef] as const);
      return {
        field: `${field}.envFrom[${index}]`,
        kind: "all",
        prefix: source.prefix ?? "",
        object,
        objectName: ref?.name ?? "",
        optional: ref?.optional ?? false,
      };
    }),
    ...env.map(({ name, value, valueFrom }, index): EnvSource => {
      const common = { field: `${field}.env[${index}]`, name };
      return valueFrom
        ? buildReference(common, valueFrom)
        : { ...common, kind: "value", value: value ?? "" };
    }),
  ];
}

function buildReference(
  common: { readonly field: string; readonly name: string },
  from: ValueFrom,
): EnvSource {
  const { fieldRef, resourceFieldRef } = from;
  if (fieldRef || resourceFieldRef) {
    return { ...common, kind: "ref", ref: buildRef({ fieldRef, resourceFieldRef }) };
  }
  if (from.fileKeyRef) {
    const { volumeName, path, key, optional } = from.fileKeyRef;
    return { ...common, kind: "file", volume: volumeName, path, key, optional: optional ?? false };
  }
  const [object, ref] = from.secretKeyRef
    ? (["secret", from.secretKeyRef] as const)
    : (["configMap", from.configMapKeyRef] as const);
  return {
    ...common,
    kind: "key",
    object,
    objectName: ref?.name ?? "",
    key: ref?.key ?? "",
    optional: ref?.optional ?? false,
  };
}
