// Which pods a command is about: by name, by label, or all of them.

import type { Peapod } from "../open.ts";
import type { BrokenPod, Pod } from "../pod/types.ts";
import { withoutKindPrefix } from "./aliases.ts";
import type { FlagTable } from "./flags.ts";
import { usageError } from "./flags.ts";
import { podObject } from "./pod-object.ts";
import type { Selector } from "./selector.ts";
import { parseSelector } from "./selector.ts";

export const namespaceFlag = {
  namespace: {
    kind: "text",
    short: "n",
    value: "NAMESPACE",
    help: "of pods that are named without one (default: default)",
  },
} as const satisfies FlagTable;

const selectorFlag = {
  kind: "text",
  short: "l",
  aliases: ["label"],
  value: "SELECTOR",
  help: "pods with these labels: app=web, tier!=db, env in (a,b), owner, !old",
} as const;

/** Of commands that list pods: no name means all. */
export const listFlags = {
  namespace: { ...namespaceFlag.namespace, help: "only pods of this namespace" },
  selector: { ...selectorFlag, help: `only ${selectorFlag.help}` },
} as const satisfies FlagTable;

/** Of commands that do something to several pods: no name is an error. */
export const selectFlags = {
  namespace: { ...namespaceFlag.namespace, help: "of pods named without one; with -l only of it" },
  selector: selectorFlag,
  all: { kind: "switch", short: "a", help: "all pods, or with -n all of that namespace" },
} as const satisfies FlagTable;

export interface Selection {
  readonly namespace: string | undefined;
  readonly selector: string | undefined;
  readonly all?: boolean;
}

/** `web` in the namespace `team` is `team/web`; what names its namespace keeps it. */
export function qualify(name: string, namespace: string | undefined): string {
  const own = withoutKindPrefix(name);
  return namespace === undefined || own.includes("/") ? own : `${namespace}/${own}`;
}

/** The one pod that a command is about. */
export function getPod(
  peapod: Peapod,
  name: string,
  { namespace }: { readonly namespace: string | undefined },
): Promise<Pod> {
  return peapod.get(qualify(name, namespace));
}

/** All that fit. A pod that cannot be opened has no labels, and is among all of a namespace. */
export async function listPods(
  peapod: Peapod,
  { namespace, selector }: Selection,
): Promise<readonly (Pod | BrokenPod)[]> {
  const fits: Selector | undefined = selector === undefined ? undefined : parseSelector(selector);
  const pods = await peapod.list();
  const among = pods.filter((pod) => namespace === undefined || pod.namespace === namespace);
  if (fits === undefined) return among;
  const hasLabels = async (pod: Pod | BrokenPod) =>
    !("error" in pod) && fits(podObject(await pod.object()).metadata?.labels ?? {});
  const answers = await Promise.all(among.map(hasLabels));
  return among.filter((_, index) => answers[index]);
}

/** Names or `-l` or `--all`: exactly one of the three, or the command line was not understood. */
export function checkSelection(
  operands: readonly string[],
  { selector, all }: Selection,
  usage: string,
  others = 0,
): void {
  const ways = [operands.length + others > 0, selector !== undefined, all === true];
  const hint = `usage: peapod ${usage}`;
  if (!ways.includes(true)) throw usageError("no pod is named", hint);
  if (ways.filter(Boolean).length > 1) {
    throw usageError("names, --selector and --all exclude each other", hint);
  }
}

/** In the order of the names; by label, those that can be opened. */
export async function selectPods(
  peapod: Peapod,
  operands: readonly string[],
  selection: Selection,
  usage: string,
): Promise<readonly Pod[]> {
  checkSelection(operands, selection, usage);
  if (operands.length > 0) {
    return Promise.all(operands.map((name) => getPod(peapod, name, selection)));
  }
  const pods = await listPods(peapod, selection);
  return pods.filter((pod): pod is Pod => !("error" in pod));
}
