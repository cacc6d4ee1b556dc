// Rules of volumes: one source each, and files that do not stand in each other's place.

import { checkDivisor } from "./field-path.ts";
import { invalid } from "./flaw.ts";
import type { Flaw } from "./flaw.ts";
import { checkUnique, each, eachOf, get, getText, itemAt } from "./rules-tree.ts";
import type { Item } from "./rules-tree.ts";
import { fieldOf, isMap, show } from "./tree.ts";
import type { Tree } from "./tree.ts";

export function checkVolumes(spec: Item): Flaw[] {
  const volumes = each(spec, "volumes");
  return [
    ...checkUnique(volumes, (volume) => getText(volume, "name")),
    ...volumes.flatMap((volume) => [...checkSource(volume), ...checkFiles(volume, spec)]),
    ...checkHugePages(volumes, spec),
  ];
}

/** A volume without a source is an emptyDir, as the API server has it. */
function checkSource({ tree, field }: Item): Flaw[] {
  if (!isMap(tree)) return [];
  const sources = Object.keys(tree).filter((key) => key !== "name" && tree[key] !== null);
  if (sources.length < 2) return [];
  const second = fieldOf(field, sources[1] ?? "");
  return [invalid(second, "forbidden: may not specify more than 1 volume type")];
}

function checkFiles(volume: Item, spec: Item): Flaw[] {
  const projected = itemAt(volume, "projected");
  const single = ["configMap", "secret", "downwardAPI"].flatMap((key) => itemAt(volume, key) ?? []);
  const sources = eachOf(projected, "sources");
  const several = sources.flatMap((source) => {
    if (!isMap(source.tree)) return [];
    const kinds = Object.keys(source.tree).filter((key) => get(source.tree, key) !== undefined);
    const message = "forbidden: may not specify more than 1 volume type";
    return kinds.length > 1 ? [invalid(fieldOf(source.field, kinds[1] ?? ""), message)] : [];
  });
  const parts = sources.flatMap((source) =>
    ["configMap", "secret", "downwardAPI"].flatMap((key) => itemAt(source, key) ?? []),
  );
  const items = [...single, ...parts].flatMap((part) => each(part, "items"));
  return [
    ...several,
    ...checkUnique(
      items,
      (item) => cleanPath(getText(item, "path")),
      "path",
      (path) => `invalid value ${show(path)}: conflicting duplicate paths`,
    ),
    ...items
      .filter(({ field }) => field.includes("downwardAPI"))
      .flatMap((item) => checkDownwardItem(item, spec)),
  ];
}

function cleanPath(path: string | undefined): string | undefined {
  return path
    ?.split("/")
    .filter((name) => name !== "" && name !== ".")
    .join("/");
}

function checkDownwardItem(item: Item, spec: Item): Flaw[] {
  const resource = itemAt(item, "resourceFieldRef");
  const field = itemAt(item, "fieldRef");
  if (!resource && !field) {
    const message = "required value: one of fieldRef and resourceFieldRef is required";
    return [invalid(item.field, message)];
  }
  if (!resource) return [];
  if (field) {
    const message = "forbidden: fieldRef and resourceFieldRef can not be specified simultaneously";
    return [invalid(resource.field, message)];
  }
  const hasName = getText(resource.tree, "containerName") !== undefined;
  const nameless = hasName ? [] : [invalid(`${resource.field}.containerName`, "required value")];
  return [...nameless, ...checkResourceRef(resource, spec)];
}

/** Of a variable or of a file. */
export function checkResourceRef({ tree, field }: Item, spec: Item): Flaw[] {
  const flaws: Flaw[] = [];
  const divisor = get(tree, "divisor");
  const resource = getText(tree, "resource") ?? "";
  const isScalar = typeof divisor === "string" || typeof divisor === "number";
  const problem = isScalar ? checkDivisor(resource, String(divisor)) : undefined;
  if (problem !== undefined) {
    flaws.push(invalid(`${field}.divisor`, `unsupported value ${show(divisor)}: ${problem}`));
  }
  const name = getText(tree, "containerName");
  const containers = [...each(spec, "initContainers"), ...each(spec, "containers")];
  if (name !== undefined && !containers.some((one) => get(one.tree, "name") === name)) {
    flaws.push(invalid(`${field}.containerName`, `not found: ${show(name)}`));
  }
  return flaws;
}

const hugePages = "HugePages";

/** The kernel wants to know the size of the pages, which the containers name. */
function checkHugePages(volumes: readonly Item[], spec: Item): Flaw[] {
  return volumes.flatMap(({ tree, field }) => {
    const medium = getText(get(tree, "emptyDir"), "medium");
    if (!medium?.startsWith(hugePages)) return [];
    const path = `${field}.emptyDir.medium`;
    const sizes = pageSizes(spec);
    const size = medium.slice(hugePages.length + 1);
    if (size === "" && sizes.size === 1) return [];
    if (size !== "" && sizes.has(size)) return [];
    const message =
      size === ""
        ? "medium HugePages needs containers that ask for pages of exactly one size"
        : `no container asks for hugepages-${size}`;
    return [invalid(path, `invalid value ${show(medium)}: ${message}`)];
  });
}

function pageSizes(spec: Item): Set<string> {
  const containers = [...each(spec, "initContainers"), ...each(spec, "containers")];
  const lists = [spec, ...containers].flatMap(({ tree }) => {
    const resources = get(tree, "resources");
    return [get(resources, "requests"), get(resources, "limits")];
  });
  const names = lists.flatMap((list: Tree | undefined) => (isMap(list) ? Object.keys(list) : []));
  const prefix = "hugepages-";
  return new Set(
    names.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length)),
  );
}
