// What becomes of a field of the Pod API: a field of the schema is supported unless it is marked
// here. The marks sit on the zod schema itself, so the names that are known, their types and their
// fates are one table.

import * as z from "zod";

/** An accepted field that changes nothing on one machine. */
interface Inert {
  readonly fate: "inert";
  readonly reason: string;
  /** Values that do say what happens. */
  readonly honoured?: z.ZodType;
}

/** A field that the Pod API has and peapod does not act on. */
interface Refused {
  readonly fate: "refused";
  readonly reason: string;
  /** Values that ask for what happens anyway: accepted, as leaving the field out is. */
  readonly same?: z.ZodType;
}

/**
 * zod would make JavaScript of every schema before its first use. A process that reads one manifest
 * waits three times as long for that as for the check itself.
 */
z.config({ jitless: true });

const marks = new WeakMap<z.core.$ZodType, Inert | Refused>();

/** One way to say it, so that a reader can search for it. */
export const notYet = "not supported yet";
/** Shared: the time until a command starts is made of schemas. */
const nothing = z.never();
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
 * The type of the field is `undefined` or one of the harmless values: TypeScript refuses it as
 * well.
 */
export function refused<Schema extends z.ZodType = z.ZodNever>(
  reason: string = notYet,
  same?: Schema,
): z.ZodOptional<Schema> {
  // Without a harmless value nothing fits, which is what the default of `Schema` says.
  const accepted = (same ?? nothing) as unknown as Schema;
  const field = accepted.optional();
  marks.set(field, { fate: "refused", reason, ...(same && { same }) });
  return field;
}

export type Fate =
  { readonly fate: "supported" } | { readonly fate: "inert" | "refused"; readonly reason: string };

/**
 * What becomes of a value at a field. `undefined` when nothing is marked, so that its parts decide.
 */
export function fateOf(schema: z.core.$ZodType, value: unknown): Fate | undefined {
  const mark = marks.get(schema);
  if (mark && value === null) return { fate: "inert", reason: sameAsAbsent };
  switch (mark?.fate) {
    case undefined:
      return undefined;
    case "inert":
      return mark.honoured?.safeParse(value).success ? { fate: "supported" } : mark;
    case "refused":
      return mark.same?.safeParse(value).success ? { fate: "inert", reason: sameAsAbsent } : mark;
    default:
      return mark satisfies never;
  }
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

/** The schema of a key: its own, or that of a pattern such as `hugepages-*`. */
export function fieldSchema(object: z.ZodObject, key: string): z.core.$ZodType | undefined {
  if (Object.hasOwn(object.shape, key)) return object.shape[key];
  const pattern = Object.keys(object.shape).find((name) => matchesPattern(name, key));
  return pattern === undefined ? undefined : object.shape[pattern];
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
  const rows: [string, z.core.$ZodType][] = Object.entries(inner.shape);
  return rows.flatMap(([key, child]) => {
    const path = field === "" ? key : `${field}.${key}`;
    const mark = marks.get(child);
    return mark ? [{ field: path, fate: mark.fate, reason: mark.reason }] : listFields(child, path);
  });
}
