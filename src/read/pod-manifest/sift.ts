// Goes through a tree beside the schema: what becomes of each field, and which fields are not there
// to be had. What it keeps is for zod to check.

import * as z from "zod";
import { allFields, fateOf, fieldAt, isRefused, listFields, unwrap } from "./fate.ts";
import type { Fate } from "./fate.ts";
import { invalid } from "./flaw.ts";
import type { Flaw } from "./flaw.ts";
import { Pod } from "./schema.ts";
import { suggestWord } from "./suggest.ts";
import { fieldOf, isMap } from "./tree.ts";
import type { Tree, TreeMap } from "./tree.ts";

export interface Sifted {
  /** Without unknown and refused fields, and without those that are null. */
  readonly kept: Tree;
  readonly flaws: readonly Flaw[];
  /** Every field that is there: leaves, and inert fields whole. */
  readonly fates: readonly { readonly field: string; readonly fate: Fate }[];
}

export function siftPod(tree: Tree): Sifted {
  const sieve: Sieve = { flaws: [], fates: [] };
  const kept = sift(sieve, Pod, tree, "");
  const isHostNamed = isMap(tree) && isMap(tree.spec) && tree.spec.hostNetwork === true;
  const fates = sieve.fates.map((row) => {
    if (isHostNamed && row.field === "spec.hostname") return { ...row, fate: hostNamed };
    return isDiskLimit(tree, row.field) ? { ...row, fate: diskLimit } : row;
  });
  return { kept, flaws: sieve.flaws, fates };
}

function isDiskLimit(tree: Tree, field: string): boolean {
  const index = /^spec\.volumes\[([0-9]+)\]\.emptyDir\.sizeLimit$/.exec(field)?.[1];
  if (index === undefined || !isMap(tree) || !isMap(tree.spec)) return false;
  const { volumes } = tree.spec;
  const volume = Array.isArray(volumes) ? volumes[Number(index)] : undefined;
  return isMap(volume) && isMap(volume.emptyDir) && volume.emptyDir.medium !== "Memory";
}

const supported: Fate = { fate: "supported" };
const hostNamed: Fate = { fate: "inert", reason: "a pod with hostNetwork has the host's name" };
const diskLimit: Fate = {
  fate: "inert",
  reason: "a volume on disk is not measured yet; only medium: Memory is held to its limit",
};

interface Sieve {
  readonly flaws: Flaw[];
  readonly fates: { field: string; fate: Fate }[];
}

function sift(sieve: Sieve, schema: z.core.$ZodType, tree: Tree, field: string): Tree {
  const inner = unwrap(schema);
  if (inner instanceof z.ZodObject && isMap(tree)) return siftMap(sieve, inner, tree, field);
  if (inner instanceof z.ZodArray && Array.isArray(tree)) {
    const items: readonly Tree[] = tree;
    if (items.length === 0) sieve.fates.push({ field, fate: supported });
    return items.map((item, index) => sift(sieve, inner.element, item, fieldOf(field, index)));
  }
  if (inner instanceof z.ZodRecord && isMap(tree)) return siftRecord(sieve, tree, field);
  if (typeof tree === "string") checkText(sieve, tree, field);
  sieve.fates.push({ field, fate: supported });
  return tree;
}

function siftMap(sieve: Sieve, schema: z.ZodObject, map: TreeMap, field: string): Tree {
  const kept: [string, Tree][] = [];
  let hasFields = false;
  for (const [key, value] of Object.entries(map)) {
    const path = fieldOf(field, key);
    const child = fieldAt(schema, key);
    if (!child) {
      sieve.flaws.push(unknownField(schema, key, path));
      continue;
    }
    const fate = fateOf(child, value);
    if (fate?.fate === "refused") {
      sieve.flaws.push({ code: "manifest.unsupported-field", field: path, message: fate.reason });
      continue;
    }
    if (fate || value === null) sieve.fates.push({ field: path, fate: fate ?? supported });
    // A null is the same as leaving the field out, wherever Go decodes it.
    if (value === null) continue;
    hasFields = true;
    // A refused field with a harmless value was checked by that.
    if (isRefused(child)) continue;
    kept.push([key, fate ? value : sift(sieve, child, value, path)]);
  }
  if (!hasFields) sieve.fates.push({ field, fate: supported });
  return Object.fromEntries(kept);
}

/** Go reads a null among texts as an empty one. */
function siftRecord(sieve: Sieve, map: TreeMap, field: string): Tree {
  const entries = Object.entries(map).map(([key, value]): [string, Tree] => {
    const path = fieldOf(field, key);
    if (typeof value === "string") checkText(sieve, value, path);
    sieve.fates.push({ field: path, fate: supported });
    return [key, value ?? ""];
  });
  return Object.fromEntries(entries);
}

/** The kernel ends a text at NUL, and half a surrogate pair has no bytes. */
function checkText(sieve: Sieve, text: string, field: string): void {
  if (text.includes("\0")) sieve.flaws.push(invalid(field, "must not contain NUL bytes"));
  if (!text.isWellFormed()) sieve.flaws.push(invalid(field, "must be valid Unicode"));
}

let accepted: readonly string[] | undefined;

/** Listed for the first mistake: most manifests have none. */
function acceptedFields(): readonly string[] {
  accepted ??= listFields(Pod)
    .filter((row) => row.fate !== "refused")
    .map((row) => row.field);
  return accepted;
}

function unknownField(schema: z.ZodObject, key: string, field: string): Flaw {
  const flaw = { code: "manifest.unknown-field", field, message: "unknown field" } as const;
  const near = suggestWord(key, Object.keys(allFields(schema)));
  if (near !== undefined) return { ...flaw, hint: `did you mean ${near}?` };
  const elsewhere = acceptedFields().filter(
    (path) => path.endsWith(`.${key}`) || path.endsWith(`.${key}[]`),
  );
  const [place, another] = elsewhere;
  if (place === undefined || another !== undefined) return flaw;
  return { ...flaw, hint: `${key} belongs in ${place.slice(0, place.lastIndexOf("."))}` };
}
