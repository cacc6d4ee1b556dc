// What a manifest holds, whether it was text or an object: a tree as JSON knows it. Nothing is
// checked here but that it is one, and that it is small enough to look at.

export type Tree = null | boolean | number | string | readonly Tree[] | TreeMap;
export interface TreeMap {
  readonly [key: string]: Tree;
}

/** Deeper than any Pod, shallower than the stack. */
export const depthMax = 64;
/** In one file, with every alias counted as often as it is used. */
export const nodesMax = 1_000_000;

export function isMap(tree: Tree | undefined): tree is TreeMap {
  return typeof tree === "object" && tree !== null && !Array.isArray(tree);
}

/** Names a step into a tree: `spec.containers[0]`, `metadata.labels[example.com/team]`. */
export function fieldOf(parent: string, key: string | number): string {
  if (typeof key === "number") return `${parent}[${key}]`;
  if (!/^[A-Za-z_][-\w]*$/.test(key)) return `${parent}[${shorten(key)}]`;
  return parent === "" ? key : `${parent}.${key}`;
}

/** A value in an error message: on one line, and not longer than a reader wants it. */
export function show(value: unknown): string {
  return shorten(JSON.stringify(value) ?? String(value));
}

export function shorten(text: string): string {
  const line = text.replaceAll(/\p{Cc}/gu, " ");
  return line.length > 100 ? `${line.slice(0, 99)}…` : line;
}

/** One value that is not JSON, or not small. */
export class TreeError extends Error {
  readonly field: string;

  constructor(field: string, message: string) {
    super(message);
    this.field = shorten(field);
  }
}

/** A copy of an object as a tree. `undefined` is left out, as JSON does it. */
export function treeOf(value: unknown): Tree {
  return copy(value, "", { nodes: nodesMax, depth: depthMax });
}

interface Budget {
  nodes: number;
  depth: number;
}

function copy(value: unknown, field: string, budget: Budget): Tree {
  if (--budget.nodes < 0) throw new TreeError(field, `more than ${nodesMax} values`);
  if (typeof value === "number" && !Number.isFinite(value)) {
    throw new TreeError(field, `${value} is not a number that JSON knows`);
  }
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") {
    return value;
  }
  if (value === null || value === undefined) return null;
  if (typeof value !== "object")
    throw new TreeError(field, `a ${typeof value} is not a JSON value`);
  if (budget.depth === 0) throw new TreeError(field, `nested deeper than ${depthMax} levels`);
  budget.depth--;
  const tree = Array.isArray(value)
    ? copyList(value, field, budget)
    : copyMap(value, field, budget);
  budget.depth++;
  return tree;
}

function copyList(list: readonly unknown[], field: string, budget: Budget): Tree {
  return list.map((item, index) => copy(item, fieldOf(field, index), budget));
}

function copyMap(object: object, field: string, budget: Budget): Tree {
  const prototype: unknown = Object.getPrototypeOf(object);
  if (prototype !== Object.prototype && prototype !== null) {
    throw new TreeError(field, `a ${object.constructor.name} is not a JSON value`);
  }
  const entries: [string, unknown][] = Object.entries(object);
  // `fromEntries` defines properties: the key `__proto__` is a key like any other.
  return Object.fromEntries(
    entries
      .filter(([, item]) => item !== undefined)
      .map(([key, item]) => [key, copy(item, fieldOf(field, key), budget)]),
  );
}
