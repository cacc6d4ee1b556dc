// What becomes of a field of the Pod API: a field of the schema is supported unless it is marked
// here. The marks stand in the schema itself, so the names that are known, their types and their
// fates are one table.

import * as z from "zod";

/** An accepted field that changes nothing on one machine. */
interface Inert {
  readonly fate: "inert";
  readonly reason: string;
}

/** A field that the Pod API has and peapod does not act on. zod never sees one. */
class Refused {
  readonly fate = "refused";
  readonly reason: string;
  /** Values that ask for what happens anyway: accepted, as leaving the field out is. */
  readonly same: (() => z.ZodType) | undefined;

  constructor(reason: string, same: (() => z.ZodType) | undefined) {
    this.reason = reason;
    this.same = same;
  }
}

/** A field whose schema is made when a manifest has the field. */
class Later {
  readonly mark: Inert | undefined;
  readonly #make: () => z.ZodType;
  #schema: z.ZodType | undefined;

  constructor(make: () => z.ZodType, mark: Inert | undefined) {
    this.#make = make;
    this.mark = mark;
  }

  get schema(): z.ZodType {
    this.#schema ??= this.#make();
    return this.#schema;
  }
}

/**
 * zod would make JavaScript of every schema before its first use. A process that reads one manifest
 * waits three times as long for that as for the check itself.
 */
z.config({ jitless: true });

/** All of a mapping, with those that zod is not told of. */
const fieldsOf = new WeakMap<z.core.$ZodType, Readonly<Record<string, Field>>>();

export type Field = z.core.$ZodType | Later | Refused;

/** One way to say it, so that a reader can search for it. */
export const notYet = "not supported yet";
const sameAsAbsent = "the same as leaving it out";

/**
 * A mapping with these fields and no others. A command starts as late as its schemas are made, and
 * a Pod has a thousand fields of which most manifests use twenty: only fields that must be there
 * stand in the shape as they are, all others as `later`, `inert` or `refused`.
 */
export function fields<Shape extends z.core.$ZodShape>(
  shape: Shape,
): z.ZodObject<Shape, z.core.$strict> {
  const all: Readonly<Record<string, Field>> = shape;
  const eager = Object.entries(all).filter(
    (entry): entry is [string, z.core.$ZodType] => !isLater(entry[1]) && !isRefused(entry[1]),
  );
  // What the sieve has checked passes through as it is, and it lets no unknown field by.
  const schema: unknown = z.looseObject(Object.fromEntries(eager));
  const typed = schema as z.ZodObject<Shape, z.core.$strict>;
  fieldsOf.set(typed, all);
  return typed;
}

/** An optional field. */
export function later<Schema extends z.ZodType>(make: () => Schema): z.ZodOptional<Schema> {
  // What it is to TypeScript; `fields` keeps it from zod.
  return new Later(make, undefined) as unknown as z.ZodOptional<Schema>;
}

export function inert<Schema extends z.ZodType>(
  make: () => Schema,
  reason: string,
): z.ZodOptional<Schema> {
  return new Later(make, { fate: "inert", reason }) as unknown as z.ZodOptional<Schema>;
}

/**
 * The type of the field is `undefined` or one of the harmless values: TypeScript refuses it as
 * well.
 */
export function refused<Schema extends z.ZodType = z.ZodNever>(
  reason: string = notYet,
  same?: () => Schema,
): z.ZodOptional<Schema> {
  return new Refused(reason, same) as unknown as z.ZodOptional<Schema>;
}

/** Made on first use, and once. */
export function once<Value>(make: () => Value): () => Value {
  let made: { readonly value: Value } | undefined;
  return () => (made ??= { value: make() }).value;
}

export type Fate =
  { readonly fate: "supported" } | { readonly fate: "inert" | "refused"; readonly reason: string };

/**
 * What becomes of a value at a field. `undefined` when nothing is marked, so that its parts decide.
 */
export function fateOf(field: Field, value: unknown): Fate | undefined {
  const mark = markOf(field);
  if (mark && value === null) return { fate: "inert", reason: sameAsAbsent };
  switch (mark?.fate) {
    case undefined:
      return undefined;
    case "inert":
      return mark;
    case "refused":
      return mark.same?.().safeParse(value).success
        ? { fate: "inert", reason: sameAsAbsent }
        : mark;
    default:
      return mark satisfies never;
  }
}

export function isRefused(field: Field): field is Refused {
  return field instanceof Refused;
}

export function isLater(field: Field): field is Later {
  return field instanceof Later;
}

function markOf(field: Field): Inert | Refused | undefined {
  return isRefused(field) ? field : isLater(field) ? field.mark : undefined;
}

/**
 * The schema beneath `optional`, `default` and `readonly`, which say nothing about the fields
 * inside.
 */
export function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  const wrapped =
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodReadonly;
  return wrapped ? unwrap(schema.def.innerType) : schema;
}

/** Of a mapping made by `fields`, in its order. */
export function allFields(schema: z.core.$ZodType): Readonly<Record<string, Field>> | undefined {
  return fieldsOf.get(schema);
}

/** The field of a key: its own, or that of a pattern such as `hugepages-*`. */
export function fieldAt(all: Readonly<Record<string, Field>>, key: string): Field | undefined {
  if (Object.hasOwn(all, key)) return all[key];
  const pattern = Object.keys(all).find((name) => matchesPattern(name, key));
  return pattern === undefined ? undefined : all[pattern];
}

function matchesPattern(pattern: string, key: string): boolean {
  const [head = "", tail] = pattern.split("*");
  if (tail === undefined) return false;
  return key.length > pattern.length && key.startsWith(head) && key.includes(tail, head.length);
}

export interface FieldRow {
  /** `spec.containers[].env[].name`. */
  readonly field: string;
  readonly fate: Fate["fate"];
  /** Empty for a supported field. */
  readonly reason: string;
}

/** Every field of a schema, in its order; a marked one stands for all that is in it. */
export function listFields(schema: z.core.$ZodType, field = ""): FieldRow[] {
  const inner = unwrap(schema);
  if (inner instanceof z.ZodArray) return listFields(inner.element, `${field}[]`);
  const all = allFields(inner);
  if (!all) return [{ field, fate: "supported", reason: "" }];
  return Object.entries(all).flatMap(([key, child]) => {
    const path = field === "" ? key : `${field}.${key}`;
    const mark = markOf(child);
    if (mark) return [{ field: path, fate: mark.fate, reason: mark.reason }];
    if (isRefused(child)) return [];
    return listFields(isLater(child) ? child.schema : child, path);
  });
}
