// ConfigMaps, Secrets and claims → what pods find under their names. No message here shows a value:
// it may be a secret, and ConfigMaps have been used for them as well.

import type { ClaimObject, DataObject } from "../../spec/objects.ts";
import { invalid } from "./flaw.ts";
import type { Flaw } from "./flaw.ts";
import { readQuantity } from "./quantity.ts";
import { get, getText } from "./rules-tree.ts";
import { checkConfigKey } from "./text.ts";
import { fieldOf, isMap, show } from "./tree.ts";
import type { Tree } from "./tree.ts";

/** etcd would not take more. */
const bytesMax = 1024 * 1024;

const quoteIt =
  "quote the value: without quotes YAML reads numbers, yes, no, on and off as what they are";

export interface ReadData {
  readonly object: DataObject;
  readonly flaws: readonly Flaw[];
}

export function readConfigMap(tree: Tree, name: string): ReadData {
  const data = textsOf(get(tree, "data"), "data");
  const binary = bytesOf(get(tree, "binaryData"), "binaryData");
  const repeated = [...binary.values.keys()]
    .filter((key) => data.values.has(key))
    .map((key) => invalid(fieldOf("data", key), "duplicate value: it is a key of binaryData too"));
  const object = { name, type: "", texts: data.values, binaries: binary.values };
  return { object, flaws: [...data.flaws, ...binary.flaws, ...repeated, ...checkSize(object)] };
}

/** A value of stringData wins, as the API server merges them. */
export function readSecret(tree: Tree, name: string): ReadData {
  const data = bytesOf(get(tree, "data"), "data");
  const written = textsOf(get(tree, "stringData"), "stringData");
  const texts = new Map<string, string>();
  const binaries = new Map<string, Uint8Array>();
  for (const [key, bytes] of data.values) {
    const text = textFrom(bytes);
    if (text === undefined) binaries.set(key, bytes);
    else texts.set(key, text);
  }
  for (const [key, text] of written.values) {
    binaries.delete(key);
    texts.set(key, text);
  }
  const kind = get(tree, "type");
  const isTyped = kind === undefined || typeof kind === "string";
  const type = getText(tree, "type") ?? "Opaque";
  const object = { name, type, texts, binaries };
  return {
    object,
    flaws: [
      ...(isTyped ? [] : [invalid("type", "must be a string")]),
      ...data.flaws,
      ...written.flaws,
      ...checkType(object),
      ...checkSize(object),
    ],
  };
}

export function readClaim(tree: Tree, name: string): { claim: ClaimObject; flaws: Flaw[] } {
  const requests = get(get(get(tree, "spec"), "resources"), "requests");
  const storage = get(requests, "storage");
  const read = storage === undefined ? undefined : readQuantity(String(storage), "memory");
  const flaws =
    read === undefined ? [invalid("spec.resources.requests.storage", "required value")] : [];
  return { claim: { name, storageBytes: read && "value" in read ? read.value : 0 }, flaws };
}

interface Values<Value> {
  readonly values: Map<string, Value>;
  readonly flaws: Flaw[];
}

function textsOf(tree: Tree | undefined, field: string): Values<string> {
  return valuesOf(tree, field, (value) =>
    value.includes("\0") && field === "stringData" ? "must not contain NUL bytes" : { value },
  );
}

function bytesOf(tree: Tree | undefined, field: string): Values<Uint8Array> {
  return valuesOf(tree, field, (text) => {
    // Go skips line ends in base64.
    const digits = text.replaceAll(/[\r\n]/g, "");
    const isBase64 = digits.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(digits);
    return isBase64
      ? { value: new Uint8Array(Buffer.from(digits, "base64")) }
      : "must be base64, of the standard alphabet and padded";
  });
}

function valuesOf<Value>(
  tree: Tree | undefined,
  field: string,
  read: (text: string) => { readonly value: Value } | string,
): Values<Value> {
  const values = new Map<string, Value>();
  const flaws: Flaw[] = [];
  if (tree !== undefined && !isMap(tree)) flaws.push(invalid(field, "must be a mapping"));
  for (const [key, value] of Object.entries(isMap(tree) ? tree : {})) {
    const path = fieldOf(field, key);
    const problem = checkConfigKey(key);
    if (problem !== undefined) flaws.push(invalid(path, `invalid key ${show(key)}: ${problem}`));
    if (typeof value !== "string" && value !== null) {
      const isScalar = typeof value === "number" || typeof value === "boolean";
      const flaw = invalid(path, "must be a string");
      flaws.push(isScalar ? { ...flaw, hint: quoteIt } : flaw);
      continue;
    }
    const result = read(value ?? "");
    if (typeof result === "string") flaws.push(invalid(path, result));
    else values.set(key, result.value);
  }
  return { values, flaws };
}

function textFrom(bytes: Uint8Array): string | undefined {
  try {
    // A byte order mark is part of the value.
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function checkSize({ texts, binaries }: DataObject): Flaw[] {
  let bytes = 0;
  for (const text of texts.values()) bytes += Buffer.byteLength(text);
  for (const data of binaries.values()) bytes += data.byteLength;
  if (bytes <= bytesMax) return [];
  return [invalid("data", `too long: may not be more than ${bytesMax} bytes`)];
}

/** Keys without which a Secret of the type is of no use. */
const keysOfType: Readonly<Record<string, readonly string[]>> = {
  "kubernetes.io/dockercfg": [".dockercfg"],
  "kubernetes.io/dockerconfigjson": [".dockerconfigjson"],
  "kubernetes.io/ssh-auth": ["ssh-privatekey"],
  "kubernetes.io/tls": ["tls.crt", "tls.key"],
};

function checkType({ type, texts, binaries }: DataObject): Flaw[] {
  const missing = (keysOfType[type] ?? []).filter((key) => !texts.has(key) && !binaries.has(key));
  const flaws = missing.map((key) => invalid(fieldOf("data", key), "required value"));
  if (type === "kubernetes.io/basic-auth" && !texts.has("username") && !texts.has("password")) {
    flaws.push(invalid("data", "required value: username or password"));
  }
  const config = type.startsWith("kubernetes.io/dockerc")
    ? texts.get(keysOfType[type]?.[0] ?? "")
    : undefined;
  if (config !== undefined && !isJson(config)) {
    flaws.push(invalid(fieldOf("data", keysOfType[type]?.[0] ?? ""), "must be JSON"));
  }
  return flaws;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
