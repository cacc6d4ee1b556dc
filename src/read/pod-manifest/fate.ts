// What becomes of a field of the Pod API: a field of the schema is supported unless it is marked
// here. The marks stand in the schema itself, so the names that are known, their types and their
// fates are one table.

import * as z from "zod";

/** An accepted field that changes nothing on one machine. */
interface Inert {
  readonly fate: "inert";
  readonly reason: string;
  /** Values that do say what happens. */
  readonly honoured?: z.ZodType;
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

/**
 * zod would make JavaScript of every schema before its first use. A process that reads one manifest
 * waits three times as long for that as for the check itself.
 */
z.config({ jitless: true });

const marks = new WeakMap<z.core.$ZodType, Inert>();
/** With the refused ones. */
const fieldsOf = new WeakMap<z.core.$ZodType, Readonly<Record<string, Field>>>();

type Field = z.core.$ZodType | Refused;

/** One way to say it, so that a reader can search for it. */
export const notYet = "not supported yet";
const sameAsAbsent = "the same as leaving it out";

export function inert<Schema extends z.ZodType>(
  schema: Schema,
  reason: string,
  honoured?: z.ZodType,
): z.ZodOptional<Schema> {
  const field = schema.optional();
  marks.set(field, { fate: "inert", reason, ...(honoured && { honoured }) });
  return field;
}

/** As `inert`, for a field that must be there. */
export function inertRequired<Schema extends z.ZodType>(schema: Schema, reason: string): Schema {
  marks.set(schema, { fate: "inert", reason });
  return schema;
}

/**
 * A mapping with these fields and no others. Most fields of a Pod are refused: no schema is made of
 * them, for the time until a command starts is made of schemas.
 */
export function fields<Shape extends z.core.$ZodShape>(
  shape: Shape,
): z.ZodObject<Shape, z.core.$strict> {
  const all: Readonly<Record<string, Field>> = shape;
  const seen = Object.entries(all).filter(([, field]) => !isRefused(field));
  const schema = z.strictObject(Object.fromEntries(seen) as Shape);
  fieldsOf.set(schema, all);
  return schema;
}

/**
 * The type of the field is `undefined` or one of the harmless values: TypeScript refuses it as
 * well.
 */
export function refused<Schema extends z.ZodType = z.ZodNever>(
  reason: string = notYet,
  same?: () => Schema,
): z.ZodOptional<Schema> {
  // What it is to TypeScript; `fields` keeps it from zod.
  return new Refused(reason, same) as unknown as z.ZodOptional<Schema>;
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
      return mark.honoured?.safeParse(value).success ? { fate: "supported" } : mark;
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

function markOf(field: Field): Inert | Refused | undefined {
  return isRefused(field) ? field : marks.get(field);
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

/** Of a mapping, in its order. */
export function allFields(object: z.ZodObject): Readonly<Record<string, Field>> {
  return fieldsOf.get(object) ?? object.shape;
}

/** The field of a key: its own, or that of a pattern such as `hugepages-*`. */
export function fieldAt(object: z.ZodObject, key: string): Field | undefined {
  const all = allFields(object);
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
  if (!(inner instanceof z.ZodObject)) return [{ field, fate: "supported", reason: "" }];
  return Object.entries(allFields(inner)).flatMap(([key, child]) => {
    const path = field === "" ? key : `${field}.${key}`;
    const mark = markOf(child);
    if (mark) return [{ field: path, fate: mark.fate, reason: mark.reason }];
    return isRefused(child) ? [] : listFields(child, path);
  });
}
