// What Kubernetes demands of the fields of security contexts together.

import { dotted } from "./build-security.ts";
import { invalid } from "./flaw.ts";
import type { Flaw } from "./flaw.ts";
import { each, get } from "./rules-tree.ts";
import type { Item } from "./rules-tree.ts";
import { fieldOf, isMap, show } from "./tree.ts";
import type { Tree } from "./tree.ts";

const sysctlName = /^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$/;
const sysctlBytesMax = 253;
const ipcSysctl = /^(kernel\.(msg|shm)[a-z_]*|kernel\.sem|fs\.mqueue\..*)$/;

export function checkSecurity(spec: Item): Flaw[] {
  const own = contextOf(spec);
  const contexts = ["initContainers", "containers"]
    .flatMap((key) => each(spec, key))
    .map(contextOf);
  return [
    ...checkProfiles(own),
    ...checkSysctls(own, spec.tree),
    ...checkDevices(spec),
    ...contexts.flatMap((context) => [
      ...checkProfiles(context),
      ...checkEscalation(context),
      ...checkProcMount(context, spec.tree),
    ]),
  ];
}

const deviceName =
  /^[A-Za-z]([\w.-]*[A-Za-z0-9])?\/[A-Za-z]([\w-]*[A-Za-z0-9])?=[A-Za-z0-9]([\w.:-]*[A-Za-z0-9])?$/;

/** Named in the limits of a container, and nowhere else. */
function checkDevices(spec: Item): Flaw[] {
  const containers = ["initContainers", "containers"].flatMap((key) => each(spec, key));
  const namesIn = ({ tree, field }: Item, list: string): Item[] => {
    const found = get(get(tree, "resources"), list);
    const keys = isMap(found) ? Object.keys(found).filter((key) => key.includes("=")) : [];
    return keys.map((key) => ({ tree: key, field: fieldOf(`${field}.resources.${list}`, key) }));
  };
  const misplaced = [
    ...["limits", "requests"].flatMap((list) => namesIn(spec, list)),
    ...containers.flatMap((container) => namesIn(container, "requests")),
  ];
  const wrong = containers
    .flatMap((container) => namesIn(container, "limits"))
    .filter(({ tree }) => !deviceName.test(String(tree)));
  return [
    ...misplaced.map(({ field }) =>
      invalid(field, "a device belongs in the limits of a container"),
    ),
    ...wrong.map(({ field }) => invalid(field, "is no device: vendor.com/class=name")),
  ];
}

function contextOf({ tree, field }: Item): Item {
  return { tree: get(tree, "securityContext") ?? {}, field: fieldOf(field, "securityContext") };
}

function checkProfiles({ tree, field }: Item): Flaw[] {
  return [
    ...checkProfile(get(tree, "seccompProfile"), `${field}.seccompProfile`, "seccomp"),
    ...checkProfile(get(tree, "appArmorProfile"), `${field}.appArmorProfile`, "AppArmor"),
  ];
}

function checkProfile(profile: Tree | undefined, field: string, kind: string): Flaw[] {
  if (!isMap(profile)) return [];
  const place = `${field}.localhostProfile`;
  const name = get(profile, "localhostProfile");
  if (get(profile, "type") !== "Localhost") {
    if (name === undefined) return [];
    const rule = `can only be set when ${kind} type is Localhost`;
    return [invalid(place, `invalid value ${show(name)}: ${rule}`)];
  }
  if (typeof name !== "string" || name.trim() === "") {
    return [invalid(place, `required value: must be set when ${kind} type is Localhost`)];
  }
  const problem = kind === "seccomp" ? checkPath(name) : checkName(name);
  return problem === undefined ? [] : [invalid(place, `invalid value ${show(name)}: ${problem}`)];
}

function checkPath(path: string): string | undefined {
  if (path.startsWith("/")) return "must be a relative path";
  return path.split("/").includes("..") ? "must not contain '..'" : undefined;
}

/** It is written into a file of the kernel's, behind a word. */
function checkName(name: string): string | undefined {
  if (name !== name.trim()) return "must not be padded with whitespace";
  return /[\p{Cc}]/u.test(name) ? "must not contain control characters" : undefined;
}

function checkEscalation({ tree, field }: Item): Flaw[] {
  if (get(tree, "allowPrivilegeEscalation") !== false) return [];
  const place = `${field}.allowPrivilegeEscalation`;
  const refuse = (what: string) =>
    invalid(place, `invalid value false: cannot set to false and ${what}`);
  const add = get(get(tree, "capabilities"), "add");
  const isAdministrator =
    Array.isArray(add) && add.some((name) => /^((CAP_)?SYS_ADMIN|ALL)$/i.test(String(name)));
  return [
    ...(get(tree, "privileged") === true ? [refuse("`privileged` to true")] : []),
    ...(isAdministrator ? [refuse("`capabilities.add` CAP_SYS_ADMIN")] : []),
  ];
}

function checkProcMount({ tree, field }: Item, spec: Tree): Flaw[] {
  if (get(tree, "procMount") !== "Unmasked" || get(spec, "hostUsers") === false) return [];
  const rule = "`hostUsers` must be false to use `Unmasked`";
  return [invalid(`${field}.procMount`, `invalid value "Unmasked": ${rule}`)];
}

function checkSysctls(context: Item, spec: Tree): Flaw[] {
  const seen = new Set<string>();
  return each(context, "sysctls").flatMap(({ tree, field }) => {
    const name = get(tree, "name");
    if (typeof name !== "string") return [];
    const key = dotted(name);
    const isNew = !seen.has(key);
    seen.add(key);
    const problem = isNew ? checkSysctl(key, name, spec) : undefined;
    return [
      ...(isNew ? [] : [invalid(`${field}.name`, `duplicate value: ${show(name)}`)]),
      ...(problem === undefined ? [] : [invalid(`${field}.name`, problem)]),
      ...checkSysctlValue(get(tree, "value"), `${field}.value`),
    ];
  });
}

function checkSysctl(key: string, name: string, spec: Tree): string | undefined {
  if (name === "") return "required value";
  if (name.length > sysctlBytesMax) return `must be no more than ${sysctlBytesMax} bytes`;
  if (!sysctlName.test(name)) {
    return `invalid value ${show(name)}: must be words of lower case letters, digits, '-' and '_', joined by '.' or '/'`;
  }
  const refuse = (flag: string) =>
    `invalid value ${show(name)}: may not be specified when '${flag}' is true`;
  if (key.startsWith("net.") && get(spec, "hostNetwork") === true) return refuse("hostNetwork");
  return ipcSysctl.test(key) && get(spec, "hostIPC") === true ? refuse("hostIPC") : undefined;
}

/** One value of one file: a line's end would be a second one to whoever reads it by lines. */
function checkSysctlValue(value: Tree | undefined, field: string): Flaw[] {
  if (typeof value !== "string" || !/[\p{Cc}]/u.test(value.replaceAll("\t", ""))) return [];
  return [invalid(field, `invalid value ${show(value)}: must not contain control characters`)];
}
