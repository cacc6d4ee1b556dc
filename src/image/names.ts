// The names in the store: each a small file that says which manifest it stands for. Files are named
// by a hash, because a name may be longer than a file's may be.

import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import Type from "typebox";
import { Compile } from "typebox/compile";
import { PodError } from "../errors/pod-error.ts";
import type { ImageReference } from "./reference.ts";
import { isDigest, parseReference, printReference } from "./reference.ts";
import type { ImageStore } from "./store.ts";
import { attempt, digestOf, hexOf } from "./store.ts";

const NameSchema = Type.Object({
  name: Type.String(),
  /** What the registry calls so: an index, or the manifest itself. */
  target: Type.String({ pattern: "^sha256:[0-9a-f]{64}$" }),
  manifest: Type.String({ pattern: "^sha256:[0-9a-f]{64}$" }),
  /** The image's id. */
  config: Type.String({ pattern: "^sha256:[0-9a-f]{64}$" }),
  setMs: Type.Number(),
});
export type StoredName = Type.Static<typeof NameSchema>;
const isName = Compile(NameSchema);

export function readNames(store: ImageStore): StoredName[] {
  return store
    .names("names")
    .map((file) => readNameFile(join(store.path, "names", file)))
    .filter((name) => name !== undefined)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

export function readName(store: ImageStore, name: string): StoredName | undefined {
  return readNameFile(placeOf(store, name));
}

export function writeName(store: ImageStore, name: StoredName): void {
  store.writeWhole(placeOf(store, name.name), JSON.stringify(name));
}

export function removeName(store: ImageStore, name: string): void {
  const path = placeOf(store, name);
  attempt("remove", path, () => rmSync(path, { force: true }));
}

function placeOf(store: ImageStore, name: string): string {
  return join(store.path, "names", `${hexOf(digestOf(name))}.json`);
}

/** Undefined for what is not there, or damaged: a name can be pulled again. */
function readNameFile(path: string): StoredName | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    return isName.Check(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** By name, by `name@digest`, or by an id or its beginning. */
export function findName(
  store: ImageStore,
  text: string,
  registries: readonly string[],
): StoredName | undefined {
  return findById(store, text) ?? findByName(store, text, registries);
}

/** An image may have several names; any of them will do. */
function findById(store: ImageStore, text: string): StoredName | undefined {
  const hex = text.replace(/^sha256:/, "");
  if (!/^[0-9a-f]{4,64}$/.test(hex) || (hex.length < 64 && text.startsWith("sha256:"))) {
    return undefined;
  }
  const matches = readNames(store).filter(
    ({ config, manifest, target }) =>
      hexOf(config).startsWith(hex) || [manifest, target].includes(`sha256:${hex}`),
  );
  const ids = new Set(matches.map(({ config }) => config));
  if (ids.size < 2) return matches[0];
  throw new PodError({
    code: "image.not-found",
    message: `${JSON.stringify(text)} fits ${ids.size} images`,
    hint: `it could be ${[...ids].map((id) => hexOf(id).slice(0, 12)).join(", ")}`,
  });
}

function findByName(
  store: ImageStore,
  text: string,
  registries: readonly string[],
): StoredName | undefined {
  for (const registry of registries) {
    const reference = parseReference(text, registry);
    const found = readName(store, printReference(reference)) ?? findByDigest(store, reference);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** What was pulled by its tag is there by its digest, too. */
function findByDigest(store: ImageStore, reference: ImageReference): StoredName | undefined {
  const { registry, repository, digest } = reference;
  if (!isDigest(digest)) return undefined;
  return readNames(store).find(({ name, target, manifest }) => {
    const own = parseReference(name);
    const isSame = own.registry === registry && own.repository === repository;
    return isSame && [target, manifest].includes(digest);
  });
}
