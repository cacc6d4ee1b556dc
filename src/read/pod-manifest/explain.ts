// What zod found wrong, in the words that Kubernetes uses for it.

import type * as z from "zod";
import { notYet } from "./fate.ts";
import type { Flaw } from "./flaw.ts";
import { invalid } from "./flaw.ts";
import { ownKinds } from "./text.ts";
import { fieldOf, isMap, show } from "./tree.ts";
import type { Tree } from "./tree.ts";

const quoteIt =
  "quote the value: without quotes YAML reads numbers, yes, no, on and off as what they are";

export function explainIssue(issue: z.core.$ZodIssue, tree: Tree): Flaw {
  const field = issue.path.reduce<string>(
    (path, key) => fieldOf(path, typeof key === "number" ? key : String(key)),
    "",
  );
  const value = valueAt(tree, issue.path);
  if (value === undefined) return invalid(field, "required value");
  switch (issue.code) {
    case "invalid_type":
      return wrongType(field, value, issue.expected);
    case "invalid_value":
      return wrongChoice(field, value, issue);
    default: {
      const isWhole = ownKinds.some((kind) => issue.message.startsWith(kind));
      const message = isWhole ? issue.message : `invalid value ${show(value)}: ${issue.message}`;
      return invalid(field, message);
    }
  }
}

function wrongType(field: string, value: Tree, expected: string): Flaw {
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

function wrongChoice(field: string, value: Tree, issue: z.core.$ZodIssueInvalidValue): Flaw {
  if (issue.message === notYet) {
    return { code: "manifest.unsupported-field", field, message: `${show(value)} is ${notYet}` };
  }
  const choices = issue.values.map((choice) => show(choice)).toSorted();
  return invalid(
    field,
    `unsupported value ${show(value)}: supported values: ${choices.join(", ")}`,
  );
}

function valueAt(tree: Tree, path: readonly PropertyKey[]): Tree | undefined {
  let value: Tree | undefined = tree;
  for (const key of path) {
    if (Array.isArray(value)) value = (value as readonly Tree[])[Number(key)];
    else value = isMap(value) && Object.hasOwn(value, key) ? value[String(key)] : undefined;
  }
  return value;
}
