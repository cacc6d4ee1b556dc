// End states side by side, field by field, and the differences that have a reason.
import type { EndState } from "./questions.ts";

export type Difference = {
  readonly field: string;
  /** `undefined` in JSON is left out: the field is not there. */
  readonly reference: string | undefined;
  readonly value: string | undefined;
  /** Why it is so; a difference without one is a flaw of the comparison, or of what is compared. */
  readonly reason?: string;
};

/** In which subjects and fields a difference is known, and why it stays. */
export type Known = {
  readonly subjects: readonly string[];
  readonly field: RegExp;
  readonly reason: string;
};

/** In the order of their names; equal fields are left out. */
export function compareEndStates(
  subject: string,
  value: EndState,
  reference: EndState,
  known: readonly Known[],
): Difference[] {
  const fields = [...new Set([...Object.keys(reference), ...Object.keys(value)])].sort();
  return fields
    .filter((field) => !isEqual(field, reference[field], value[field]))
    .map((field) => {
      const reason = known.find(
        (one) => one.subjects.includes(subject) && one.field.test(field),
      )?.reason;
      return {
        field,
        reference: reference[field],
        value: value[field],
        ...(reason === undefined ? {} : { reason }),
      };
    });
}

/** A peer that runs one container shares with nobody; what matters is that it is not the host's. */
function isEqual(field: string, reference: string | undefined, value: string | undefined): boolean {
  if (reference === value) return true;
  return field.startsWith("namespace ") && value === "its own" && reference !== "the host's";
}

export const unexplained = (differences: readonly Difference[]): Difference[] =>
  differences.filter(({ reason }) => reason === undefined);
