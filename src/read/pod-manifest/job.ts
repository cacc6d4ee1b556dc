// A Job of a manifest → its spec, and the pods that it may make.

import type { FailureRule, JobSpec, SuccessRule } from "../../spec/job-spec.ts";
import type { ObjectTable } from "../../spec/objects.ts";
import type { PodSpec } from "../../spec/pod-spec.ts";
import { originOf } from "../../spec/pod-spec.ts";
import type { ManifestObject } from "./document.ts";
import { invalid } from "./flaw.ts";
import type { Flaw } from "./flaw.ts";
import { readPod } from "./read-pod.ts";
import type { ReadPodOptions } from "./read-pod.ts";
import { each, get, getNumber, getText, itemAt, present } from "./rules-tree.ts";
import type { Item } from "./rules-tree.ts";
import { checkDnsLabel } from "./text.ts";
import { isMap, show } from "./tree.ts";
import type { Tree, TreeMap } from "./tree.ts";
import { nameOf, placesOf, podTree } from "./workload.ts";

/** More pods at a time than a machine starts in good time; a mistake, or a cluster's Job. */
const parallelismMax = 1000;
/** What an Indexed Job may count to. */
const completionsMax = 100_000;
const indexKey = "batch.kubernetes.io/job-completion-index";

export function checkJob(tree: Tree): Flaw[] {
  const spec: Item = { tree: get(tree, "spec") ?? {}, field: "spec" };
  const flaws: Flaw[] = [];
  const refuse = (key: string, message: string) => flaws.push(invalid(`spec.${key}`, message));
  const isIndexed = getText(spec.tree, "completionMode") === "Indexed";
  const completions = getNumber(spec.tree, "completions");
  if ((getNumber(spec.tree, "parallelism") ?? 1) > parallelismMax) {
    refuse("parallelism", `too many: must be at most ${parallelismMax}`);
  }
  if (isIndexed && completions === undefined) {
    refuse("completions", "required value: when completion mode is Indexed");
  }
  if (isIndexed && (completions ?? 0) > completionsMax) {
    refuse("completions", `too many: must be at most ${completionsMax}`);
  }
  const longest = `${nameOf(tree)}-${Math.max((completions ?? 1) - 1, 0)}`;
  const problem = isIndexed ? checkDnsLabel(longest) : undefined;
  if (problem !== undefined) {
    flaws.push(invalid("metadata.name", `invalid value ${show(longest)}: ${problem}`));
  }
  const ofIndexes = isIndexed ? [] : ["backoffLimitPerIndex", "maxFailedIndexes", "successPolicy"];
  for (const key of present(spec.tree, ofIndexes)) {
    refuse(key, "forbidden: requires indexed completion mode");
  }
  const perIndex = getNumber(spec.tree, "backoffLimitPerIndex");
  if (getNumber(spec.tree, "maxFailedIndexes") !== undefined && perIndex === undefined) {
    refuse("backoffLimitPerIndex", "required value: when maxFailedIndexes is specified");
  }
  return [...flaws, ...checkFailurePolicy(spec, perIndex !== undefined)];
}

function checkFailurePolicy(spec: Item, isPerIndex: boolean): Flaw[] {
  const policy = itemAt(spec, "podFailurePolicy");
  if (!policy) return [];
  const body = get(get(spec.tree, "template"), "spec");
  const flaws = each(policy, "rules").flatMap(({ tree, field }) => {
    const found = present(tree, ["onExitCodes", "onPodConditions"]).length;
    const one = "specifying one of OnExitCodes and OnPodConditions is required";
    const both = "specifying both OnExitCodes and OnPodConditions is not supported";
    const rules = [
      ...(found === 1 ? [] : [invalid(field, `invalid value: ${found === 0 ? one : both}`)]),
      ...checkRule({ tree, field }, body),
    ];
    if (get(tree, "action") !== "FailIndex" || isPerIndex) return rules;
    const message = "forbidden: requires the backoffLimitPerIndex field to be set";
    return [...rules, invalid(`${field}.action`, message)];
  });
  if (getText(body, "restartPolicy") === "Never") return flaws;
  const message = `invalid value ${show(get(body, "restartPolicy") ?? "")}: only "Never" is supported when podFailurePolicy is specified`;
  return [...flaws, invalid("spec.template.spec.restartPolicy", message)];
}

function checkRule(rule: Item, body: Tree | undefined): Flaw[] {
  const codes = itemAt(rule, "onExitCodes");
  if (!codes) return [];
  const flaws: Flaw[] = [];
  const name = getText(codes.tree, "containerName");
  const pod: Item = { tree: body ?? {}, field: "" };
  const containers = [...each(pod, "initContainers"), ...each(pod, "containers")];
  if (name !== undefined && !containers.some(({ tree }) => get(tree, "name") === name)) {
    const message = `invalid value ${show(name)}: must be one of the container or initContainer names in the pod template`;
    flaws.push(invalid(`${codes.field}.containerName`, message));
  }
  const hasZero = each(codes, "values").some(({ tree }) => tree === 0);
  if (hasZero && get(codes.tree, "operator") === "In") {
    const message = 'invalid value 0: must not be 0 for the "In" operator';
    flaws.push(invalid(`${codes.field}.values`, message));
  }
  return flaws;
}

interface JobSource {
  readonly object: ManifestObject;
  readonly namespace: string;
  readonly objects: ObjectTable;
  readonly options: ReadPodOptions;
}

/** Of a Job that was found to be right; its first pod may still lack objects that it names. */
export function readJob(source: JobSource): { readonly job: JobSpec } | { flaws: readonly Flaw[] } {
  const { tree, origins } = source.object;
  const spec = get(tree, "spec");
  const isIndexed = getText(spec, "completionMode") === "Indexed";
  const first = podSource(source, 0, isIndexed ? 0 : undefined);
  if ("flaws" in first) return first;
  const number = (key: string) => getNumber(spec, key);
  const perIndex = number("backoffLimitPerIndex");
  const completions = number("completions");
  const parallelism = number("parallelism");
  const deadline = number("activeDeadlineSeconds");
  const maxFailed = number("maxFailedIndexes");
  // Both left out mean one pod; with parallelism alone the Job is a work queue.
  const wanted = completions ?? (parallelism === undefined ? 1 : undefined);
  return {
    job: {
      name: nameOf(tree),
      namespace: source.namespace,
      origin: originOf({ origins }, "metadata.name"),
      parallelism: parallelism ?? 1,
      ...(wanted !== undefined && { completions: wanted }),
      isIndexed,
      backoffLimit: number("backoffLimit") ?? (perIndex === undefined ? 6 : Infinity),
      ...(perIndex !== undefined && { backoffLimitPerIndex: perIndex }),
      ...(maxFailed !== undefined && { maxFailedIndexes: maxFailed }),
      ...(deadline !== undefined && { activeDeadlineMs: deadline * 1000 }),
      failureRules: each(policyOf(spec, "podFailurePolicy"), "rules").map(failureRule),
      successRules: each(policyOf(spec, "successPolicy"), "rules").map(successRule),
      isSuspended: get(spec, "suspend") === true,
      restartsInPlace: first.spec.restartPolicy === "OnFailure",
      podFor: (serial, index) => {
        const read = podSource(source, serial, index);
        if ("spec" in read) return read.spec;
        throw new Error(`a pod of Job ${nameOf(tree)} is unlike its first`);
      },
    },
  };
}

function policyOf(spec: Tree | undefined, key: string): Item {
  return { tree: get(spec, key) ?? {}, field: "" };
}

/** Pods that are tried again have a name of their own: those before them stay for their logs. */
function podSource(
  { object, objects, options }: JobSource,
  serial: number,
  index: number | undefined,
): { readonly spec: PodSpec } | { readonly flaws: readonly Flaw[] } {
  const { tree, origins } = object;
  const job = nameOf(tree);
  const labels = { "batch.kubernetes.io/job-name": job, "job-name": job };
  const place = index === undefined ? undefined : { [indexKey]: String(index) };
  const name = index === undefined ? `${job}-${serial}` : `${job}-${index}-${serial}`;
  const pod = podTree(tree, name, { ...labels, ...place }, place);
  const named = index === undefined ? pod : withIndex(pod, `${job}-${index}`);
  const workload = { kind: "Job", name: job, index: index ?? serial } as const;
  const source = { tree: named, origins: placesOf(origins), workload };
  return readPod(source, objects, options);
}

/** The pod's processes are told their index, and it is part of the host name. */
function withIndex(pod: TreeMap, hostname: string): TreeMap {
  const body = isMap(pod.spec) ? pod.spec : {};
  const variable = {
    name: "JOB_COMPLETION_INDEX",
    valueFrom: { fieldRef: { fieldPath: `metadata.annotations['${indexKey}']` } },
  };
  const lists = ["initContainers", "containers"].flatMap((key): [string, Tree][] => {
    const list = each({ tree: body, field: "" }, key);
    const named = list.map(({ tree }) => {
      const env = each({ tree, field: "" }, "env").map((entry) => entry.tree);
      const isNamed = env.some((entry) => get(entry, "name") === variable.name);
      return isMap(tree) && !isNamed ? { ...tree, env: [...env, variable] } : tree;
    });
    return list.length > 0 ? [[key, named]] : [];
  });
  const own = getText(body, "hostname");
  return { ...pod, spec: { ...body, hostname: own ?? hostname, ...Object.fromEntries(lists) } };
}

function failureRule({ tree, field }: Item): FailureRule {
  const codes = itemAt({ tree, field }, "onExitCodes");
  const container = getText(codes?.tree, "containerName");
  const conditions = each({ tree, field }, "onPodConditions");
  return {
    // Checked by the schema, as is the operator.
    action: getText(tree, "action") as FailureRule["action"],
    ...(codes && {
      exitCodes: {
        ...(container !== undefined && { container }),
        operator: getText(codes.tree, "operator") as "In" | "NotIn",
        values: each(codes, "values").map((value) => Number(value.tree)),
      },
    }),
    conditions: conditions.map((condition) => ({
      type: getText(condition.tree, "type") ?? "",
      status: getText(condition.tree, "status") ?? "True",
    })),
  };
}

function successRule({ tree }: Item): SuccessRule {
  const indexes = getText(tree, "succeededIndexes");
  const count = getNumber(tree, "succeededCount");
  return {
    ...(indexes !== undefined && { indexes: new Set(indexes.split(",").flatMap(numbersOf)) }),
    ...(count !== undefined && { count }),
  };
}

/** `2-4` → 2, 3, 4. */
function numbersOf(range: string): number[] {
  const [first = 0, last = first] = range.split("-").map(Number);
  const end = Math.min(last, completionsMax);
  return Array.from({ length: Math.max(end - first + 1, 0) }, (_, place) => first + place);
}
