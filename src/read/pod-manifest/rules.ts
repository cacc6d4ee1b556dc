// What Kubernetes demands of fields together: names that are unique, mounts that have a volume,
// flags that exclude each other. Works on the tree as it was written, so that one mistake does not
// hide another.

import { invalid } from "./flaw.ts";
import type { Flaw } from "./flaw.ts";
import { readQuantity } from "./quantity.ts";
import type { QuantityUnit } from "./quantity.ts";
import { checkLabelValue, checkQualifiedName, cleanGuestPath } from "./text.ts";
import { fieldOf, isMap, show } from "./tree.ts";
import type { Tree } from "./tree.ts";

const annotationBytesMax = 256 * 1024;
const labelsMax = 1000;

export function checkRules(pod: Tree): readonly Flaw[] {
  const metadata = get(pod, "metadata");
  const spec = get(pod, "spec");
  return [
    ...checkLabels(get(metadata, "labels")),
    ...checkAnnotations(get(metadata, "annotations")),
    ...checkNamespaces(spec),
    ...checkUnique(spec, "spec", "volumes", (volume) => get(volume, "name")),
    ...each(spec, "spec", "volumes").flatMap(checkVolume),
    ...checkUnique(spec, "spec", "containers", (container) => get(container, "name")),
    ...each(spec, "spec", "containers").flatMap((container) => checkContainer(container, spec)),
  ];
}

interface Item {
  readonly tree: Tree;
  readonly field: string;
}

function get(tree: Tree | undefined, key: string): Tree | undefined {
  return isMap(tree) && Object.hasOwn(tree, key) ? tree[key] : undefined;
}

function each(tree: Tree | undefined, field: string, key: string): Item[] {
  const list = get(tree, key);
  if (!Array.isArray(list)) return [];
  const items: readonly Tree[] = list;
  return items.map((item, index) => ({ tree: item, field: fieldOf(fieldOf(field, key), index) }));
}

function checkLabels(labels: Tree | undefined): Flaw[] {
  if (!isMap(labels)) return [];
  if (Object.keys(labels).length > labelsMax) {
    return [invalid("metadata.labels", `too many: must have at most ${labelsMax} items`)];
  }
  return Object.entries(labels).flatMap(([key, value]) => {
    const field = fieldOf("metadata.labels", key);
    const name = checkQualifiedName(key);
    const problem = typeof value === "string" ? checkLabelValue(value) : undefined;
    return [
      ...(name === undefined ? [] : [invalid(field, `invalid key ${show(key)}: ${name}`)]),
      ...(problem === undefined
        ? []
        : [invalid(field, `invalid value ${show(value)}: ${problem}`)]),
    ];
  });
}

function checkAnnotations(annotations: Tree | undefined): Flaw[] {
  if (!isMap(annotations)) return [];
  const flaws = Object.keys(annotations).flatMap((key) => {
    // Unlike keys of labels these may be written in upper case.
    const name = checkQualifiedName(key.toLowerCase());
    const field = fieldOf("metadata.annotations", key);
    return name === undefined ? [] : [invalid(field, `invalid key ${show(key)}: ${name}`)];
  });
  const bytes = Object.entries(annotations)
    .map(([key, value]) => Buffer.byteLength(key) + Buffer.byteLength(String(value ?? "")))
    .reduce((sum, size) => sum + size, 0);
  if (bytes <= annotationBytesMax) return flaws;
  return [
    ...flaws,
    invalid("metadata.annotations", `too long: may not be more than ${annotationBytesMax} bytes`),
  ];
}

function checkNamespaces(spec: Tree | undefined): Flaw[] {
  const isTrue = (key: string) => get(spec, key) === true;
  const flaws: Flaw[] = [];
  if (isTrue("hostPID") && isTrue("shareProcessNamespace")) {
    const message = "invalid value true: ShareProcessNamespace and HostPID cannot both be enabled";
    flaws.push(invalid("spec.shareProcessNamespace", message));
  }
  if (get(spec, "hostUsers") !== false) return flaws;
  const host = ["hostNetwork", "hostPID", "hostIPC"].filter(isTrue);
  return [
    ...flaws,
    ...host.map((key) => invalid(`spec.${key}`, "forbidden: when `hostUsers` is false")),
  ];
}

/** `what` takes from an item the text that may not come twice. */
function checkUnique(
  tree: Tree | undefined,
  field: string,
  key: string,
  what: (item: Tree) => Tree | undefined,
  name = "name",
): Flaw[] {
  const seen = new Set<string>();
  return each(tree, field, key).flatMap((item) => {
    const value = what(item.tree);
    if (typeof value !== "string" || value === "") return [];
    const isNew = !seen.has(value);
    seen.add(value);
    return isNew ? [] : [invalid(fieldOf(item.field, name), `duplicate value: ${show(value)}`)];
  });
}

/** A volume without a source is an emptyDir, as the API server has it. */
function checkVolume({ tree, field }: Item): Flaw[] {
  if (!isMap(tree)) return [];
  const sources = Object.keys(tree).filter((key) => key !== "name" && tree[key] !== null);
  if (sources.length < 2) return [];
  const second = fieldOf(field, sources[1] ?? "");
  return [invalid(second, "forbidden: may not specify more than 1 volume type")];
}

function checkContainer({ tree, field }: Item, spec: Tree | undefined): Flaw[] {
  return [
    ...checkRequests(tree, field),
    ...checkUnique(tree, field, "ports", (port) => get(port, "name")),
    ...checkMounts(tree, field, spec),
  ];
}

function checkMounts(container: Tree, field: string, spec: Tree | undefined): Flaw[] {
  const volumes = new Set(each(spec, "spec", "volumes").map(({ tree }) => get(tree, "name")));
  const missing = each(container, field, "volumeMounts").flatMap((mount) => {
    const name = get(mount.tree, "name");
    if (typeof name !== "string" || name === "" || volumes.has(name)) return [];
    return [invalid(fieldOf(mount.field, "name"), `not found: ${show(name)}`)];
  });
  const path = (mount: Tree) => {
    const text = get(mount, "mountPath");
    return typeof text === "string" && text !== "" ? cleanGuestPath(text) : undefined;
  };
  const repeated = checkUnique(container, field, "volumeMounts", path, "mountPath").map((flaw) => ({
    ...flaw,
    message: `${flaw.message.replace("duplicate value:", "invalid value")}: must be unique`,
  }));
  return [...missing, ...repeated];
}

function checkRequests(container: Tree, field: string): Flaw[] {
  const resources = get(container, "resources");
  const units: readonly QuantityUnit[] = ["cpu", "memory"];
  return units.flatMap((unit) => {
    const requested = get(get(resources, "requests"), unit);
    const limit = get(get(resources, "limits"), unit);
    const [low, high] = [amount(requested, unit), amount(limit, unit)];
    if (low === undefined || high === undefined || low <= high) return [];
    const rule = `must be less than or equal to ${unit} limit of`;
    return [
      invalid(
        `${field}.resources.requests.${unit}`,
        `invalid value ${show(requested)}: ${rule} ${String(limit)}`,
      ),
    ];
  });
}

function amount(tree: Tree | undefined, unit: QuantityUnit): number | undefined {
  if (typeof tree !== "string" && typeof tree !== "number") return undefined;
  const read = readQuantity(String(tree), unit);
  return "value" in read ? read.value : undefined;
}
