// What zod found wrong, in the words that Kubernetes uses for it.

import type * as z from "zod";
import type { Flaw } from "./flaw.ts";
import { invalid } from "./flaw.ts";
import { ownKinds } from "./text.ts";
import { fieldOf, show } from "./tree.ts";

const quoteIt =
  "quote the value: without quotes YAML reads numbers, yes, no, on and off as what they are";

/** `tree` is what zod was given, `at` the field where that stands. */
export function explainIssue(issue: z.core.$ZodIssue, tree: unknown, at: string): Flaw {
  const field = issue.path.reduce<string>(
    (path, key) => fieldOf(path, typeof key === "number" ? key : String(key)),
    at,
  );
  const value = valueAt(tree, issue.path);
  if (value === undefined) return invalid(field, "required value");
  switch (issue.code) {
    case "invalid_type":
      return wrongType(field, value, issue.expected);
    case "invalid_value":
      return wrongChoice(field, value, issue);
    default: {
      if (issue.message.startsWith("supported values")) {
        return invalid(field, `unsupported value ${show(value)}: ${issue.message}`);
      }
      const isWhole = ownKinds.some((kind) => issue.message.startsWith(kind));
      const message = isWhole ? issue.message : `invalid value ${show(value)}: ${issue.message}`;
      return invalid(field, message);
    }
  }
}

function wrongType(field: string, value: unknown, expected: string): Flaw {
  const flaw = invalid(
    field,
    `invalid value ${show(value)}: must be ${typeNames[expected] ?? expected}`,
  );
  const isQuotable = typeof value === "boolean" || typeof value === "number";
  return expected === "string" && isQuotable ? { ...flaw, hint: quoteIt } : flaw;
}

const typeNames: Readonly<Record<string, string>> = {
  string: "a string",
  boolean: "true or false",
  number: "a number",
  int: "a whole number",
  array: "a list",
  object: "a mapping",
  record: "a mapping",
};

function wrongChoice(field: string, value: unknown, issue: z.core.$ZodIssueInvalidValue): Flaw {
  const choices = issue.values.map((choice) => show(choice)).toSorted();
  return invalid(
    field,
    `unsupported value ${show(value)}: supported values: ${choices.join(", ")}`,
  );
}

function valueAt(tree: unknown, path: readonly PropertyKey[]): unknown {
  let value = tree;
  for (const key of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Readonly<Record<PropertyKey, unknown>>)[key];
  }
  return value;
}
