// Manifests, as text or as objects → PodSpecs. Pure: nothing is opened or looked up.

import type { Origin } from "../../errors/pod-error.ts";
import { PodError } from "../../errors/pod-error.ts";
import { noObjects } from "../../spec/objects.ts";
import type { ObjectTable } from "../../spec/objects.ts";
import { originOf } from "../../spec/pod-spec.ts";
import type { PodSpec } from "../../spec/pod-spec.ts";
import { invalid, joinProblems, problemOf } from "./flaw.ts";
import type { Flaw } from "./flaw.ts";
import { readManifests, readObjectTable } from "./read-manifests.ts";
import type { FieldFate, ManifestDocument, ReadOptions } from "./read-manifests.ts";
import { readPod } from "./read-pod.ts";
import { Pod } from "./schema.ts";
import type { PodManifest } from "./schema.ts";
import { siftObject } from "./sift.ts";
import { TreeError, treeOf } from "./tree.ts";

export type { PodManifest };
export type {
  FieldFate,
  ManifestDocument,
  ManifestSet,
  ManifestText,
  ObjectManifest,
  ReadOptions,
} from "./read-manifests.ts";
export { examineManifests, readManifests } from "./read-manifests.ts";

/**
 * Every Pod of a file, and those of its workloads: YAML or JSON, several documents, Lists. Throws
 * all problems of the file at once.
 */
export function readPodManifests(
  text: string,
  file: string,
  options: ReadOptions = {},
): readonly PodSpec[] {
  const { pods, documents } = readManifests([{ text, file }], options);
  if (documents.some(makesPods)) return pods;
  throw noPod(file || "the manifest");
}

/** Also with none to make: `replicas: 0`. */
export function makesPods({ use }: ManifestDocument): boolean {
  return use === "pod" || use === "workload";
}

export function noPod(files: string): PodError {
  return new PodError({ code: "manifest.no-pod", message: `no Pod in ${files}` });
}

/** One Pod given as an object. Its origins name fields only. */
export function readPodManifest(value: PodManifest, options: ReadOptions = {}): PodSpec {
  const { objects = [] } = options;
  if (objects.length === 0) return readPodWith(value, noObjects, options);
  const namespace = value.metadata.namespace ?? "default";
  return readPodWith(value, readObjectTable(objects, namespace), options);
}

function readPodWith(value: PodManifest, objects: ObjectTable, options: ReadOptions): PodSpec {
  const origins: ReadonlyMap<string, Origin> = new Map();
  const problem = (flaw: Flaw) => problemOf(flaw, originOf({ origins }, flaw.field));
  try {
    const source = { tree: treeOf(value), origins };
    const read = readPod(source, objects, options);
    if ("spec" in read) return read.spec;
    throw joinProblems(read.flaws.map(problem)) ?? new Error("a manifest without flaws is a spec");
  } catch (error) {
    if (error instanceof TreeError) throw problem(invalid(error.field, error.message));
    throw error;
  }
}

/**
 * The spec of a pod that has been started from this manifest. What was let by then is let by now:
 * unknown fields, and objects that are missing until a container wants them.
 */
export function readPodAgain(manifest: PodManifest, objects: ObjectTable): PodSpec {
  return readPodWith(manifest, objects, { lenient: true, mayLackObjects: true });
}

/** Every field that the document has, in its order, and what becomes of it. */
export function fates(spec: Pick<PodSpec, "manifest" | "origins">): FieldFate[] {
  return siftObject(Pod, treeOf(spec.manifest), { lenient: true }).fates.map(({ field, fate }) => ({
    origin: originOf(spec, field),
    ...fate,
  }));
}
