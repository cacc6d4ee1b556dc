// What a changed manifest asks of a pod that runs: nothing, new resources, containers anew, or the
// whole pod anew. By what manifests mean, not by how they are written. Pure.

import type { ContainerSpec, PodSpec } from "../spec/pod-spec.ts";
import { podResources } from "../spec/resources.ts";

/** One difference; values that come from objects are never among them. */
export interface FieldChange {
  readonly field: string;
  readonly from: unknown;
  readonly to: unknown;
}

export type Effect = "none" | "resize" | "restart" | "recreate";

export interface PodChange extends FieldChange {
  readonly effect: Effect;
  /** Empty where it is the pod's. */
  readonly container: string;
}

export interface PodChanges {
  /** The most that any of them asks for. */
  readonly effect: Effect;
  readonly changes: readonly PodChange[];
}

/** What images lead to at this moment, by container: an id that moved is a change. */
export type ImageIds = ReadonlyMap<string, string>;

const order: readonly Effect[] = ["none", "resize", "restart", "recreate"];

export function changesBetween(
  before: PodSpec,
  after: PodSpec,
  images: { readonly before: ImageIds; readonly after: ImageIds } = noImages,
): PodChanges {
  const changes = [
    ...podChanges(before, after),
    ...containerLists(before, after, "initContainers"),
    ...containerLists(before, after, "containers"),
    ...imageChanges(before, after, images),
  ];
  const isAnotherClass = podResources(before).qos !== podResources(after).qos;
  const settled = changes.map((change): PodChange =>
    // The class names the group that the pod lives in, and no pod moves to another.
    change.effect === "resize" && isAnotherClass ? { ...change, effect: "recreate" } : change,
  );
  return { effect: strongest(settled), changes: settled };
}

/** The names of those that are to be stopped and started, in the manifest's order. */
export function restartedContainers({ changes }: PodChanges): readonly string[] {
  const named = changes.filter(({ effect }) => effect === "restart");
  return [...new Set(named.map(({ container }) => container))];
}

function strongest(changes: readonly PodChange[]): Effect {
  const ranks = changes.map(({ effect }) => order.indexOf(effect));
  return order[Math.max(0, ...ranks)] ?? "none";
}

const noImages = { before: new Map<string, string>(), after: new Map<string, string>() };

/** The parts of the spec that are the pod's own, and what the manifest calls them. */
const podFields = {
  labels: ["metadata.labels", "none"],
  annotations: ["metadata.annotations", "none"],
  bandwidth: ["metadata.annotations", "recreate"],
  hostname: ["spec.hostname", "recreate"],
  subdomain: ["spec.subdomain", "recreate"],
  hostnameOverride: ["spec.hostnameOverride", "recreate"],
  setHostnameAsFqdn: ["spec.setHostnameAsFQDN", "recreate"],
  hostAliases: ["spec.hostAliases", "recreate"],
  dns: ["spec.dnsConfig", "recreate"],
  namespaces: ["spec.host", "recreate"],
  terminationGraceMs: ["spec.terminationGracePeriodSeconds", "recreate"],
  restartPolicy: ["spec.restartPolicy", "recreate"],
  activeDeadlineMs: ["spec.activeDeadlineSeconds", "recreate"],
  readinessGates: ["spec.readinessGates", "recreate"],
  resources: ["spec.resources", "resize"],
  overhead: ["spec.overhead", "recreate"],
  pullSecrets: ["spec.imagePullSecrets", "none"],
  volumes: ["spec.volumes", "recreate"],
  security: ["spec.securityContext", "recreate"],
} as const satisfies Record<Exclude<keyof PodSpec, Elsewhere>, readonly [string, Effect]>;

/** Who the pod is, what is compared by itself, and what comes from the text alone. */
type Elsewhere =
  | ("name" | "namespace" | "initContainers" | "containers" | "objects" | "policies")
  | ("workload" | "manifest" | "origins" | "inert");

/** `hostNetwork` and the like are kept as modes of namespaces. */
const namespaceFields: Readonly<Record<string, string>> = {
  network: "spec.hostNetwork",
  ipc: "spec.hostIPC",
  pid: "spec.shareProcessNamespace",
  user: "spec.hostUsers",
};

function podChanges(before: PodSpec, after: PodSpec): PodChange[] {
  const keys = Object.keys(podFields) as (keyof typeof podFields)[]; // Its own keys.
  const own = keys.flatMap((key) => {
    const [field, effect] = podFields[key];
    const found = differences(before[key], after[key], field);
    return found.map((change) => ({ ...change, effect: effectOf(change, effect), container: "" }));
  });
  const named = own.map((change) => {
    const mode = /^spec\.host\.(\w+)$/.exec(change.field)?.[1];
    return mode === undefined
      ? change
      : { ...change, field: namespaceFields[mode] ?? change.field };
  });
  return [...named, ...objectChanges(before, after)];
}

/** Content is never shown: it may be a Secret's. */
function objectChanges(before: PodSpec, after: PodSpec): PodChange[] {
  const kinds = [
    ["ConfigMap", before.objects.configMaps, after.objects.configMaps],
    ["Secret", before.objects.secrets, after.objects.secrets],
  ] as const;
  return kinds.flatMap(([kind, old, now]) =>
    [...new Set([...old.keys(), ...now.keys()])]
      .filter((name) => differences(old.get(name), now.get(name), name).length > 0)
      .map((name) => ({
        ...{ field: `${kind} ${name}`, from: "<content>", to: "<content>" },
        ...{ effect: "recreate" as const, container: "" },
      })),
  );
}

/** What a container's parts are called, and what a change of one asks for. */
const containerFields = {
  image: ["image", "restart"],
  imagePullPolicy: ["imagePullPolicy", "none"],
  command: ["command", "restart"],
  args: ["args", "restart"],
  workingDir: ["workingDir", "restart"],
  env: ["env", "restart"],
  resources: ["resources", "resize"],
  restartOnResize: ["resizePolicy", "none"],
  volumeMounts: ["volumeMounts", "recreate"],
  ports: ["ports", "recreate"],
  life: ["life", "restart"],
  security: ["securityContext", "recreate"],
  stdin: ["stdin", "recreate"],
  stdinOnce: ["stdinOnce", "recreate"],
  readOnlyRoot: ["securityContext.readOnlyRootFilesystem", "recreate"],
  tty: ["tty", "recreate"],
} as const satisfies Record<
  Exclude<keyof ContainerSpec, "name" | "field">,
  readonly [string, Effect]
>;

const lifeFields: Readonly<Record<string, string>> = {
  postStart: "lifecycle.postStart",
  preStop: "lifecycle.preStop",
  stopSignal: "lifecycle.stopSignal",
  restartRules: "restartPolicyRules",
  terminationMessage: "terminationMessage",
};

type List = "initContainers" | "containers";

function containerLists(before: PodSpec, after: PodSpec, list: List): PodChange[] {
  const names = (spec: PodSpec) => spec[list].map(({ name }) => name);
  const [from, to] = [names(before), names(after)];
  if (differences(from, to, "").length > 0) {
    return [{ field: `spec.${list}`, from, to, effect: "recreate", container: "" }];
  }
  return before[list].flatMap((container, index) => {
    const now = after[list][index];
    return now === undefined
      ? []
      : containerChanges(container, now, `spec.${list}[${index}]`, list);
  });
}

function containerChanges(
  before: ContainerSpec,
  after: ContainerSpec,
  place: string,
  list: List,
): PodChange[] {
  const keys = Object.keys(containerFields) as (keyof typeof containerFields)[]; // Its own keys.
  // An init container that has done its work does not do it again in the same pod.
  const isPlainInit = list === "initContainers" && after.life.restartPolicy !== "Always";
  return keys.flatMap((key) => {
    const [field, effect] = containerFields[key];
    return differences(before[key], after[key], `${place}.${field}`).map((change) => {
      const named = { ...change, field: lifeName(change.field, place), container: after.name };
      const own = effectOf(change, effect);
      if (isPlainInit && own !== "none") return { ...named, effect: "recreate" as const };
      return { ...named, effect: own === "resize" ? resizeEffect(change, after) : own };
    });
  });
}

function lifeName(field: string, place: string): string {
  const start = `${place}.life.`;
  if (!field.startsWith(start)) return field;
  const [key = "", ...rest] = field.slice(start.length).split(/(?=[.[])/);
  return `${place}.${lifeFields[key] ?? key}${rest.join("")}`;
}

/** Only processor and memory change in place. */
function effectOf({ field }: FieldChange, effect: Effect): Effect {
  if (effect !== "resize") return effect;
  return /\.(cpuMilli|memoryBytes)$/.test(field) ? "resize" : "recreate";
}

function resizeEffect({ field }: FieldChange, { restartOnResize }: ContainerSpec): Effect {
  const resource = field.endsWith(".cpuMilli") ? "cpu" : "memory";
  return restartOnResize.includes(resource) ? "restart" : "resize";
}

function imageChanges(
  { containers }: PodSpec,
  after: PodSpec,
  images: { readonly before: ImageIds; readonly after: ImageIds },
): PodChange[] {
  return containers.flatMap(({ name, image }, index) => {
    const [from, to] = [images.before.get(name), images.after.get(name)];
    // Another name is told as such already.
    if (from === undefined || to === undefined || from === to) return [];
    if (after.containers[index]?.image !== image) return [];
    const field = `spec.containers[${index}].image`;
    return [{ field, from, to, effect: "restart" as const, container: name }];
  });
}

/** Where two values differ, each place once. `field` is a place in a text, and means nothing. */
function differences(from: unknown, to: unknown, path: string): FieldChange[] {
  if (Object.is(from, to)) return [];
  const [a, b] = [entriesOf(from), entriesOf(to)];
  if (a === undefined || b === undefined || Array.isArray(from) !== Array.isArray(to)) {
    return isSame(from, to) ? [] : [{ field: path, from, to }];
  }
  // A list that has grown or shrunk is shown whole: what moved cannot be told from what changed.
  if (Array.isArray(from) && a.size !== b.size) return [{ field: path, from, to }];
  const step = (key: string) => (Array.isArray(from) ? `${path}[${key}]` : `${path}.${key}`);
  return [...new Set([...a.keys(), ...b.keys()])].flatMap((key) =>
    differences(a.get(key), b.get(key), step(key)),
  );
}

function entriesOf(value: unknown): Map<string, unknown> | undefined {
  if (value instanceof Map) return new Map([...value].map(([key, one]) => [String(key), one]));
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return undefined;
  return new Map(Object.entries(value).filter(([key]) => key !== "field"));
}

function isSame(from: unknown, to: unknown): boolean {
  if (!(from instanceof Uint8Array && to instanceof Uint8Array)) return false;
  return Buffer.compare(from, to) === 0;
}
