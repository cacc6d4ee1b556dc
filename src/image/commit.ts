// A container's changes as one more layer of its image.

import { createWriteStream, renameSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { layerRoots } from "./image.ts";
import type { StoredImage } from "./image.ts";
import type { UpperOptions } from "./layer-archive.ts";
import { archiveUpper } from "./layer-archive.ts";
import { finish } from "./load.ts";
import type { Descriptor, ImageManifest } from "./manifest.ts";
import { isRecord, mediaTypes, parseJson, unsupported } from "./manifest.ts";
import type { StoredName } from "./names.ts";
import { parseReference, printReference } from "./reference.ts";
import type { ImageStore } from "./store.ts";
import { attempt, storeFailed } from "./store.ts";

export interface CommitOptions extends Omit<UpperOptions, "below"> {
  readonly upper: string;
  readonly name: string;
  readonly comment: string;
}

/** While the store is shared, and the container stands still. */
export async function commitLayer(
  store: ImageStore,
  base: StoredImage,
  options: CommitOptions,
): Promise<StoredName> {
  const name = printReference(parseReference(options.name));
  const roots = layerRoots(store, base) ?? [];
  const below = roots.map((path) => join(path, "root")).toReversed();
  const { blob, diffId } = await packLayer(store, base.manifest, { ...options, below });
  const config = store.writeBlob(Buffer.from(extendConfig(store, base, diffId, options.comment)));
  const manifest: ImageManifest = {
    ...base.manifest,
    config: { ...base.manifest.config, digest: config, size: store.blobBytes(config) ?? 0 },
    layers: [...base.manifest.layers, blob],
  };
  const digest = store.writeBlob(Buffer.from(JSON.stringify(manifest)));
  return await finish(store, name, digest, digest, manifest, {});
}

async function packLayer(
  store: ImageStore,
  { mediaType }: ImageManifest,
  options: CommitOptions & UpperOptions,
): Promise<{ readonly blob: Descriptor; readonly diffId: string }> {
  const [inner, outer] = [new Bun.CryptoHasher("sha256"), new Bun.CryptoHasher("sha256")];
  let size = 0;
  using draft = store.makeDraft();
  const file = join(draft.path, "layer");
  function* hashed() {
    for (const bytes of archiveUpper(options.upper, options)) {
      inner.update(bytes);
      yield bytes;
    }
  }
  async function* counted(stream: AsyncIterable<Buffer>) {
    for await (const bytes of stream) {
      outer.update(bytes);
      size += bytes.length;
      yield bytes;
    }
  }
  try {
    await pipeline(Readable.from(hashed()), createGzip(), counted, createWriteStream(file));
  } catch (error) {
    throw storeFailed(`cannot pack ${options.upper}`, error);
  }
  const digest = `sha256:${outer.digest("hex")}`;
  attempt("keep", digest, () => renameSync(file, store.blobPath(digest)));
  const isDocker = mediaType === mediaTypes.dockerManifest;
  const type = isDocker
    ? "application/vnd.docker.image.rootfs.diff.tar.gzip"
    : `${mediaTypes.ociLayer}+gzip`;
  return { blob: { mediaType: type, digest, size }, diffId: `sha256:${inner.digest("hex")}` };
}

/** What the base says beyond what we know of is kept. */
function extendConfig(
  store: ImageStore,
  { name, config, manifest }: StoredImage,
  diffId: string,
  comment: string,
): string {
  const written = parseJson(store.readDocument(manifest.config.digest), name.name);
  if (!isRecord(written)) throw unsupported(name.name, "its configuration is no object");
  const created = new Date().toISOString();
  const step = { created, created_by: "peapod commit", ...(comment !== "" && { comment }) };
  return JSON.stringify({
    ...written,
    created,
    rootfs: { type: "layers", diff_ids: [...config.rootfs.diff_ids, diffId] },
    history: [...(config.history ?? []), step],
  });
}
