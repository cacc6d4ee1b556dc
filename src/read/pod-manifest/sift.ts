// Goes through a tree beside the schema: what becomes of each field, and which fields are not there
// to be had. What is optional is checked here, where it is found; the rest is for zod to check.

import * as z from "zod";
import { explainIssue } from "./explain.ts";
import { allFields, fateOf, fieldAt, isLater, isRefused, listFields, unwrap } from "./fate.ts";
import type { Fate, Field } from "./fate.ts";
import { invalid } from "./flaw.ts";
import type { Flaw } from "./flaw.ts";
import { suggestWord } from "./suggest.ts";
import { fieldOf, isMap } from "./tree.ts";
import type { Tree, TreeMap } from "./tree.ts";

export interface Sifted<Checked> {
  /** Undefined when there are flaws. */
  readonly checked: Checked | undefined;
  readonly flaws: readonly Flaw[];
  /** Every field that is there: leaves, and inert fields whole. */
  readonly fates: readonly FateRow[];
}

export interface SiftOptions {
  /** Unknown fields are left out and said to be inert. Default: each is an error. */
  readonly lenient?: boolean;
}

export function siftObject<Schema extends z.ZodType>(
  schema: Schema,
  tree: Tree,
  { lenient = false }: SiftOptions,
): Sifted<z.output<Schema>> {
  const sieve: Sieve = { schema, lenient, flaws: [], fates: [] };
  const checked = check(sieve, schema, tree, "");
  const fates = sieve.fates.map((row) => ({ ...row, fate: refinedFate(tree, row) }));
  const flaws = sieve.flaws;
  // `check` gives the schema's output, and has told of every flaw.
  return { checked: flaws.length > 0 ? undefined : (checked as z.output<Schema>), flaws, fates };
}

export interface FateRow {
  readonly field: string;
  readonly fate: Fate;
}

/** Where the fate of one field hangs on another. */
function refinedFate(tree: Tree, { field, fate }: FateRow): Fate {
  const spec = isMap(tree) && isMap(tree.spec) ? tree.spec : {};
  return field === "spec.hostname" && spec.hostNetwork === true ? hostNamed : fate;
}

const supported: Fate = { fate: "supported" };
const hostNamed: Fate = { fate: "inert", reason: "a pod with hostNetwork has the host's name" };
interface Sieve {
  /** Of the whole object: an unknown field may belong elsewhere in it. */
  readonly schema: z.ZodType;
  readonly lenient: boolean;
  readonly flaws: Flaw[];
  readonly fates: FateRow[];
}

/** What zod makes of the tree; what is wrong goes to the sieve. */
function check(sieve: Sieve, schema: z.core.$ZodType, tree: Tree, field: string): unknown {
  const kept = sift(sieve, schema, tree, field);
  const result = z.safeParse(schema, kept);
  for (const issue of result.error?.issues ?? []) {
    sieve.flaws.push(explainIssue(issue, kept, field));
  }
  return result.data;
}

/** Without unknown and refused fields, and without those that are null. */
function sift(sieve: Sieve, schema: z.core.$ZodType, tree: Tree, field: string): unknown {
  const inner = unwrap(schema);
  const all = allFields(inner);
  if (all && isMap(tree)) return siftMap(sieve, all, tree, field);
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

function siftMap(
  sieve: Sieve,
  all: Readonly<Record<string, Field>>,
  map: TreeMap,
  field: string,
): unknown {
  const kept: [string, unknown][] = [];
  let hasFields = false;
  for (const [key, value] of Object.entries(map)) {
    const path = fieldOf(field, key);
    const child = fieldAt(all, key);
    if (!child) {
      reportUnknown(sieve, all, key, path);
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
    // An inert field has one fate whole; its parts are checked all the same.
    const inner = fate ? { ...sieve, fates: [] } : sieve;
    const found = isLater(child)
      ? check(inner, child.schema, value, path)
      : sift(inner, child, value, path);
    kept.push([key, found]);
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

function reportUnknown(
  sieve: Sieve,
  all: Readonly<Record<string, Field>>,
  key: string,
  field: string,
): void {
  const flaw = unknownField(sieve.schema, all, key, field);
  if (sieve.lenient) {
    const why = flaw.hint === undefined ? "" : `; ${flaw.hint}`;
    const reason = `${flaw.message}, left out${why}`;
    sieve.fates.push({ field, fate: { fate: "inert", reason } });
  } else {
    sieve.flaws.push(flaw);
  }
}

const accepted = new WeakMap<z.ZodType, readonly string[]>();

/** Listed for the first mistake: most manifests have none. Init containers are containers. */
function acceptedFields(schema: z.ZodType): readonly string[] {
  const known = accepted.get(schema);
  if (known) return known;
  const paths = listFields(schema)
    .filter(({ field, fate }) => fate !== "refused" && !field.includes("initContainers[]"))
    .map((row) => row.field);
  accepted.set(schema, paths);
  return paths;
}

function unknownField(
  schema: z.ZodType,
  all: Readonly<Record<string, Field>>,
  key: string,
  field: string,
): Flaw {
  const flaw = { code: "manifest.unknown-field", field, message: "unknown field" } as const;
  const near = suggestWord(key, Object.keys(all));
  if (near !== undefined) return { ...flaw, hint: `did you mean ${near}?` };
  const elsewhere = acceptedFields(schema).filter(
    (path) => path.endsWith(`.${key}`) || path.endsWith(`.${key}[]`),
  );
  const [place, another] = elsewhere;
  if (place === undefined || another !== undefined) return flaw;
  return { ...flaw, hint: `${key} belongs in ${place.slice(0, place.lastIndexOf("."))}` };
}
