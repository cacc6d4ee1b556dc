// One Pod as a tree → its spec, or what is wrong with it.

import type { ObjectTable } from "../../spec/objects.ts";
import { originOf } from "../../spec/pod-spec.ts";
import type { PodSpec, WorkloadRef } from "../../spec/pod-spec.ts";
import { buildSpec } from "./build.ts";
import type { ManifestObject } from "./document.ts";
import type { Flaw } from "./flaw.ts";
import { objectsFor } from "./references.ts";
import { checkRules } from "./rules.ts";
import { Pod } from "./schema.ts";
import type { SiftOptions, Sifted } from "./sift.ts";
import { siftObject } from "./sift.ts";
import { isMap } from "./tree.ts";
import type { Tree, TreeMap } from "./tree.ts";

export interface ReadPodOptions extends SiftOptions {
  /** What to run for the image that the manifest names. */
  readonly imageFor?: (image: string) => string;
  /** For who wants to know what the pods are called, and not to run them. */
  readonly mayLackObjects?: boolean;
}

export interface PodSource extends ManifestObject {
  readonly workload?: WorkloadRef;
}

export type ReadPod = Pick<Sifted<unknown>, "fates"> &
  ({ readonly spec: PodSpec } | { readonly flaws: readonly Flaw[] });

export function readPod(source: PodSource, objects: ObjectTable, options: ReadPodOptions): ReadPod {
  const { origins, workload } = source;
  const tree = options.imageFor ? withImages(source.tree, options.imageFor) : source.tree;
  const { checked, flaws, fates } = siftObject(Pod, tree, options);
  const broken = [...flaws, ...checkRules(tree)];
  if (!checked || broken.length > 0 || !isMap(tree)) return { flaws: broken, fates };
  const parts = buildSpec(checked);
  const found = objectsFor(parts, objects);
  if (found.flaws.length > 0 && !options.mayLackObjects) return { flaws: found.flaws, fates };
  const inert = fates.flatMap(({ field, fate }) =>
    fate.fate === "inert" ? [{ origin: originOf({ origins }, field), reason: fate.reason }] : [],
  );
  const spec: PodSpec = {
    ...parts,
    objects: found.objects,
    // In force wherever its pods are.
    ...(objects.policies?.length && { policies: objects.policies }),
    ...(workload && { workload }),
    manifest: tree,
    origins,
    inert,
  };
  return { spec, fates };
}

/** In the manifest itself: whoever reads it again for the pod must find the same images. */
function withImages(pod: Tree, imageFor: (image: string) => string): Tree {
  if (!isMap(pod) || !isMap(pod.spec)) return pod;
  const mapped = (tree: Tree, key: string): Tree => {
    const image = isMap(tree) ? tree[key] : undefined;
    return isMap(tree) && typeof image === "string" ? { ...tree, [key]: imageFor(image) } : tree;
  };
  const lists: TreeMap = pod.spec;
  const changed = ["initContainers", "containers"].flatMap((list): [string, Tree][] => {
    const items = lists[list];
    if (!Array.isArray(items)) return [];
    return [[list, (items as readonly Tree[]).map((item) => mapped(item, "image"))]];
  });
  const { volumes } = lists;
  if (Array.isArray(volumes)) {
    const items: readonly Tree[] = volumes;
    changed.push([
      "volumes",
      items.map((volume) =>
        isMap(volume) && isMap(volume.image)
          ? { ...volume, image: mapped(volume.image, "reference") }
          : volume,
      ),
    ]);
  }
  return { ...pod, spec: { ...lists, ...Object.fromEntries(changed) } };
}
