// End states side by side, field by field, and the differences that have a reason.
import type { EndState } from "./questions.ts";

export type Difference = {
  readonly field: string;
  /** Left out where there is no such field. */
  readonly reference?: string;
  readonly value?: string;
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
      const isKnown = (one: Known) => one.subjects.includes(subject) && one.field.test(field);
      return {
        field,
        ...said("reference", reference[field]),
        ...said("value", value[field]),
        ...said("reason", known.find(isKnown)?.reason),
      };
    });
}

const said = <Name extends string>(name: Name, text: string | undefined) =>
  text === undefined ? {} : { [name]: text };

/** A peer that runs one container shares with nobody; what matters is that it is not the host's. */
function isEqual(field: string, reference: string | undefined, value: string | undefined): boolean {
  if (reference === value) return true;
  return field.startsWith("namespace ") && value === "its own" && reference !== "the host's";
}

export const unexplained = (differences: readonly Difference[]): Difference[] =>
  differences.filter(({ reason }) => reason === undefined);
