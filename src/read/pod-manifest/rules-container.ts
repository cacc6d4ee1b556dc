// Rules of containers: unique names, ports that do not meet, mounts that have a volume.

import { invalid } from "./flaw.ts";
import type { Flaw } from "./flaw.ts";
import { checkEnv } from "./rules-env.ts";
import { checkLife } from "./rules-life.ts";
import { checkResources } from "./rules-resources.ts";
import { checkUnique, each, get, getNumber, getText } from "./rules-tree.ts";
import type { Item } from "./rules-tree.ts";
import { cleanGuestPath } from "./text.ts";
import { fieldOf, show } from "./tree.ts";

export function checkContainers(spec: Item): Flaw[] {
  const init = each(spec, "initContainers");
  const regular = each(spec, "containers");
  const all = [...init, ...regular];
  return [
    ...checkUnique(all, (container) => getText(container, "name")),
    ...all.flatMap((container) => [
      ...checkResources(container),
      ...checkUnique(each(container, "ports"), (port) => getText(port, "name")),
      ...checkMounts(container, spec),
      ...checkEnv(container, spec),
      ...checkLife(container, spec),
    ]),
    ...checkHostPorts(init, regular, spec),
  ];
}

function checkMounts(container: Item, spec: Item): Flaw[] {
  const volumes = new Set(each(spec, "volumes").map(({ tree }) => get(tree, "name")));
  const mounts = each(container, "volumeMounts");
  const path = (mount: Item["tree"]) => {
    const text = getText(mount, "mountPath");
    return text === undefined ? undefined : cleanGuestPath(text);
  };
  return [
    ...mounts.flatMap((mount) => {
      const name = getText(mount.tree, "name");
      const isKnown = name === undefined || volumes.has(name);
      const missing = isKnown
        ? []
        : [invalid(fieldOf(mount.field, "name"), `not found: ${show(name)}`)];
      return [...missing, ...checkMount(mount, container)];
    }),
    ...checkUnique(
      mounts,
      path,
      "mountPath",
      (value) => `invalid value ${show(value)}: must be unique`,
    ),
  ];
}

function checkMount({ tree, field }: Item, container: Item): Flaw[] {
  const flaws: Flaw[] = [];
  const forbid = (key: string, why: string) =>
    flaws.push(invalid(fieldOf(field, key), `forbidden: ${why}`));
  const propagation = getText(tree, "mountPropagation") ?? "None";
  const recursive = getText(tree, "recursiveReadOnly") ?? "Disabled";
  if (getText(tree, "subPath") !== undefined && getText(tree, "subPathExpr") !== undefined) {
    forbid("subPathExpr", "subPathExpr and subPath are mutually exclusive");
  }
  const isPrivileged = get(get(container.tree, "securityContext"), "privileged") === true;
  if (propagation === "Bidirectional" && !isPrivileged) {
    forbid(
      "mountPropagation",
      "Bidirectional mount propagation is available only to privileged containers",
    );
  }
  if (recursive === "Disabled") return flaws;
  if (get(tree, "readOnly") !== true) {
    forbid("recursiveReadOnly", "may only be specified when readOnly is true");
  }
  if (propagation !== "None") {
    const why = "may only be specified when mountPropagation is None or not specified";
    forbid("recursiveReadOnly", why);
  }
  return flaws;
}

/** Init containers run one by one, but sidecars stay, so all count together. */
function checkHostPorts(init: readonly Item[], regular: readonly Item[], spec: Item): Flaw[] {
  const isHostNetwork = get(spec.tree, "hostNetwork") === true;
  const staying = init.filter(({ tree }) => get(tree, "restartPolicy") === "Always");
  const ports = [...staying, ...regular].flatMap((container) => each(container, "ports"));
  const flaws = [...init, ...regular]
    .flatMap((container) => each(container, "ports"))
    .flatMap(({ tree, field }) => {
      const hostPort = getNumber(tree, "hostPort");
      if (!isHostNetwork || !hostPort || hostPort === get(tree, "containerPort")) return [];
      const message = "must match `hostPort` when `hostNetwork` is true";
      const value = show(get(tree, "containerPort"));
      return [invalid(fieldOf(field, "containerPort"), `invalid value ${value}: ${message}`)];
    });
  const place = (port: Item["tree"]) => {
    const number =
      getNumber(port, "hostPort") || (isHostNetwork ? getNumber(port, "containerPort") : 0);
    if (!number) return undefined;
    return `${getText(port, "protocol") ?? "TCP"}/${getText(port, "hostIP") ?? ""}/${number}`;
  };
  return [...flaws, ...checkUnique(ports, place, isHostNetwork ? "containerPort" : "hostPort")];
}
