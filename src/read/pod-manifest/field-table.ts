// Every field of every kind that is read, and what becomes of it: for documents and `explain`.

import type { FieldRow } from "./fate.ts";
import { listFields } from "./fate.ts";
import { Job } from "./schema-job.ts";
import { NetworkPolicy } from "./schema-network-policy.ts";
import { ConfigMap, PersistentVolumeClaim, Secret } from "./schema-objects.ts";
import { DaemonSet, Deployment, ReplicaSet, StatefulSet } from "./schema-workload.ts";
import { Pod } from "./schema.ts";

const templates = { Deployment, ReplicaSet, StatefulSet, DaemonSet, Job };
const objects = { ConfigMap, Secret, PersistentVolumeClaim, NetworkPolicy };

/** By kind, the Pod first. The template of a workload is a Pod, and stands as one line. */
export function fieldTables(): ReadonlyMap<string, readonly FieldRow[]> {
  const tables = new Map<string, readonly FieldRow[]>([["Pod", listFields(Pod)]]);
  for (const [kind, schema] of Object.entries(templates)) {
    const own = listFields(schema()).filter(
      ({ field }) => !field.startsWith("spec.template.spec."),
    );
    tables.set(kind, [...own, { field: "spec.template.spec", fate: "supported", reason: "" }]);
  }
  for (const [kind, schema] of Object.entries(objects)) tables.set(kind, listFields(schema()));
  return tables;
}

export interface ExplainedField extends FieldRow {
  readonly kind: string;
}

/**
 * The fields at and below a path, written as manifests, errors or kubectl write it:
 * `spec.containers[0].livenessProbe`, `pod.spec.containers.livenessProbe`, `livenessProbe`.
 */
export function explainFields(path: string): readonly ExplainedField[] {
  const [first = "", ...rest] = path.split(".");
  const tables = [...fieldTables()];
  const named = tables.filter(([kind]) => kind.toLowerCase() === first.toLowerCase());
  const wanted = plain(named.length > 0 ? rest.join(".") : path);
  const among = named.length > 0 ? named : tables;
  const rows = among.flatMap(([kind, list]) => list.map((row) => ({ kind, ...row })));
  const below = rows.filter(({ field }) => isAt(plain(field), wanted));
  if (below.length > 0) return below;
  const within = rows.filter(({ field }) => `.${plain(field)}.`.includes(`.${wanted}.`));
  if (within.length > 0) return within;
  // A field that is inert or refused stands for all that is in it.
  return rows.filter(({ field, fate }) => fate !== "supported" && isWithin(wanted, plain(field)));
}

/** `volumes.nfs.server` is in `spec.volumes.nfs`, however it is written. */
function isWithin(path: string, whole: string): boolean {
  const names = path.split(".");
  return names.some((_, end) => {
    const parent = names.slice(0, end).join(".");
    return parent.includes(".") && (whole === parent || whole.endsWith(`.${parent}`));
  });
}

function isAt(field: string, path: string): boolean {
  return path === "" || field === path || field.startsWith(`${path}.`);
}

function plain(path: string): string {
  return path.replaceAll(/\[[^\]]*\]/g, "").replace(/^\.|\.$/g, "");
}
