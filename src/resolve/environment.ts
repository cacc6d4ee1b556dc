// The variables of a container and the words that name them: env and envFrom in order, `$(NAME)` in
// values, command, args and subPathExpr. Knows of every text whether a Secret's value is in it.

import type { ContainerSpec, EnvSource, PodSpec } from "../spec/pod-spec.ts";
import type { DataObject } from "../spec/objects.ts";
import type { VolumeMountSpec } from "../spec/volume-spec.ts";
import { expandVariables } from "./expand.ts";
import { fault } from "./fault.ts";
import type { FieldSource } from "./fields.ts";
import { readReference } from "./fields.ts";
import { readKeyFile } from "./key-file.ts";

/** Of command, args and env of a container together: its plan must stay well under a mebibyte. */
const entriesMax = 4096;
const bytesMax = 512 * 1024;
/** The kernel's MAX_ARG_STRLEN without the NUL: no argument, and no NAME=value, may be longer. */
const textBytesMax = 131_071;

export interface EnvironmentSource extends FieldSource {
  readonly warn: (message: string) => void;
  /** Resolved once more before the container starts: a file may be missing until then. */
  readonly isEarly: boolean;
  /** A file of an emptyDir volume; undefined where it is missing. */
  readonly readFile: (volume: string, path: string) => string | undefined;
}

/** What one container's own fields say, expanded. The image's words are not in it. */
export interface Environment {
  /** `NAME=value`. */
  readonly entries: readonly string[];
  readonly command: readonly string[] | undefined;
  readonly args: readonly string[] | undefined;
  /** The entries and words that hold a Secret's value. */
  readonly secrets: ReadonlySet<string>;
  readonly subPathOf: (mount: VolumeMountSpec) => string;
}

interface Variable {
  readonly value: string;
  readonly isSecret: boolean;
}

export function resolveEnvironment(
  source: EnvironmentSource,
  container: ContainerSpec,
): Environment {
  const scope = new Scope(source.spec, container);
  for (const entry of container.env) {
    if (entry.kind === "all") addAll(source, entry, scope);
    else {
      const found = valueOf(source, container, entry, scope);
      if (found) scope.set(entry.field, entry.name, found);
    }
  }
  const words = (key: "command" | "args") =>
    container[key]?.map((text, index) => scope.word(`${container.field}.${key}[${index}]`, text));
  const command = words("command");
  const args = words("args");
  return {
    entries: scope.entries(),
    command,
    args,
    secrets: scope.secrets,
    subPathOf: (mount) => scope.subPath(mount),
  };
}

/**
 * An exec probe's command sees the values that are written in the manifest, as they are written,
 * and nothing else: what a value refers to is empty (kubelet, ExpandContainerCommandOnlyStatic).
 */
export function expandProbeCommand(
  container: Pick<ContainerSpec, "env">,
  command: readonly string[],
): string[] {
  const values = new Map<string, string>();
  for (const entry of container.env) {
    if (entry.kind !== "all") values.set(entry.name, entry.kind === "value" ? entry.value : "");
  }
  return command.map((text) => expandVariables(text, (name) => values.get(name)) ?? text);
}

/** The variables so far, and what a container hands to execve so far. */
class Scope {
  readonly secrets = new Set<string>();
  readonly #spec: PodSpec;
  readonly #container: ContainerSpec;
  readonly #variables = new Map<string, Variable>();
  #words = 0;
  #bytes = 0;

  constructor(spec: PodSpec, container: ContainerSpec) {
    this.#spec = spec;
    this.#container = container;
  }

  /** A name keeps its first place and takes the last value. */
  set(field: string, name: string, variable: Variable): void {
    this.#grow(field, `${name}=${variable.value}`);
    this.#variables.set(name, variable);
  }

  entries(): string[] {
    return Array.from(this.#variables, ([name, { value, isSecret }]) => {
      const entry = `${name}=${value}`;
      if (isSecret) this.secrets.add(entry);
      return entry;
    });
  }

  expand(field: string, text: string): Variable {
    let isSecret = false;
    const lookup = (name: string) => {
      const found = this.#variables.get(name);
      if (found?.isSecret) isSecret = true;
      return found?.value;
    };
    const value = expandVariables(text, lookup, textBytesMax);
    if (value === undefined) throw this.#tooLong(field);
    return { value, isSecret };
  }

  word(field: string, text: string): string {
    const { value, isSecret } = this.expand(field, text);
    this.#grow(field, value);
    if (isSecret) this.secrets.add(value);
    return value;
  }

  /** Unlike elsewhere a name without a value is an error: the volume's own root would be shown. */
  subPath({ field, subPath = "", subPathExpr = "" }: VolumeMountSpec): string {
    if (subPathExpr === "") return subPath;
    const at = `${field}.subPathExpr`;
    const missing = new Set<string>();
    expandVariables(subPathExpr, (name) => {
      const value = this.#variables.get(name)?.value ?? "";
      if (value === "") missing.add(name);
      return value;
    });
    if (missing.size > 0) {
      const names = [...missing].toSorted().join(", ");
      throw this.#refuse(at, `missing value for ${names}: ${subPathExpr} cannot be expanded`);
    }
    const path = this.word(at, subPathExpr);
    if (path.startsWith("/")) throw this.#refuse(at, "must expand to a relative path");
    if (path.split("/").includes("..")) throw this.#refuse(at, "must not expand to contain '..'");
    return path;
  }

  #grow(field: string, text: string): void {
    const bytes = Buffer.byteLength(text);
    if (bytes > textBytesMax) throw this.#tooLong(field);
    if (text.includes("\0"))
      throw this.#refuse(field, "has a NUL byte, which no process can be told");
    this.#words++;
    this.#bytes += bytes;
    if (this.#words > entriesMax) {
      const what = `too many: command, args and env have more than ${entriesMax} entries`;
      throw this.#refuse(this.#container.field, what);
    }
    if (this.#bytes > bytesMax) {
      const what = `too long: command, args and env are more than ${bytesMax} bytes`;
      throw this.#refuse(this.#container.field, what);
    }
  }

  #tooLong(field: string): Error {
    return this.#refuse(field, `too long: may not be more than ${textBytesMax} bytes`);
  }

  #refuse(field: string, message: string): Error {
    return fault(this.#spec, field, { code: "manifest.invalid", message: `${field}: ${message}` });
  }
}

type Kinds = "configMap" | "secret";
const kubernetesNames = { configMap: "ConfigMap", secret: "Secret" } as const;

/** Undefined for an optional one that is missing. */
export function findObject(
  spec: PodSpec,
  kind: Kinds,
  name: string,
  optional: boolean,
  field: string,
): DataObject | undefined {
  const objects = kind === "secret" ? spec.objects.secrets : spec.objects.configMaps;
  const found = objects.get(name);
  if (found || optional) return found;
  throw fault(spec, field, {
    code: "object.not-found",
    message: `${kind.toLowerCase()} ${JSON.stringify(name)} not found`,
  });
}

function addAll(
  source: EnvironmentSource,
  entry: Extract<EnvSource, { readonly kind: "all" }>,
  scope: Scope,
): void {
  const { spec } = source;
  const { field, object, objectName, optional, prefix } = entry;
  const found = findObject(spec, object, objectName, optional, field);
  const skipped: string[] = [];
  for (const [key, value] of found?.texts ?? []) {
    const name = prefix + key;
    if (isEnvName(name)) scope.set(field, name, { value, isSecret: object === "secret" });
    else skipped.push(name);
  }
  if (skipped.length === 0) return;
  const keys = skipped.map((name) => JSON.stringify(name)).join(", ");
  source.warn(
    `${field}: keys ${keys} of ${kubernetesNames[object]} ${spec.namespace}/${objectName} are no ` +
      `names of variables and were left out`,
  );
}

/** Printable ASCII but for `=` (Kubernetes since 1.34). */
function isEnvName(name: string): boolean {
  return /^[ -<>-~]+$/.test(name);
}

/** Undefined for an optional reference that leads to nothing. */
function valueOf(
  source: EnvironmentSource,
  container: ContainerSpec,
  entry: Exclude<EnvSource, { readonly kind: "all" }>,
  scope: Scope,
): Variable | undefined {
  const { spec } = source;
  const { field } = entry;
  switch (entry.kind) {
    case "value":
      return scope.expand(field, entry.value);
    case "ref":
      return { value: readReference(source, entry.ref, container, field), isSecret: false };
    case "key": {
      const { object, objectName, key, optional } = entry;
      const found = findObject(spec, object, objectName, optional, field);
      const value = found?.texts.get(key);
      if (value !== undefined) return { value, isSecret: object === "secret" };
      if (optional) return undefined;
      throw fault(spec, field, {
        code: "object.key-missing",
        message: `couldn't find key ${key} in ${kubernetesNames[object]} ${spec.namespace}/${objectName}`,
      });
    }
    case "file":
      return fileValue(source, entry);
    default:
      return entry satisfies never;
  }
}

function fileValue(
  source: EnvironmentSource,
  { field, volume, path, key, optional }: Extract<EnvSource, { readonly kind: "file" }>,
): Variable | undefined {
  const refuse = (message: string) => fault(source.spec, field, { code: "file.unusable", message });
  try {
    const text = source.readFile(volume, path);
    if (text !== undefined) return { value: readKeyFile(text, key), isSecret: false };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw refuse(`the file ${path} of volume ${volume} cannot be read for a variable: ${why}`);
  }
  if (optional || source.isEarly) return undefined;
  throw refuse(`the file ${path} of volume ${volume} does not exist`);
}
