// Rules of what a scheduler reads: a mistake there is a mistake, though nothing is scheduled here.

import { invalid } from "./flaw.ts";
import type { Flaw } from "./flaw.ts";
import { checkUnique, each, eachOf, get, getText, itemAt } from "./rules-tree.ts";
import type { Item } from "./rules-tree.ts";
import { show } from "./tree.ts";

const required = "requiredDuringSchedulingIgnoredDuringExecution";
const preferred = "preferredDuringSchedulingIgnoredDuringExecution";

export function checkScheduling(spec: Item): Flaw[] {
  return [
    ...each(spec, "tolerations").flatMap(checkToleration),
    ...checkAffinity(itemAt(spec, "affinity")),
    ...each(spec, "topologySpreadConstraints").flatMap((constraint) =>
      checkSelector(itemAt(constraint, "labelSelector")),
    ),
    ...checkUnique(each(spec, "schedulingGates"), (gate) => getText(gate, "name")),
  ];
}

function checkToleration({ tree, field }: Item): Flaw[] {
  const flaws: Flaw[] = [];
  const operator = getText(tree, "operator") ?? "Equal";
  const value = getText(tree, "value");
  if (getText(tree, "key") === undefined && operator !== "Exists") {
    const rule =
      'operator must be Exists when `key` is empty, which means "match all values and all keys"';
    flaws.push(invalid(`${field}.operator`, `invalid value ${show(operator)}: ${rule}`));
  }
  if (operator === "Exists" && value !== undefined) {
    const rule = "value must be empty when `operator` is 'Exists'";
    flaws.push(invalid(`${field}.value`, `invalid value ${show(value)}: ${rule}`));
  }
  const effect = getText(tree, "effect");
  const hasSeconds = get(tree, "tolerationSeconds") !== undefined;
  if (hasSeconds && effect !== undefined && effect !== "NoExecute") {
    const rule = "effect must be 'NoExecute' when `tolerationSeconds` is set";
    flaws.push(invalid(`${field}.effect`, `invalid value ${show(effect)}: ${rule}`));
  }
  return flaws;
}

function checkAffinity(affinity: Item | undefined): Flaw[] {
  if (!affinity) return [];
  const node = itemAt(affinity, "nodeAffinity");
  const terms = node
    ? [
        ...eachOf(itemAt(node, required), "nodeSelectorTerms"),
        ...each(node, preferred).flatMap((item) => itemAt(item, "preference") ?? []),
      ]
    : [];
  const pods = ["podAffinity", "podAntiAffinity"].flatMap((key) => itemAt(affinity, key) ?? []);
  const podTerms = pods.flatMap((item) => [
    ...each(item, required),
    ...each(item, preferred).flatMap((one) => itemAt(one, "podAffinityTerm") ?? []),
  ]);
  return [
    ...terms.flatMap((term) =>
      [...each(term, "matchExpressions"), ...each(term, "matchFields")].flatMap(checkRequirement),
    ),
    ...podTerms.flatMap((term) =>
      ["labelSelector", "namespaceSelector"].flatMap((key) => checkSelector(itemAt(term, key))),
    ),
  ];
}

export function checkSelector(selector: Item | undefined): Flaw[] {
  return eachOf(selector, "matchExpressions").flatMap(checkRequirement);
}

function checkRequirement(requirement: Item): Flaw[] {
  const { tree, field } = requirement;
  const count = each(requirement, "values").length;
  const path = `${field}.values`;
  switch (getText(tree, "operator")) {
    case "In":
    case "NotIn":
      return count > 0
        ? []
        : [invalid(path, "required value: must be specified when `operator` is 'In' or 'NotIn'")];
    case "Exists":
    case "DoesNotExist": {
      const message =
        "forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
      return count === 0 ? [] : [invalid(path, message)];
    }
    case "Gt":
    case "Lt": {
      const message =
        "required value: must be specified single value when `operator` is 'Lt' or 'Gt'";
      return count === 1 ? [] : [invalid(path, message)];
    }
    default:
      return [];
  }
}
