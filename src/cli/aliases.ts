// What other tools call our commands. Few: a habit of kubectl or compose that has one meaning here.

import { usageError } from "./flags.ts";

/** Name → our command, with flags that go before those of the user. */
const aliases: Readonly<Record<string, readonly string[]>> = {
  get: ["ps", "--all"],
  ls: ["ps"],
  delete: ["down"],
  apply: ["up", "--detach"],
};

/** kubectl names the kind before the name: `delete pod web`. */
const takeKind = ["get", "delete", "describe", "top"];
const kinds = ["pods", "pod", "po"];

export const aliasNames: readonly string[] = Object.keys(aliases);

/** The command and its words as they are known here. */
export function resolveAlias(
  name: string,
  words: readonly string[],
): { readonly name: string; readonly words: readonly string[] } {
  const rest = takeKind.includes(name) ? withoutKind(name, words) : words;
  const [command = name, ...flags] = Object.hasOwn(aliases, name) ? (aliases[name] ?? []) : [name];
  return { name: command, words: [...flags, ...rest] };
}

function withoutKind(name: string, words: readonly string[]): readonly string[] {
  const kind = words.findIndex((word) => kinds.includes(word));
  const isBeforeName = words.slice(kind + 1).some((word) => !word.startsWith("-"));
  if (kind >= 0 && (name === "get" || isBeforeName)) return words.toSpliced(kind, 1);
  const isAsked = words.some((word) => word === "--help" || word === "-h");
  if (name !== "get" || isAsked || words.some((word) => kindOf(word) !== undefined)) return words;
  throw usageError("peapod get knows only pods", "run peapod get pods");
}

/** Of `pod/web`. */
function kindOf(word: string): string | undefined {
  return kinds.find((kind) => word.startsWith(`${kind}/`));
}

/** `pod/web` is `web`, as kubectl prints it. */
export function withoutKindPrefix(name: string): string {
  const kind = kindOf(name);
  return kind === undefined ? name : name.slice(kind.length + 1);
}
