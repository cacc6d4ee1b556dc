// Rules of a container's variables: each has one source, and what it refers to is there.

import { invalid } from "./flaw.ts";
import type { Flaw } from "./flaw.ts";
import { each, get, getText, itemAt, present } from "./rules-tree.ts";
import type { Item } from "./rules-tree.ts";
import { checkResourceRef } from "./rules-volume.ts";
import { show } from "./tree.ts";

const sources = ["fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef"];
const tooMany = "invalid value: may not have more than one field specified at a time";

export function checkEnv(container: Item, spec: Item): Flaw[] {
  return [
    ...each(container, "env").flatMap((variable) => checkVariable(variable, spec)),
    ...each(container, "envFrom").flatMap(({ tree, field }) => {
      const found = present(tree, ["configMapRef", "secretRef"]).length;
      if (found === 1) return [];
      const none = "invalid value: must specify one of: `configMapRef` or `secretRef`";
      return [invalid(field, found === 0 ? none : tooMany)];
    }),
  ];
}

function checkVariable(variable: Item, spec: Item): Flaw[] {
  const from = itemAt(variable, "valueFrom");
  if (!from) return [];
  const found = present(from.tree, sources).length;
  if (found === 0) {
    const names = sources.map((source) => `\`${source}\``);
    const list = `${names.slice(0, -1).join(", ")} or ${names.at(-1)}`;
    return [invalid(from.field, `invalid value: must specify one of: ${list}`)];
  }
  if (getText(variable.tree, "value") !== undefined) {
    const message = "invalid value: may not be specified when `value` is not empty";
    return [invalid(from.field, message)];
  }
  if (found > 1) return [invalid(from.field, tooMany)];
  const resource = itemAt(from, "resourceFieldRef");
  const file = itemAt(from, "fileKeyRef");
  return [
    ...(resource ? checkResourceRef(resource, spec) : []),
    ...(file ? checkFileRef(file, spec) : []),
  ];
}

/** The file is written by an init container, so it has to lie where one can write. */
function checkFileRef({ tree, field }: Item, spec: Item): Flaw[] {
  const name = getText(tree, "volumeName");
  if (name === undefined) return [];
  const path = `${field}.volumeName`;
  const volume = each(spec, "volumes").find((one) => get(one.tree, "name") === name);
  if (!volume) return [invalid(path, `not found: ${show(name)}`)];
  const others = Object.keys(volume.tree ?? {}).filter(
    (key) => !["name", "emptyDir"].includes(key) && get(volume.tree, key) !== undefined,
  );
  if (others.length === 0) return [];
  return [invalid(path, `invalid value ${show(name)}: the volume must be an emptyDir`)];
}
