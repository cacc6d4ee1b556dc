// The files of a volume that peapod writes itself: of ConfigMaps, Secrets, and what a pod says
// about itself. Names and errors are the kubelet's (pkg/volume/configmap, secret, downwardapi).

import type { KeyToPath, ProjectedSource, VolumeSpec } from "../spec/volume-spec.ts";
import type { ProjectedFile } from "../spec/resolved.ts";
import { findObject } from "./environment.ts";
import { fault } from "./fault.ts";
import type { FieldSource } from "./fields.ts";
import { readReference } from "./fields.ts";

export type ProjectedSpec = Extract<VolumeSpec, { readonly kind: "projected" }>;

/** Of all sources together; where two have the same path the later one wins. */
export function resolveProjected(source: FieldSource, volume: ProjectedSpec): ProjectedFile[] {
  const files = new Map<string, ProjectedFile>();
  for (const part of volume.sources) {
    for (const file of filesOf(source, part, volume.defaultMode)) {
      checkPath(source, part.field, file.path);
      files.set(file.path, file);
    }
  }
  for (const path of files.keys()) {
    const above = parentsOf(path).find((parent) => files.has(parent));
    if (above === undefined) continue;
    throw fault(source.spec, volume.field, {
      code: "manifest.invalid",
      message: `${volume.field}: ${path} cannot be made below ${above}, which is a file`,
    });
  }
  return [...files.values()];
}

function filesOf(
  source: FieldSource,
  part: ProjectedSource,
  defaultMode: number,
): readonly ProjectedFile[] {
  if (part.kind === "downwardAPI") {
    return part.items.map(({ field, path, mode, value }) => ({
      path,
      bytes: encode(readReference(source, value, undefined, field)),
      mode: mode ?? defaultMode,
    }));
  }
  const found = findObject(source.spec, part.kind, part.name, part.optional, part.field);
  if (!found) return [];
  const contentOf = (key: string) => {
    const text = found.texts.get(key);
    return text === undefined ? found.binaries.get(key) : encode(text);
  };
  const all = [...found.texts.keys(), ...found.binaries.keys()].toSorted();
  const items = part.items ?? all.map((key): KeyToPath => ({ key, path: key }));
  return items.flatMap(({ key, path, mode }, index) => {
    const bytes = contentOf(key);
    if (bytes) return [{ path, bytes, mode: mode ?? defaultMode }];
    if (part.optional) return [];
    const kind = part.kind === "secret" ? "secret" : "config";
    throw fault(source.spec, `${part.field}.items[${index}].key`, {
      code: "object.key-missing",
      message: `${part.kind.toLowerCase()} ${part.name} references non-existent ${kind} key: ${key}`,
    });
  });
}

/** A reader has seen to it for manifests; the module is given objects of anybody's making. */
function checkPath(source: FieldSource, field: string, path: string): void {
  const parts = path.split("/");
  const isClean = parts.every((part) => part !== "" && part !== "." && part !== "..");
  if (isClean && !path.startsWith("..") && !path.includes("\0") && path.length < 4000) return;
  throw fault(source.spec, field, {
    code: "manifest.invalid",
    message: `${field}: ${JSON.stringify(path)} cannot be the path of a file in a volume`,
  });
}

/** `a/b/c` → `a`, `a/b`. */
function parentsOf(path: string): string[] {
  const parts = path.split("/");
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join("/"));
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** `..2026_11_21_12_25_39.123456789`, as the kubelet names a set of files. */
export function newFileSet(): string {
  const time = new Date().toISOString().slice(0, 19).replace(/[-:T]/g, "_");
  const [number = 0] = crypto.getRandomValues(new Uint32Array(1));
  return `..${time}.${String(number).padStart(10, "0")}`;
}
