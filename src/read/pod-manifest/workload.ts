// Workloads → the pods that their template makes, each with a name that stays: NAME-0, NAME-1 …

import type { Origin } from "../../errors/pod-error.ts";
import type { WorkloadRef } from "../../spec/pod-spec.ts";
import type { ManifestObject } from "./document.ts";
import { invalid } from "./flaw.ts";
import type { Flaw } from "./flaw.ts";
import { checkLabels, checkMetadata, checkPodMetadata, checkPodSpec } from "./rules.ts";
import { checkSelector } from "./rules-scheduling.ts";
import { checkUnique, each, get, getNumber, getText, itemAt } from "./rules-tree.ts";
import type { Item } from "./rules-tree.ts";
import { fieldOf, isMap, show } from "./tree.ts";
import type { Tree, TreeMap } from "./tree.ts";

/** A pod of a template, as if somebody had written it, with the places of the template's fields. */
export interface TemplatePod extends ManifestObject {
  readonly workload: WorkloadRef;
}

export function checkWorkload(tree: Tree, kind: string): Flaw[] {
  const spec: Item = { tree: get(tree, "spec") ?? {}, field: "spec" };
  const template: Item = { tree: get(spec.tree, "template") ?? {}, field: "spec.template" };
  const metadata = itemAt(template, "metadata");
  const body = itemAt(template, "spec");
  return [
    ...checkMetadata({ tree: get(tree, "metadata") ?? {}, field: "metadata" }),
    ...(metadata ? checkPodMetadata(metadata) : []),
    ...(body ? checkPodSpec({ ...body, tree: withClaims(body.tree, spec.tree, "x") }) : []),
    ...(body ? checkRestartPolicy(body, kind) : []),
    ...(kind === "Job" ? [] : checkSelection(spec, metadata)),
    ...checkUnique(
      each(spec, "volumeClaimTemplates"),
      (claim) => getText(get(claim, "metadata"), "name"),
      "metadata.name",
    ),
  ];
}

/** A pod of a workload that ended would be made anew, so only Job has other policies. */
function checkRestartPolicy(body: Item, kind: string): Flaw[] {
  const policy = get(body.tree, "restartPolicy");
  const allowed = kind === "Job" ? ["Never", "OnFailure"] : ["Always"];
  const isMissing = policy === undefined && kind !== "Job";
  if (isMissing || (typeof policy === "string" && allowed.includes(policy))) return [];
  const path = fieldOf(body.field, "restartPolicy");
  if (policy === undefined) return [invalid(path, `required value: ${allowed.join(" or ")}`)];
  const values = allowed.map(show).join(", ");
  return [invalid(path, `unsupported value ${show(policy)}: supported values: ${values}`)];
}

function checkSelection(spec: Item, metadata: Item | undefined): Flaw[] {
  const selector = itemAt(spec, "selector");
  const flaws = checkSelector(selector);
  if (!selector || !isMap(selector.tree) || flaws.length > 0) return flaws;
  const labels = get(metadata?.tree, "labels");
  const wanted = get(selector.tree, "matchLabels");
  const expressions = each(selector, "matchExpressions");
  const selects =
    Object.entries(isMap(wanted) ? wanted : {}).every(
      ([key, value]) => get(labels, key) === value,
    ) && expressions.every((expression) => matches(expression, labels));
  const isEmpty = Object.keys(isMap(wanted) ? wanted : {}).length + expressions.length === 0;
  if (isEmpty) {
    const message = "invalid value: empty selector is invalid for this kind";
    return [
      ...checkLabels(wanted, `${selector.field}.matchLabels`),
      invalid(selector.field, message),
    ];
  }
  if (selects) return checkLabels(wanted, `${selector.field}.matchLabels`);
  const message = "invalid value: `selector` does not match template `labels`";
  return [invalid("spec.template.metadata.labels", message)];
}

function matches(expression: Item, labels: Tree | undefined): boolean {
  const key = getText(expression.tree, "key") ?? "";
  const value = get(labels, key);
  const isListed = each(expression, "values").some(({ tree }) => tree === value);
  switch (getText(expression.tree, "operator")) {
    case "In":
      return isListed;
    case "NotIn":
      return !isListed;
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
    default:
      // It has been complained about.
      return true;
  }
}

/** Of a workload that was found to be right. */
export function podsOf({ tree, origins }: ManifestObject, kind: string): TemplatePod[] {
  const spec = get(tree, "spec");
  const first = getNumber(get(spec, "ordinals"), "start") ?? 0;
  const count = kind === "DaemonSet" ? 1 : (getNumber(spec, "replicas") ?? 1);
  const places = placesOf(origins);
  return Array.from({ length: count }, (_, place) => {
    const index = first + place;
    const name = `${getText(get(tree, "metadata"), "name") ?? ""}-${index}`;
    const isStateful = kind === "StatefulSet";
    const labels = isStateful
      ? {
          "statefulset.kubernetes.io/pod-name": name,
          "apps.kubernetes.io/pod-index": String(index),
        }
      : {};
    const pod = podTree(tree, name, labels);
    return {
      tree: isStateful ? withIdentity(pod, spec, name) : pod,
      origins: places,
      workload: { kind: kind as WorkloadRef["kind"], name: nameOf(tree), index },
    };
  });
}

export function nameOf(tree: Tree): string {
  return getText(get(tree, "metadata"), "name") ?? "";
}

/** The fields of the template's pod, in the words of a Pod. */
export function placesOf(origins: ManifestObject["origins"]): Map<string, Origin> {
  const prefix = "spec.template.";
  const places = new Map<string, Origin>();
  for (const [path, origin] of origins) {
    if (path.startsWith(prefix)) places.set(path.slice(prefix.length), origin);
    if (path === "" || path === "metadata.name" || path === "metadata.namespace") {
      places.set(path, origin);
    }
  }
  return places;
}

export function podTree(
  workload: Tree,
  name: string,
  labels: Readonly<Record<string, string>>,
  annotations: Readonly<Record<string, string>> = {},
): TreeMap {
  const metadata = get(workload, "metadata");
  const template = get(get(workload, "spec"), "template");
  const own = get(template, "metadata");
  const namespace = getText(metadata, "namespace");
  const merged = (key: string, more: Readonly<Record<string, string>>) => {
    const written = get(own, key);
    const all = { ...(isMap(written) ? written : {}), ...more };
    return Object.keys(all).length > 0 ? { [key]: all } : {};
  };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      ...(namespace !== undefined && { namespace }),
      ...merged("labels", labels),
      ...merged("annotations", annotations),
    },
    spec: get(template, "spec") ?? {},
  };
}

/** A pod of a StatefulSet has its name for a host name, and claims of its own. */
function withIdentity(pod: TreeMap, workload: Tree | undefined, name: string): TreeMap {
  const body = withClaims(pod.spec ?? {}, workload, name);
  const subdomain = getText(workload, "serviceName");
  const names = { hostname: name, ...(subdomain !== undefined && { subdomain }) };
  return { ...pod, spec: isMap(body) ? { ...body, ...names } : body };
}

/** A claim's volume stands in the place of one of the same name. */
function withClaims(body: Tree, workload: Tree | undefined, pod: string): Tree {
  const claims = claimNames(workload);
  if (!isMap(body) || claims.length === 0) return body;
  const kept = each({ tree: body, field: "" }, "volumes")
    .map(({ tree }) => tree)
    .filter((volume) => !claims.includes(getText(volume, "name") ?? ""));
  const volumes = claims.map((name) => ({
    name,
    persistentVolumeClaim: { claimName: `${name}-${pod}` },
  }));
  return { ...body, volumes: [...kept, ...volumes] };
}

function claimNames(workload: Tree | undefined): string[] {
  return each({ tree: workload ?? {}, field: "" }, "volumeClaimTemplates").flatMap(
    ({ tree }) => getText(get(tree, "metadata"), "name") ?? [],
  );
}

/** The claims that the pods of a StatefulSet bring along, as objects of their own. */
export function claimsOf(workload: Tree, pods: readonly TemplatePod[]): TreeMap[] {
  const templates = each({ tree: get(workload, "spec") ?? {}, field: "" }, "volumeClaimTemplates");
  return pods.flatMap(({ tree: pod }) =>
    templates.map(({ tree: template }) => ({
      metadata: { name: `${nameOf(template)}-${nameOf(pod)}` },
      spec: get(template, "spec") ?? {},
    })),
  );
}
