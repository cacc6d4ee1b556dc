// A Pod manifest, as text or as an object → PodSpec. Pure: nothing is opened or looked up.

import type { Origin } from "../../errors/pod-error.ts";
import { PodError } from "../../errors/pod-error.ts";
import { originOf } from "../../spec/pod-spec.ts";
import type { PodSpec } from "../../spec/pod-spec.ts";
import { buildSpec } from "./build.ts";
import { readObjects } from "./document.ts";
import type { ManifestObject } from "./document.ts";
import type { Fate } from "./fate.ts";
import { invalid, problemOf, throwProblems } from "./flaw.ts";
import type { Flaw } from "./flaw.ts";
import { checkRules } from "./rules.ts";
import { Pod } from "./schema.ts";
import type { PodManifest } from "./schema.ts";
import { siftObject } from "./sift.ts";
import { TreeError, isMap, show, treeOf } from "./tree.ts";
import type { Tree } from "./tree.ts";

export type { PodManifest };

/**
 * Every Pod of a file: YAML or JSON, several documents, Lists. Throws all problems of the file at
 * once.
 */
export function readPodManifests(text: string, file: string): PodSpec[] {
  const { objects, problems } = readObjects(text, file);
  const specs: PodSpec[] = [];
  const all = [...problems];
  // What is missing from a tree that was too large to read is nobody's mistake.
  const isCut = problems.some(({ code }) => code === "manifest.too-large");
  for (const object of isCut ? [] : objects) {
    const flaws = checkKind(object.tree);
    const read = flaws.length > 0 ? { flaws } : readObject(object);
    if ("spec" in read) specs.push(read.spec);
    else all.push(...read.flaws.map((flaw) => problemOf(flaw, placeOf(object, flaw.field))));
  }
  throwProblems([...all, ...repeatedPods(specs)]);
  if (specs.length > 0) return specs;
  throw new PodError({ code: "manifest.no-pod", message: `no Pod in ${file || "the manifest"}` });
}

/** One Pod given as an object. Its origins name fields only. */
export function readPodManifest(value: PodManifest): PodSpec {
  const origins: ReadonlyMap<string, Origin> = new Map();
  const problem = (flaw: Flaw) => problemOf(flaw, originOf({ origins }, flaw.field));
  try {
    const read = readObject({ tree: treeOf(value), origins });
    if ("spec" in read) return read.spec;
    throwProblems(read.flaws.map(problem));
    throw new Error("a manifest without flaws has a spec");
  } catch (error) {
    if (error instanceof TreeError) throw problem(invalid(error.field, error.message));
    throw error;
  }
}

export interface FieldFate {
  readonly origin: Origin;
  readonly fate: Fate["fate"];
  /** Why nothing is done about an inert field. */
  readonly reason?: string;
}

/** Every field that the document has, in its order, and what becomes of it. */
export function fates(spec: Pick<PodSpec, "manifest" | "origins">): FieldFate[] {
  return siftObject(Pod, treeOf(spec.manifest)).fates.map(({ field, fate }) => ({
    origin: originOf(spec, field),
    ...fate,
  }));
}

function readObject({ tree, origins }: ManifestObject): { spec: PodSpec } | { flaws: Flaw[] } {
  const sifted = siftObject(Pod, tree);
  const flaws = [...sifted.flaws, ...checkRules(tree)];
  if (!sifted.checked || flaws.length > 0 || !isMap(tree)) return { flaws };
  const built = buildSpec(sifted.checked);
  const inert = sifted.fates.flatMap(({ field, fate }) =>
    fate.fate === "inert" ? [{ origin: originOf({ origins }, field), reason: fate.reason }] : [],
  );
  return { spec: { ...built, manifest: tree, origins, inert } };
}

/** A field that is missing from the top of the object stands where the object starts. */
function placeOf({ origins }: ManifestObject, field: string): Origin {
  const origin = originOf({ origins }, field);
  return origin.line > 0 ? origin : { ...(origins.get("") ?? origin), field };
}

/** A file says what its objects are; an object given to the module can only be a Pod. */
function checkKind(tree: Tree): Flaw[] {
  if (!isMap(tree)) return [invalid("", `invalid value ${show(tree)}: a manifest is a mapping`)];
  const { apiVersion, kind } = tree;
  const flaws: Flaw[] = [];
  if (typeof apiVersion !== "string") flaws.push(invalid("apiVersion", "required value"));
  if (typeof kind !== "string") flaws.push(invalid("kind", "required value"));
  if (typeof kind === "string" && kind !== "Pod") {
    const message = `${show(kind)} is not supported; a manifest holds Pods`;
    return [{ code: "manifest.unsupported-kind", field: "kind", message }];
  }
  return flaws;
}

/** Two pods of one name cannot both be up. */
function repeatedPods(specs: readonly PodSpec[]): PodError[] {
  const seen = new Set<string>();
  return specs.flatMap((spec) => {
    const name = `${spec.namespace}/${spec.name}`;
    const isNew = !seen.has(name);
    seen.add(name);
    const flaw = invalid("metadata.name", `duplicate value: ${show(name)}`);
    return isNew ? [] : [problemOf(flaw, originOf(spec, flaw.field))];
  });
}
