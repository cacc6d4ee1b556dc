// Images from files: an OCI layout in a directory or an archive, and what `docker save` writes.
// Whatever they say is checked as if a registry had said it.

import {
  closeSync,
  copyFileSync,
  createReadStream,
  existsSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  statSync,
} from "node:fs";
import { basename, join } from "node:path";
import Type from "typebox";
import { Compile } from "typebox/compile";
import { PodError } from "../errors/pod-error.ts";
import { pairLayers } from "./image.ts";
import type { Descriptor, ImageManifest } from "./manifest.ts";
import {
  documentBytesMax,
  hostPlatform,
  mediaTypes,
  parseConfig,
  parseDocument,
  parseJson,
  selectManifest,
} from "./manifest.ts";
import type { StoredName } from "./names.ts";
import { writeName } from "./names.ts";
import { settleAll } from "./pull.ts";
import { parseReference, printReference } from "./reference.ts";
import type { Spool } from "./spool.ts";
import { spoolArchive } from "./spool.ts";
import type { ImageStore } from "./store.ts";
import { attempt, hexOf } from "./store.ts";

export interface LoadOptions {
  /** For the one image of the archive, whatever it is called there. */
  readonly name?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

const DockerEntries = Type.Array(
  Type.Object({
    Config: Type.String(),
    RepoTags: Type.Optional(Type.Union([Type.Array(Type.String()), Type.Null()])),
    Layers: Type.Array(Type.String()),
  }),
  { maxItems: 1000 },
);
const isDockerEntries = Compile(DockerEntries);

/** A directory, the path of an archive, or the bytes of one. The names that the images have now. */
export async function loadImages(
  store: ImageStore,
  source: string | ReadableStream<Uint8Array>,
  options: LoadOptions,
): Promise<StoredName[]> {
  using _ = await store.share(options.signal);
  const isDirectory = typeof source === "string" && statOf(source).isDirectory();
  if (isDirectory) return await loadLayout(store, source, directoryFiles(source), options);
  using draft = store.makeDraft();
  const label = typeof source === "string" ? source : "the archive";
  const bytes = typeof source === "string" ? createReadStream(source) : source;
  const spool = await spoolArchive(draft.path, bytes, label, options.signal);
  const files = spoolFiles(spool);
  if (files.has("index.json")) return await loadLayout(store, label, files, options);
  if (files.has("manifest.json")) return await loadDocker(store, label, spool, options);
  throw bad(label, "it has neither an index.json nor a manifest.json");
}

function statOf(path: string) {
  try {
    return statSync(path);
  } catch (error) {
    throw bad(path, error instanceof Error ? error.message : String(error));
  }
}

/** What both kinds of layout are to the code below. */
interface Files {
  has(path: string): boolean;
  read(path: string): Uint8Array;
  /** Into the store, under the digest that it really has. */
  add(store: ImageStore, path: string, digest: string): void;
}

function directoryFiles(directory: string): Files {
  return {
    has: (path) => existsSync(join(directory, path)),
    read: (path) => readSmall(join(directory, path)),
    add: (store, path, digest) => {
      const from = join(directory, path);
      using draft = store.makeDraft();
      const copy = join(draft.path, "blob");
      attempt("copy", from, () => copyFileSync(from, copy));
      keepBlob(store, copy, hashOf(copy), digest);
    },
  };
}

function spoolFiles(spool: Spool): Files {
  return {
    has: (path) => spool.find(path) !== undefined,
    read: (path) => readSmall(spool.find(path)?.file ?? ""),
    add: (store, path, digest) => {
      const found = spool.find(path);
      if (found === undefined) throw bad(spool.label, `it lacks ${path}`);
      keepBlob(store, found.file, found.digest, digest);
    },
  };
}

function keepBlob(store: ImageStore, file: string, has: string, wanted: string): void {
  if (has !== wanted) {
    throw new PodError({
      code: "image.digest-mismatch",
      message: `a file that is to be ${wanted} has the digest ${has}`,
    });
  }
  attempt("keep", wanted, () => renameSync(file, store.blobPath(wanted)));
}

function hashOf(path: string): string {
  const hasher = new Bun.CryptoHasher("sha256");
  const buffer = Buffer.alloc(1 << 20);
  const fd = openSync(path, "r");
  try {
    for (let read = -1; read !== 0;) {
      read = readSync(fd, buffer, 0, buffer.length, null);
      hasher.update(buffer.subarray(0, read));
    }
    return `sha256:${hasher.digest("hex")}`;
  } finally {
    closeSync(fd);
  }
}

function readSmall(path: string): Uint8Array {
  if (statSync(path).size > documentBytesMax) throw bad(path, "it is too large for a document");
  return readFileSync(path);
}

async function loadLayout(
  store: ImageStore,
  label: string,
  files: Files,
  options: LoadOptions,
): Promise<StoredName[]> {
  if (!files.has("index.json")) throw bad(label, "it has no index.json");
  const top = parseDocument(files.read("index.json"), label);
  if (top.kind !== "index") throw bad(label, "its index.json is not an index");
  const bring = (digest: string) => {
    const path = `blobs/sha256/${hexOf(digest)}`;
    if (store.blobBytes(digest) === undefined) files.add(store, path, digest);
  };
  const loaded: StoredName[] = [];
  for (const entry of top.index.manifests) {
    const name = nameOf(entry, label, options, top.index.manifests.length);
    bring(entry.digest);
    const document = parseDocument(store.readDocument(entry.digest), name);
    const digest =
      document.kind === "manifest"
        ? entry.digest
        : selectManifest(document.index, hostPlatform, name).digest;
    bring(digest);
    const own = parseDocument(store.readDocument(digest), name);
    if (own.kind !== "manifest") throw bad(label, "its list of manifests leads to another");
    for (const blob of [own.manifest.config, ...own.manifest.layers]) bring(blob.digest);
    loaded.push(await finish(store, name, entry.digest, digest, own.manifest, options));
  }
  return loaded;
}

/** Unpacked first, named last. */
export async function finish(
  store: ImageStore,
  subject: string,
  target: string,
  digest: string,
  manifest: ImageManifest,
  { signal }: LoadOptions,
): Promise<StoredName> {
  const config = parseConfig(store.readDocument(manifest.config.digest), subject);
  const layers = pairLayers(manifest, config, subject);
  await settleAll(store, layers, new Map(), subject, signal);
  const name = {
    name: subject,
    target,
    manifest: digest,
    config: manifest.config.digest,
    setMs: Date.now(),
  };
  writeName(store, name);
  return name;
}

/** containerd writes the whole name, skopeo a name as it was typed, umoci a tag. */
function nameOf(
  { annotations = {} }: Descriptor,
  label: string,
  options: LoadOptions,
  count: number,
): string {
  if (options.name !== undefined) {
    if (count > 1) throw bad(label, `it has ${count} images, and one name is given for them`);
    return printReference(parseReference(options.name));
  }
  const full = annotations["io.containerd.image.name"];
  const written = annotations["org.opencontainers.image.ref.name"] ?? "latest";
  if (full !== undefined) return printReference(parseReference(full));
  if (/[:/]/.test(written)) return printReference(parseReference(written));
  // A tag alone: the file's own name says of what.
  const word = basename(label)
    .replace(/\.tar.*$/, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-");
  return printReference(
    parseReference(`localhost/${word.replace(/^-|-$/g, "") || "image"}:${written}`),
  );
}

/** Its layers are plain archives, and it has no manifest: one is made, the same each time. */
async function loadDocker(
  store: ImageStore,
  label: string,
  spool: Spool,
  options: LoadOptions,
): Promise<StoredName[]> {
  const entries = parseJson(spoolFiles(spool).read("manifest.json"), label);
  if (!isDockerEntries.Check(entries)) throw bad(label, "its manifest.json is not docker's");
  const loaded: StoredName[] = [];
  for (const { Config, RepoTags, Layers } of entries) {
    const config = { mediaType: mediaTypes.ociConfig, ...take(store, spool, Config) };
    const layers = Layers.map((path) => ({
      mediaType: `${mediaTypes.ociLayer}${spool.find(path)?.suffix ?? ""}`,
      ...take(store, spool, path),
    }));
    const manifest = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config,
      layers,
    } as const;
    const digest = store.writeBlob(Buffer.from(JSON.stringify(manifest)));
    const names = options.name === undefined ? (RepoTags ?? []) : [options.name];
    const wanted = names.length > 0 ? names : [`localhost/${hexOf(config.digest).slice(0, 12)}`];
    for (const text of wanted) {
      const name = printReference(parseReference(text));
      loaded.push(await finish(store, name, digest, digest, manifest, options));
    }
  }
  return loaded;
}

function take(store: ImageStore, spool: Spool, path: string) {
  const found = spool.find(path);
  if (found === undefined) throw bad(spool.label, `it lacks ${JSON.stringify(path)}`);
  const { digest, size } = found;
  if (store.blobBytes(digest) !== size) keepBlob(store, found.file, digest, digest);
  return { digest, size };
}

export function bad(label: string, why: string): PodError {
  return new PodError({
    code: "image.bad-archive",
    message: `${label} is not an image archive: ${why}`,
  });
}
