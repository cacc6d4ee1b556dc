// Looking into a tree that nobody has checked yet.

import { invalid } from "./flaw.ts";
import type { Flaw } from "./flaw.ts";
import { fieldOf, isMap, show } from "./tree.ts";
import type { Tree } from "./tree.ts";

/** A part of the tree, and where it stands. */
export interface Item {
  readonly tree: Tree;
  readonly field: string;
}

/** Undefined where there is no such field, and where it is null: that is the same. */
export function get(tree: Tree | undefined, key: string): Tree | undefined {
  return isMap(tree) && Object.hasOwn(tree, key) ? (tree[key] ?? undefined) : undefined;
}

export function getText(tree: Tree | undefined, key: string): string | undefined {
  const value = get(tree, key);
  return typeof value === "string" && value !== "" ? value : undefined;
}

export function getNumber(tree: Tree | undefined, key: string): number | undefined {
  const value = get(tree, key);
  return typeof value === "number" ? value : undefined;
}

export function itemAt({ tree, field }: Item, key: string): Item | undefined {
  const value = get(tree, key);
  return value === undefined ? undefined : { tree: value, field: fieldOf(field, key) };
}

/** The items of a list. */
export function each({ tree, field }: Item, key: string): Item[] {
  const list = get(tree, key);
  if (!Array.isArray(list)) return [];
  const items: readonly Tree[] = list;
  return items.map((item, index) => ({ tree: item, field: fieldOf(fieldOf(field, key), index) }));
}

export function eachOf(item: Item | undefined, key: string): Item[] {
  return item ? each(item, key) : [];
}

/** `what` takes from an item the text that may not come twice. */
export function checkUnique(
  items: readonly Item[],
  what: (item: Tree) => string | undefined,
  key = "name",
  message = (value: string) => `duplicate value: ${show(value)}`,
): Flaw[] {
  const seen = new Set<string>();
  return items.flatMap(({ tree, field }) => {
    const value = what(tree);
    if (value === undefined) return [];
    const isNew = !seen.has(value);
    seen.add(value);
    return isNew ? [] : [invalid(fieldOf(field, key), message(value))];
  });
}

/** The fields of a mapping that have a value, of those that are named. */
export function present(tree: Tree | undefined, keys: readonly string[]): string[] {
  return isMap(tree)
    ? Object.keys(tree).filter((key) => keys.includes(key) && tree[key] !== null)
    : [];
}
