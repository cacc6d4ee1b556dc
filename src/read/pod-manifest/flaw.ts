// What is wrong with a manifest, before it is known where that stands in the file.

import { PodError } from "../../errors/pod-error.ts";
import type { Origin } from "../../errors/pod-error.ts";
import type { ErrorCode } from "../../errors/catalog.ts";

export interface Flaw {
  readonly code: ErrorCode;
  readonly field: string;
  /** Without the field; `required value`. */
  readonly message: string;
  readonly hint?: string;
}

/** More than this many nobody reads; the rest is counted. */
const problemsMax = 50;

export function invalid(field: string, message: string): Flaw {
  return { code: "manifest.invalid", field, message };
}

/**
 * The field leads the message as well: a service that logs `error.message` alone must not lose it.
 */
export function problemOf(flaw: Flaw, origin: Origin): PodError {
  const message = flaw.field === "" ? flaw.message : `${flaw.field}: ${flaw.message}`;
  return new PodError({
    code: flaw.code,
    message,
    origin,
    ...(flaw.hint !== undefined && { hint: flaw.hint }),
  });
}

/** All problems as one, in the order of files and lines; undefined when there are none. */
export function joinProblems(problems: readonly PodError[]): PodError | undefined {
  const files = [...new Set(problems.map(({ origin }) => origin?.file))];
  const sorted = problems.toSorted(
    (a, b) =>
      files.indexOf(a.origin?.file) - files.indexOf(b.origin?.file) ||
      (a.origin?.line ?? 0) - (b.origin?.line ?? 0) ||
      (a.origin?.column ?? 0) - (b.origin?.column ?? 0),
  );
  const [first, ...others] = sorted.slice(0, problemsMax);
  if (!first) return undefined;
  const hidden = sorted.length - problemsMax;
  const rest = new PodError({ code: "manifest.invalid", message: `and ${hidden} problems more` });
  return new PodError({
    code: first.code,
    message: first.message,
    ...(first.origin && { origin: first.origin }),
    ...(first.hint !== undefined && { hint: first.hint }),
    others: hidden > 0 ? [...others, rest] : others,
  });
}
