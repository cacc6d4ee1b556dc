// The objects that a pod names, and those that it will not find: whoever reads manifests knows all
// that there will be, so nobody has to wait for one that never comes.

import type { DataObject, ObjectTable } from "../../spec/objects.ts";
import type { PodSpec } from "../../spec/pod-spec.ts";
import type { Flaw } from "./flaw.ts";
import { show } from "./tree.ts";

interface Reference {
  readonly field: string;
  readonly kind: "configMap" | "secret";
  readonly name: string;
  readonly optional: boolean;
}

type Pod = Pick<PodSpec, "volumes" | "initContainers" | "containers" | "pullSecrets">;

/** Those objects of a namespace that the pod names: what it does not name it does not get. */
export function objectsFor(pod: Pod, all: ObjectTable): { objects: ObjectTable; flaws: Flaw[] } {
  const configMaps = new Map<string, DataObject>();
  const secrets = new Map<string, DataObject>();
  const flaws: Flaw[] = [];
  for (const { field, kind, name, optional } of referencesOf(pod)) {
    const [from, into] = kind === "secret" ? [all.secrets, secrets] : [all.configMaps, configMaps];
    const found = from.get(name);
    if (found) into.set(name, found);
    else if (!optional) flaws.push(missing(field, kind, name));
  }
  const claims = pod.volumes.flatMap((volume) => {
    const claim = volume.kind === "persistentVolumeClaim" && all.claims.get(volume.claim);
    return claim ? [[claim.name, claim] as const] : [];
  });
  return { objects: { configMaps, secrets, claims: new Map(claims) }, flaws };
}

function missing(field: string, kind: Reference["kind"], name: string): Flaw {
  const message = `${kind.toLowerCase()} ${show(name)} not found`;
  return { code: "object.not-found", field, message };
}

function referencesOf(pod: Pod): Reference[] {
  const variables = [...pod.initContainers, ...pod.containers].flatMap(({ env }) => env);
  return [
    ...variables.flatMap((entry): Reference[] => {
      if (entry.kind !== "all" && entry.kind !== "key") return [];
      const { field, object: kind, objectName: name, optional } = entry;
      return [{ field, kind, name, optional }];
    }),
    ...pod.volumes.flatMap((volume) =>
      volume.kind === "projected"
        ? volume.sources.flatMap((source): Reference[] => {
            if (source.kind === "downwardAPI") return [];
            const { field, kind, name, optional } = source;
            return [{ field, kind, name, optional }];
          })
        : [],
    ),
    // Images may do without: a registry that wants credentials will say so.
    ...pod.pullSecrets.map((name): Reference => {
      return { field: "spec.imagePullSecrets", kind: "secret", name, optional: true };
    }),
  ];
}
