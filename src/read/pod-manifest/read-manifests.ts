// All objects of all files → pods, with the objects that they name.

import type { Origin } from "../../errors/pod-error.ts";
import { PodError } from "../../errors/pod-error.ts";
import type { JobSpec } from "../../spec/job-spec.ts";
import type { NetworkPolicySpec } from "../../spec/network-policy.ts";
import type { ClaimObject, DataObject, ObjectTable } from "../../spec/objects.ts";
import { originOf } from "../../spec/pod-spec.ts";
import type { PodSpec } from "../../spec/pod-spec.ts";
import { readClaim, readConfigMap, readSecret } from "./data-objects.ts";
import { readObjects } from "./document.ts";
import type { ManifestObject } from "./document.ts";
import type { Fate } from "./fate.ts";
import { invalid, joinProblems, problemOf } from "./flaw.ts";
import type { Flaw } from "./flaw.ts";
import { checkJob, readJob } from "./job.ts";
import { kindOf, kinds } from "./kinds.ts";
import type { Kind, KindUse } from "./kinds.ts";
import { readPod } from "./read-pod.ts";
import type { PodSource, ReadPodOptions } from "./read-pod.ts";
import { checkMetadata } from "./rules.ts";
import { get, getText } from "./rules-tree.ts";
import { ConfigMap, PersistentVolumeClaim, Secret } from "./schema-objects.ts";
import { Job } from "./schema-job.ts";
import { DaemonSet, Deployment, ReplicaSet, StatefulSet } from "./schema-workload.ts";
import { siftObject } from "./sift.ts";
import type { FateRow } from "./sift.ts";
import { isMap, show, treeOf } from "./tree.ts";
import type { Tree, TreeMap } from "./tree.ts";
import { checkWorkload, claimsOf, nameOf, placesOf, podsOf } from "./workload.ts";

export interface ReadOptions extends ReadPodOptions {
  /** What pods may name besides the objects of the manifests. */
  readonly objects?: readonly ObjectManifest[];
}

/** A ConfigMap, Secret, PersistentVolumeClaim or NetworkPolicy as the module takes it. */
export interface ObjectManifest {
  readonly kind: "ConfigMap" | "Secret" | "PersistentVolumeClaim" | "NetworkPolicy";
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly type?: string;
  readonly data?: Readonly<Record<string, string>>;
  /** Of a ConfigMap, as base64. */
  readonly binaryData?: Readonly<Record<string, string>>;
  /** Of a Secret, as it is. */
  readonly stringData?: Readonly<Record<string, string>>;
  readonly spec?: Readonly<Record<string, unknown>>;
}

export interface ManifestText {
  readonly text: string;
  /** As the user named it; empty for a manifest that came as a string. */
  readonly file: string;
}

/** An object as it stands in a file. */
export interface ManifestDocument {
  readonly file: string;
  readonly kind: string;
  readonly use: KindUse;
  readonly namespace: string;
  readonly name: string;
  readonly origin: Origin;
  /** Why nothing is done about an object of this kind; undefined for one that is used. */
  readonly inert: string | undefined;
  /** What becomes of each of its fields, in their order. */
  readonly fields: () => readonly FieldFate[];
}

export interface FieldFate {
  readonly origin: Origin;
  readonly fate: Fate["fate"];
  /** Why nothing is done about an inert field. */
  readonly reason?: string;
}

export interface ManifestSet {
  /** Pods, and those that workloads make, in the order of the files. */
  readonly pods: readonly PodSpec[];
  /** Their pods are made as they go. */
  readonly jobs: readonly JobSpec[];
  readonly documents: readonly ManifestDocument[];
}

/** Throws all problems of all files at once. */
export function readManifests(
  texts: readonly ManifestText[],
  options: ReadOptions = {},
): ManifestSet {
  const { set, error } = examineManifests(texts, options);
  if (error) throw error;
  return set;
}

/** Objects of a namespace that came as objects: what a pod of it may name. */
export function readObjectTable(
  manifests: readonly ObjectManifest[],
  namespace: string,
): ObjectTable {
  const reading = newReading({});
  addObjects(reading, manifests);
  const error = joinProblems(reading.problems);
  if (error) throw error;
  return tableOf(reading, namespace);
}

function addObjects(reading: Reading, manifests: readonly ObjectManifest[]): void {
  for (const manifest of manifests) {
    const apiVersion = kinds[manifest.kind]?.apiVersion ?? "v1";
    const tree = { apiVersion, ...asMap(treeOf(manifest)) };
    const file = `${manifest.kind} ${manifest.metadata.name}`;
    const origins = new Map([["", { field: "", file, line: 0, column: 0 }]]);
    const object = { tree, origins };
    const found = kindOf(tree);
    const own: Reading = { ...reading, problems: [] };
    if ("flaws" in found) report(own, object, found.flaws);
    else readEntry(own, newEntry(file, object, found));
    // Without a file nothing else says whose field it is.
    reading.problems.push(
      ...own.problems.map(
        ({ code, message }) => new PodError({ code, message: `${file}: ${message}` }),
      ),
    );
  }
}

/** What could be read, and as one error what could not. */
export function examineManifests(
  texts: readonly ManifestText[],
  options: ReadOptions = {},
): { readonly set: ManifestSet; readonly error: PodError | undefined } {
  const reading = newReading(options);
  addObjects(reading, options.objects ?? []);
  const entries = texts.flatMap((text) => readEntries(reading, text));
  // Objects before the pods that name them, wherever they stand.
  for (const entry of entries) readEntry(reading, entry);
  const pods = entries.flatMap((entry) =>
    entry.sources.flatMap((source) => readSource(reading, entry, source)),
  );
  const jobs = entries.flatMap((entry) => (entry.isJob ? readJobOf(reading, entry) : []));
  const error = joinProblems([...reading.problems, ...repeatedPods(pods)]);
  return { set: { pods, jobs, documents: entries.map(documentOf) }, error };
}

function newReading(options: ReadOptions): Reading {
  return { options, tables: new Map(), policies: [], seen: new Set(), problems: [] };
}

interface Reading {
  readonly options: ReadOptions;
  /** By namespace. */
  readonly tables: Map<string, Table>;
  /** Of all namespaces: a policy may be about traffic between them. */
  readonly policies: NetworkPolicySpec[];
  /** `Kind namespace/name` of objects. */
  readonly seen: Set<string>;
  readonly problems: PodError[];
}

interface Table {
  readonly configMaps: Map<string, DataObject>;
  readonly secrets: Map<string, DataObject>;
  readonly claims: Map<string, ClaimObject>;
  readonly policies: readonly NetworkPolicySpec[];
}

interface Entry {
  readonly file: string;
  readonly object: ManifestObject;
  readonly name: string;
  readonly kind: Kind;
  /** What it makes pods of. */
  sources: readonly PodSource[];
  /** A Job without mistakes. */
  isJob: boolean;
  fates: readonly FateRow[];
}

function readEntries(reading: Reading, { text, file }: ManifestText): Entry[] {
  const { objects, problems } = readObjects(text, file);
  reading.problems.push(...problems);
  // What is missing from a tree that was too large to read is nobody's mistake.
  if (problems.some(({ code }) => code === "manifest.too-large")) return [];
  return objects.flatMap((object) => {
    const found = kindOf(object.tree);
    if ("flaws" in found) return report(reading, object, found.flaws);
    return [newEntry(file, object, found)];
  });
}

function newEntry(
  file: string,
  object: ManifestObject,
  found: Pick<Entry, "name" | "kind">,
): Entry {
  return { file, object, ...found, sources: [], isJob: false, fates: [] };
}

function asMap(tree: Tree): TreeMap {
  return isMap(tree) ? tree : {};
}

function readEntry(reading: Reading, entry: Entry): void {
  const { object, kind, name } = entry;
  switch (kind.use) {
    case "pod":
      entry.sources = [object];
      return;
    case "object":
      if (name === "NetworkPolicy") readPolicy(reading, entry);
      else readDataObject(reading, entry, name as keyof typeof objectSchemas);
      return;
    case "workload":
      readWorkload(reading, entry, name as keyof typeof workloadSchemas);
      return;
    case "inert":
    case "refused":
      return;
    default:
      kind.use satisfies never;
  }
}

const objectSchemas = { ConfigMap, Secret, PersistentVolumeClaim };
const workloadSchemas = { Deployment, ReplicaSet, StatefulSet, DaemonSet, Job };

function readDataObject(reading: Reading, entry: Entry, kind: keyof typeof objectSchemas): void {
  const { tree } = entry.object;
  const sifted = siftObject(objectSchemas[kind](), tree, reading.options);
  const metadata = get(tree, "metadata") ?? {};
  const flaws = [...sifted.flaws, ...checkMetadata({ tree: metadata, field: "metadata" })];
  entry.fates = sifted.fates;
  const name = nameOf(tree);
  const table = tableOf(reading, namespaceOf(tree));
  switch (kind) {
    case "ConfigMap":
    case "Secret": {
      const read = kind === "Secret" ? readSecret(tree, name) : readConfigMap(tree, name);
      (kind === "Secret" ? table.secrets : table.configMaps).set(name, read.object);
      flaws.push(...read.flaws);
      break;
    }
    case "PersistentVolumeClaim": {
      const read = readClaim(tree, name);
      table.claims.set(name, read.claim);
      flaws.push(...read.flaws);
      break;
    }
    default:
      kind satisfies never;
  }
  flaws.push(...checkNew(reading, entry));
  report(reading, entry.object, flaws);
}

function readPolicy(reading: Reading, entry: Entry): void {
  // Few files have any; whoever starts a pod waits for what is loaded.
  const reader: typeof import("./network-policy.ts") = require("./network-policy.ts");
  const read = reader.readNetworkPolicy(entry.object.tree, reading.options);
  entry.fates = read.fates;
  const flaws = [...read.flaws, ...checkNew(reading, entry)];
  report(reading, entry.object, flaws);
  if (read.policy && flaws.length === 0) reading.policies.push(read.policy);
}

function readWorkload(reading: Reading, entry: Entry, kind: keyof typeof workloadSchemas): void {
  const { object } = entry;
  const sifted = siftObject(workloadSchemas[kind](), object.tree, reading.options);
  entry.fates = sifted.fates;
  const flaws = [
    ...sifted.flaws,
    ...checkWorkload(object.tree, kind),
    ...(kind === "Job" ? checkJob(object.tree) : []),
    ...checkNew(reading, entry),
  ];
  report(reading, object, flaws);
  if (flaws.length > 0) return;
  entry.isJob = kind === "Job";
  if (entry.isJob) return;
  const pods = podsOf(object, kind);
  const table = tableOf(reading, namespaceOf(object.tree));
  for (const claim of claimsOf(object.tree, pods)) {
    const name = nameOf(claim);
    table.claims.set(name, readClaim(claim, name).claim);
  }
  entry.sources = pods;
}

function readSource(reading: Reading, entry: Entry, source: PodSource): PodSpec[] {
  const table = tableOf(reading, namespaceOf(source.tree));
  const read = readPod(source, table, reading.options);
  if (entry.kind.use === "pod") entry.fates = read.fates;
  return "spec" in read ? [read.spec] : report(reading, source, read.flaws);
}

function readJobOf(reading: Reading, { object }: Entry): JobSpec[] {
  const namespace = namespaceOf(object.tree);
  const objects = tableOf(reading, namespace);
  const read = readJob({ object, namespace, objects, options: reading.options });
  // Its pods are like the first: what that lacks is said of the template.
  const places = { tree: object.tree, origins: placesOf(object.origins) };
  return "job" in read ? [read.job] : report(reading, places, read.flaws);
}

function report(reading: Reading, object: ManifestObject, flaws: readonly Flaw[]): [] {
  for (const flaw of flaws) {
    const origin = placeOf(object, flaw.field);
    // Of a template's pod the place knows what the field is called in the file.
    reading.problems.push(problemOf({ ...flaw, field: origin.field }, origin));
  }
  return [];
}

/** A field that is missing from the top of the object stands where the object starts. */
function placeOf({ origins }: ManifestObject, field: string): Origin {
  const origin = originOf({ origins }, field);
  return origin.line > 0 ? origin : { ...(origins.get("") ?? origin), field };
}

function namespaceOf(tree: Tree): string {
  return getText(get(tree, "metadata"), "namespace") ?? "default";
}

function tableOf({ tables, policies }: Reading, namespace: string): Table {
  const table = tables.get(namespace) ?? {
    configMaps: new Map(),
    secrets: new Map(),
    claims: new Map(),
    policies,
  };
  tables.set(namespace, table);
  return table;
}

function checkNew({ seen }: Reading, { object: { tree }, name }: Entry): Flaw[] {
  const qualified = `${namespaceOf(tree)}/${nameOf(tree)}`;
  const key = `${name} ${qualified}`;
  const isNew = !seen.has(key);
  seen.add(key);
  return isNew ? [] : [invalid("metadata.name", `duplicate value: ${show(qualified)}`)];
}

/** Two pods of one name cannot both be up. */
function repeatedPods(specs: readonly PodSpec[]): PodError[] {
  const seen = new Set<string>();
  return specs.flatMap((spec) => {
    const name = `${spec.namespace}/${spec.name}`;
    const isNew = !seen.has(name);
    seen.add(name);
    const flaw = invalid("metadata.name", `duplicate value: ${show(name)}`);
    return isNew ? [] : [problemOf(flaw, originOf(spec, flaw.field))];
  });
}

function documentOf(entry: Entry): ManifestDocument {
  const { file, object, name: kind, fates } = entry;
  const { use, reason } = entry.kind;
  const { tree, origins } = object;
  return {
    file,
    kind,
    use,
    namespace: namespaceOf(tree),
    name: nameOf(tree),
    origin: placeOf(object, ""),
    inert: use === "inert" ? reason : undefined,
    fields: () =>
      fates.map(({ field, fate }) => ({ origin: originOf({ origins }, field), ...fate })),
  };
}
