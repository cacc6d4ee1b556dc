// What Kubernetes demands of fields together: names that are unique, mounts that have a volume,
// flags that exclude each other. Works on the tree as it was written, so that one mistake does not
// hide another.

import { checkBandwidth } from "./bandwidth.ts";
import { invalid } from "./flaw.ts";
import type { Flaw } from "./flaw.ts";
import { checkContainers } from "./rules-container.ts";
import { checkPodResources } from "./rules-resources.ts";
import { checkScheduling } from "./rules-scheduling.ts";
import { checkSecurity } from "./rules-security.ts";
import { each, get, getText } from "./rules-tree.ts";
import type { Item } from "./rules-tree.ts";
import { checkVolumes } from "./rules-volume.ts";
import { checkLabelValue, checkQualifiedName } from "./text.ts";
import { fieldOf, isMap, show } from "./tree.ts";
import type { Tree } from "./tree.ts";

const annotationBytesMax = 256 * 1024;
const labelsMax = 1000;
/** What a resolver of the libc reads. */
const searchCharactersMax = 2048;

export function checkRules(pod: Tree): readonly Flaw[] {
  return [
    ...checkPodMetadata({ tree: get(pod, "metadata") ?? {}, field: "metadata" }),
    ...checkPodSpec({ tree: get(pod, "spec") ?? {}, field: "spec" }),
  ];
}

/** Of what becomes a pod. */
export function checkPodMetadata(item: Item): Flaw[] {
  return [...checkMetadata(item), ...checkBandwidth(item)];
}

export function checkMetadata({ tree, field }: Item): Flaw[] {
  return [
    ...checkLabels(get(tree, "labels"), fieldOf(field, "labels")),
    ...checkAnnotations(get(tree, "annotations"), fieldOf(field, "annotations")),
  ];
}

export function checkPodSpec(spec: Item): Flaw[] {
  return [
    ...checkNamespaces(spec),
    ...checkNames(spec),
    ...checkSystem(spec),
    ...checkVolumes(spec),
    ...checkContainers(spec),
    ...checkPodResources(spec),
    ...checkScheduling(spec),
    ...checkSecurity(spec),
  ];
}

export function checkLabels(labels: Tree | undefined, field: string): Flaw[] {
  if (!isMap(labels)) return [];
  if (Object.keys(labels).length > labelsMax) {
    return [invalid(field, `too many: must have at most ${labelsMax} items`)];
  }
  return Object.entries(labels).flatMap(([key, value]) => {
    const path = fieldOf(field, key);
    const name = checkQualifiedName(key);
    const problem = typeof value === "string" ? checkLabelValue(value) : undefined;
    return [
      ...(name === undefined ? [] : [invalid(path, `invalid key ${show(key)}: ${name}`)]),
      ...(problem === undefined ? [] : [invalid(path, `invalid value ${show(value)}: ${problem}`)]),
    ];
  });
}

function checkAnnotations(annotations: Tree | undefined, field: string): Flaw[] {
  if (!isMap(annotations)) return [];
  const flaws = Object.keys(annotations).flatMap((key) => {
    // Unlike keys of labels these may be written in upper case.
    const name = checkQualifiedName(key.toLowerCase());
    return name === undefined
      ? []
      : [invalid(fieldOf(field, key), `invalid key ${show(key)}: ${name}`)];
  });
  const bytes = Object.entries(annotations)
    .map(([key, value]) => Buffer.byteLength(key) + Buffer.byteLength(String(value ?? "")))
    .reduce((sum, size) => sum + size, 0);
  if (bytes <= annotationBytesMax) return flaws;
  return [...flaws, invalid(field, `too long: may not be more than ${annotationBytesMax} bytes`)];
}

function checkNamespaces({ tree, field }: Item): Flaw[] {
  const isTrue = (key: string) => get(tree, key) === true;
  const flaws: Flaw[] = [];
  if (isTrue("hostPID") && isTrue("shareProcessNamespace")) {
    const message = "invalid value true: ShareProcessNamespace and HostPID cannot both be enabled";
    flaws.push(invalid(`${field}.shareProcessNamespace`, message));
  }
  if (get(tree, "hostUsers") !== false) return flaws;
  const host = ["hostNetwork", "hostPID", "hostIPC"].filter(isTrue);
  return [
    ...flaws,
    ...host.map((key) => invalid(`${field}.${key}`, "forbidden: when `hostUsers` is false")),
  ];
}

/** Host names and resolv.conf. */
function checkNames(spec: Item): Flaw[] {
  const { tree, field } = spec;
  const flaws: Flaw[] = [];
  if (getText(tree, "hostnameOverride") !== undefined) {
    const excluded = ["hostNetwork", "setHostnameAsFQDN"].filter((key) => get(tree, key) === true);
    for (const key of excluded) {
      const message = `forbidden: may not be set when \`${key}\` is true`;
      flaws.push(invalid(`${field}.hostnameOverride`, message));
    }
  }
  const config: Item = { tree: get(tree, "dnsConfig") ?? {}, field: `${field}.dnsConfig` };
  if (get(tree, "dnsPolicy") === "None" && each(config, "nameservers").length === 0) {
    const message =
      "required value: must provide at least one DNS nameserver when `dnsPolicy` is None";
    flaws.push(invalid(`${config.field}.nameservers`, message));
  }
  const searches = each(config, "searches").map((item) => String(item.tree));
  if (searches.join(" ").length > searchCharactersMax) {
    const rule = `must not have more than ${searchCharactersMax} characters (including spaces) in the search list`;
    flaws.push(invalid(`${config.field}.searches`, `too long: ${rule}`));
  }
  for (const alias of each(spec, "hostAliases")) {
    if (get(alias.tree, "ip") === "") flaws.push(invalid(`${alias.field}.ip`, "required value"));
  }
  return flaws;
}

function checkSystem({ tree, field }: Item): Flaw[] {
  if (get(get(tree, "os"), "name") !== "windows") return [];
  const message = "peapod runs on Linux only";
  return [{ code: "manifest.unsupported-field", field: `${field}.os.name`, message }];
}
