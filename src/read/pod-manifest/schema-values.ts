// Numbers and lists of a manifest, with Kubernetes' limits and its words for breaking them.

import * as z from "zod";

/** Entries of command, args and env together are bounded again once they are expanded. */
export const entriesMax = 4096;
/** Of containers, volumes, mounts and what else a pod has many of. */
export const itemsMax = 1000;

export function listOf<Schema extends z.ZodType>(item: Schema, max = itemsMax) {
  return z.array(item).max(max, `too many: must have at most ${max} items`).readonly();
}

/** At least one: an empty list is the same as none. */
export function filledListOf<Schema extends z.ZodType>(item: Schema, max = itemsMax) {
  return z
    .array(item)
    .min(1, "required value")
    .max(max, `too many: must have at most ${max} items`)
    .readonly();
}

export const Texts = () => z.record(z.string(), z.string()).readonly();

/** Go's int32 is the widest that Kubernetes counts seconds and ids in. */
export const intMax = 2_147_483_647;

/** A whole number with a least value only. */
export function atLeast(min: number) {
  return z
    .int()
    .min(min, `must be greater than or equal to ${min}`)
    .max(intMax, `must be less than or equal to ${intMax}`);
}

export function between(min: number, max: number) {
  const range = `must be between ${min} and ${max}, inclusive`;
  return z.int().min(min, range).max(max, range);
}

export const PortNumber = () => between(1, 65_535);

/** A mode of a file: 0644, or 420 where the manifest is JSON. */
export function FileMode() {
  const message = "must be a number between 0 and 0777 (octal), both inclusive";
  return z.int().min(0, message).max(0o777, message);
}

/** The empty lists that ask for nothing. */
export const none = () => z.tuple([]).readonly();
