// What `wait --for` can wait for.

import { PodError } from "../errors/pod-error.ts";
import type { Json } from "./describe/values.ts";
import { list, object, text } from "./describe/values.ts";

export type Wish =
  | { readonly kind: "delete"; readonly met: string; readonly missed: string }
  | {
      readonly kind: "state";
      readonly met: string;
      readonly missed: string;
      /** The exit status when it is so. */
      readonly look: (pod: Json) => number | undefined;
    };

/** A text says what is wrong with the words. */
export function parseWish(words: string): Wish | string {
  if (words === "delete") return { kind: "delete", met: "deleted", missed: "not gone" };
  if (words === "exit") return exitWish;
  if (words.startsWith("condition=")) return parseCondition(words.slice("condition=".length));
  if (words.startsWith("jsonpath=")) return parsePath(words.slice("jsonpath=".length));
  return `${JSON.stringify(words)} is nothing to wait for`;
}

/** kubectl takes `condition=ready` too. */
function parseCondition(words: string): Wish | string {
  const [type = "", status = "True", ...rest] = words.split("=");
  if (type === "" || rest.length > 0) return `${JSON.stringify(words)} is no condition`;
  const isIt = (one: unknown, wanted: string) =>
    typeof one === "string" && one.toLowerCase() === wanted.toLowerCase();
  return {
    kind: "state",
    met: "condition met",
    missed: `condition ${type} is not ${status}`,
    look: (pod) => {
      const conditions = list(object(pod["status"])["conditions"]);
      const found = conditions.find((one) => isIt(one["type"], type));
      return isIt(found?.["status"], status) ? 0 : undefined;
    },
  };
}

/** `{.status.phase}=Running`, or without a value: anything. */
function parsePath(words: string): Wish | string {
  const match = /^(?:\{(?<braced>.*?)\}|(?<bare>[^=]*))(?:=(?<value>.*))?$/s.exec(words);
  const path = match?.groups?.["braced"] ?? match?.groups?.["bare"];
  const wanted = match?.groups?.["value"]?.replace(/^(['"])(.*)\1$/s, "$2");
  const steps = path === undefined ? undefined : parseSteps(path);
  if (!steps) return `${JSON.stringify(words)} is no path: write {.status.phase}=Running`;
  return {
    kind: "state",
    met: "condition met",
    missed: `${path ?? ""} is not ${wanted ?? "there"}`,
    look: (pod) => {
      const values = walk([pod], steps);
      const isMet =
        wanted === undefined
          ? values.some((value) => value !== undefined && value !== "")
          : values.some((value) => asText(value) === wanted);
      return isMet ? 0 : undefined;
    },
  };
}

type Step = { readonly key: string } | { readonly index: number } | "all" | Filter;
interface Filter {
  readonly where: readonly string[];
  readonly is: string;
}

/** What kubectl's users write: names, `[0]`, `[*]`, `['a.b']`, `[?(@.type=="Ready")]`. */
function parseSteps(path: string): readonly Step[] | undefined {
  const one =
    /\.(?<name>[\w-]+(?:\\\.[\w-]+)*)|\[(?<index>\d+)\]|(?<all>\[\*\]|\.\*)|\[(?<quote>['"])(?<key>.*?)\k<quote>\]|\[\?\(@\.(?<where>[\w.]+)\s*==\s*(?<mark>['"])(?<is>.*?)\k<mark>\)\]/gsy;
  const steps: Step[] = [];
  const whole = path.startsWith("$") ? path.slice(1) : path;
  let at = 0;
  for (const match of whole.matchAll(one)) {
    const { name, index, all, key, where, is } = match.groups ?? {};
    at = match.index + match[0].length;
    if (name !== undefined) steps.push({ key: name.replaceAll("\\.", ".") });
    else if (index !== undefined) steps.push({ index: Number(index) });
    else if (all !== undefined) steps.push("all");
    else if (key !== undefined) steps.push({ key });
    else steps.push({ where: (where ?? "").split("."), is: is ?? "" });
  }
  return at === whole.length && steps.length > 0 ? steps : undefined;
}

function walk(values: readonly unknown[], steps: readonly Step[]): readonly unknown[] {
  let found = values;
  for (const step of steps) found = found.flatMap((value) => take(value, step));
  return found;
}

function take(value: unknown, step: Step): readonly unknown[] {
  const items: readonly unknown[] = Array.isArray(value) ? value : [];
  if (step === "all") return Array.isArray(value) ? items : Object.values(object(value));
  if ("index" in step) return items.slice(step.index, step.index + 1);
  if ("where" in step) {
    const keys = step.where.map((key) => ({ key }));
    return items.filter((item) => walk([item], keys).some((one) => asText(one) === step.is));
  }
  const own = object(value);
  return Object.hasOwn(own, step.key) ? [own[step.key]] : [];
}

function asText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** For `up --wait`: a pod that has done its work well is as good as one that is ready. */
export const readyWish: Wish = {
  kind: "state",
  met: "ready",
  missed: "not ready",
  look: (pod) => {
    const status = object(pod["status"]);
    if (status["phase"] === "Succeeded") return 0;
    if (status["phase"] === "Failed") throw failedPod(pod, status);
    const ready = list(status["conditions"]).find(({ type }) => type === "Ready");
    return ready?.["status"] === "True" ? 0 : undefined;
  },
};

function failedPod(pod: Json, status: Json): PodError {
  const ended = [...list(status["initContainerStatuses"]), ...list(status["containerStatuses"])]
    .map((one) => ({ name: text(one["name"]), end: object(object(one["state"])["terminated"]) }))
    .find(({ end }) => Number(end["exitCode"] ?? 0) !== 0);
  const why = ended
    ? `container ${ended.name} exited with ${text(ended.end["exitCode"])}`
    : text(status["message"]);
  const name = text(object(pod["metadata"])["name"]);
  return new PodError({ code: "pod.failed", message: `pod ${name} failed: ${why}` });
}

/** Every container that does the pod's work has ended for good. */
const exitWish: Wish = {
  kind: "state",
  met: "finished",
  missed: "not finished",
  look: (pod) => {
    const status = object(pod["status"]);
    if (status["phase"] !== "Succeeded" && status["phase"] !== "Failed") return undefined;
    const lists = ["initContainerStatuses", "containerStatuses"];
    const codes = lists
      .flatMap((key) => list(status[key]))
      .map((one) => Number(object(object(one["state"])["terminated"])["exitCode"] ?? 0));
    if (status["phase"] === "Succeeded") return 0;
    return codes.find((code) => code !== 0) ?? 1;
  },
};
