// Rules of requests and limits, of containers and of the pod above them.

import { invalid } from "./flaw.ts";
import type { Flaw } from "./flaw.ts";
import { readQuantity } from "./quantity.ts";
import { each, get } from "./rules-tree.ts";
import type { Item } from "./rules-tree.ts";
import { fieldOf, isMap, show } from "./tree.ts";
import type { Tree } from "./tree.ts";

const hugePages = "hugepages-";

export function checkResources(container: Item): Flaw[] {
  const resources = get(container.tree, "resources");
  const field = `${container.field}.resources`;
  const names = new Set([...keys(get(resources, "requests")), ...keys(get(resources, "limits"))]);
  return [
    ...[...names].flatMap((name) => checkPair(resources, field, name)),
    ...checkPages(resources, field, [...names]),
  ];
}

function keys(list: Tree | undefined): string[] {
  return isMap(list) ? Object.keys(list).filter((key) => list[key] !== null) : [];
}

function checkPair(resources: Tree | undefined, field: string, name: string): Flaw[] {
  const requested = get(get(resources, "requests"), name);
  const limit = get(get(resources, "limits"), name);
  const [low, high] = [amount(requested, name), amount(limit, name)];
  const path = fieldOf(`${field}.requests`, name);
  const isPages = name.startsWith(hugePages);
  if (low === undefined) return [];
  if (isPages && limit === undefined) {
    return [invalid(path, "required value: a limit must be set for hugepages")];
  }
  if (high === undefined || (isPages ? low === high : low <= high)) return [];
  const relation = isPages ? "equal to" : "less than or equal to";
  const rule = `must be ${relation} ${name} limit of ${String(limit)}`;
  return [invalid(path, `invalid value ${show(requested)}: ${rule}`)];
}

function checkPages(resources: Tree | undefined, field: string, names: readonly string[]): Flaw[] {
  const pages = names.filter((name) => name.startsWith(hugePages));
  if (pages.length === 0) return [];
  const flaws: Flaw[] = [];
  if (!names.includes("cpu") && !names.includes("memory")) {
    flaws.push(invalid(field, "forbidden: HugePages require cpu or memory"));
  }
  for (const name of pages) {
    const list = get(get(resources, "limits"), name) === undefined ? "requests" : "limits";
    const path = fieldOf(`${field}.${list}`, name);
    const written = get(get(resources, list), name);
    const size = amount(name.slice(hugePages.length), "memory");
    const bytes = amount(written, name);
    if (size === undefined || size <= 0 || !isPowerOfTwo(size) || size < 4096) {
      flaws.push(invalid(path, `invalid key ${show(name)}: must name the size of a page`));
    } else if (bytes !== undefined && bytes % size !== 0) {
      const rule = `must be a positive integer multiple of the page size`;
      flaws.push(invalid(path, `invalid value ${show(written)}: ${rule}`));
    }
  }
  return flaws;
}

function isPowerOfTwo(value: number): boolean {
  return Number.isInteger(Math.log2(value));
}

/** Those that a pod may have for all of its containers together. */
const podWide = (name: string) => name === "cpu" || name === "memory" || name.startsWith(hugePages);

export function checkPodResources(spec: Item): Flaw[] {
  const resources = get(spec.tree, "resources");
  if (!isMap(resources)) return [];
  const field = `${spec.field}.resources`;
  const flaws = checkResources(spec);
  for (const list of ["requests", "limits"]) {
    for (const name of keys(get(resources, list)).filter((key) => !podWide(key))) {
      const message = `unsupported value ${show(name)}: supported values: "cpu", "hugepages-<SIZE>", "memory"`;
      flaws.push(invalid(fieldOf(`${field}.${list}`, name), message));
    }
  }
  for (const name of keys(get(resources, "requests")).filter(podWide)) {
    const pod = get(get(resources, "requests"), name);
    const total = sumOfRequests(spec, name);
    if ((amount(pod, name) ?? total) >= total) continue;
    const rule = `must be greater than or equal to aggregate container requests of ${printAmount(total, name)}`;
    flaws.push(invalid(fieldOf(`${field}.requests`, name), `invalid value ${show(pod)}: ${rule}`));
  }
  for (const name of keys(get(resources, "limits")).filter(podWide)) {
    flaws.push(...checkLimitsBelow(spec, name, get(get(resources, "limits"), name)));
  }
  return flaws;
}

function checkLimitsBelow(spec: Item, name: string, limit: Tree | undefined): Flaw[] {
  const most = amount(limit, name);
  if (most === undefined) return [];
  const containers = [...each(spec, "initContainers"), ...each(spec, "containers")];
  return containers.flatMap(({ tree, field }) => {
    const own = get(get(get(tree, "resources"), "limits"), name);
    if ((amount(own, name) ?? 0) <= most) return [];
    const rule = `must be less than or equal to pod ${name} limit of ${String(limit)}`;
    const path = fieldOf(`${field}.resources.limits`, name);
    return [invalid(path, `invalid value ${show(own)}: ${rule}`)];
  });
}

/** Sidecars run beside the containers; a plain init container runs beside those before it. */
function sumOfRequests(spec: Item, name: string): number {
  let staying = 0;
  let most = 0;
  for (const container of each(spec, "initContainers")) {
    const own = requestOf(container, name);
    if (get(container.tree, "restartPolicy") === "Always") staying += own;
    else most = Math.max(most, staying + own);
  }
  const regular = each(spec, "containers").reduce((sum, one) => sum + requestOf(one, name), 0);
  return Math.max(most, staying + regular);
}

function requestOf({ tree }: Item, name: string): number {
  const resources = get(tree, "resources");
  const written = get(get(resources, "requests"), name) ?? get(get(resources, "limits"), name);
  return amount(written, name) ?? 0;
}

function printAmount(value: number, name: string): string {
  return name === "cpu" ? `${value}m` : String(value);
}

function amount(tree: Tree | undefined, name: string): number | undefined {
  if (typeof tree !== "string" && typeof tree !== "number") return undefined;
  const read = readQuantity(String(tree), name === "cpu" ? "cpu" : "memory");
  return "value" in read ? read.value : undefined;
}
