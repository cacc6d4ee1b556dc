// Label selectors as kubectl takes them: `app=web,env in (a,b),track notin (x),owner,!old`.

import { usageError } from "./flags.ts";

type Labels = Readonly<Record<string, string>>;
export type Selector = (labels: Labels) => boolean;

/** Of one requirement: `key in (a, b)`, `key=value`, `key`, `!key`. */
const requirement = new RegExp(
  [
    String.raw`^(?:!\s*(?<absent>[\w./-]+)|(?<key>[\w./-]+)`,
    String.raw`(?:\s+(?<set>in|notin)\s*\((?<values>[^()]*)\)`,
    String.raw`|\s*(?<sign>==|!=|=)\s*(?<value>[\w.-]*))?)$`,
  ].join(""),
);

/** All requirements must hold. `!=` and `notin` also hold where there is no such label. */
export function parseSelector(text: string): Selector {
  // Commas inside of brackets belong to a set.
  const parts = text.split(/,(?![^(]*\))/).map((part) => part.trim());
  const tests = parts.map((part) => parseRequirement(part, text));
  return (labels) => tests.every((test) => test(labels));
}

function parseRequirement(part: string, whole: string): Selector {
  const { absent, key, set, values, sign, value } = requirement.exec(part)?.groups ?? {};
  if (absent !== undefined) return (labels) => !Object.hasOwn(labels, absent);
  if (key === undefined) {
    throw usageError(
      `--selector: ${JSON.stringify(part)} of ${JSON.stringify(whole)} is no requirement`,
      "requirements are key=value, key!=value, key in (a,b), key notin (a,b), key and !key",
    );
  }
  const known = (values ?? value ?? "").split(",").map((one) => one.trim());
  const isIn = (labels: Labels) => Object.hasOwn(labels, key) && known.includes(labels[key] ?? "");
  if (set === undefined && sign === undefined) return (labels) => Object.hasOwn(labels, key);
  return set === "notin" || sign === "!=" ? (labels) => !isIn(labels) : isIn;
}
