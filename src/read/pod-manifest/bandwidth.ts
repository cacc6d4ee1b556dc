// The rates that annotations ask for: bits a second, as the kubelet's network plugins read them.

import { invalid } from "./flaw.ts";
import type { Flaw } from "./flaw.ts";
import { readQuantity } from "./quantity.ts";
import { get } from "./rules-tree.ts";
import type { Item } from "./rules-tree.ts";
import { fieldOf, show } from "./tree.ts";

const keys = {
  ingress: "kubernetes.io/ingress-bandwidth",
  egress: "kubernetes.io/egress-bandwidth",
} as const;
type Direction = keyof typeof keys;
const directions = Object.keys(keys) as Direction[];

const [bitsMin, bitsMax] = [1000, 1e15];

/** Of a pod's metadata, or a template's. */
export function checkBandwidth({ tree, field }: Item): Flaw[] {
  const annotations = get(tree, "annotations");
  return directions.flatMap((direction) => {
    const value = get(annotations, keys[direction]);
    if (typeof value !== "string") return [];
    const read = readBits(value);
    if (typeof read === "number") return [];
    const path = fieldOf(fieldOf(field, "annotations"), keys[direction]);
    return [invalid(path, `invalid value ${show(value)}: ${read}`)];
  });
}

/** Of annotations that were found to be right. */
export function buildBandwidth(
  annotations: Readonly<Record<string, string>> = {},
): Partial<Record<Direction, number>> | undefined {
  const entries = directions.flatMap((direction) => {
    const value = annotations[keys[direction]];
    const read = value === undefined ? undefined : readBits(value);
    return typeof read === "number" ? [[direction, read] as const] : [];
  });
  return entries.length > 0 ? Object.fromEntries(entries) : undefined;
}

function readBits(text: string): number | string {
  const read = readQuantity(text, "memory");
  if ("problem" in read) return read.problem;
  if (read.value < bitsMin) return "resource is unreasonably small (< 1kbit)";
  if (read.value > bitsMax) return "resource is unreasonably large (> 1Pbit)";
  return read.value;
}
