// Images as one archive, which is both an OCI layout and what `docker save` writes, or as a layout
// directory. Blobs are copied as they were fetched, so digests stay what they are.

import { createReadStream, mkdirSync } from "node:fs";
import { copyFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { StoredImage } from "./image.ts";
import { mediaTypes } from "./manifest.ts";
import { parseReference, printFamiliar } from "./reference.ts";
import type { ImageStore } from "./store.ts";
import { hexOf, storeFailed } from "./store.ts";
import { archiveEnd, encodeHeader, padding } from "./tar-writer.ts";

const layoutVersion = JSON.stringify({ imageLayoutVersion: "1.0.0" });

/** `write` resolves when the bytes are taken. */
export async function saveArchive(
  store: ImageStore,
  images: readonly StoredImage[],
  write: (bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  for (const folder of ["blobs/", "blobs/sha256/"]) {
    await write(encodeHeader({ ...plain, type: "directory", path: folder, mode: 0o755, size: 0 }));
  }
  for (const digest of blobsOf(images)) {
    const size = store.blobBytes(digest) ?? 0;
    const path = blobPath(digest);
    await write(encodeHeader({ ...plain, type: "file", path, mode: 0o644, size }));
    for await (const chunk of createReadStream(store.blobPath(digest), {
      highWaterMark: 1 << 18,
    })) {
      // Without an encoding set, chunks are buffers.
      await write(chunk as Buffer);
    }
    await write(padding(size));
  }
  const documents = [
    ["index.json", JSON.stringify(indexOf(store, images))],
    ["manifest.json", JSON.stringify(images.map(dockerEntry))],
    ["oci-layout", layoutVersion],
  ] as const;
  for (const [path, text] of documents) {
    const bytes = Buffer.from(text);
    await write(encodeHeader({ ...plain, type: "file", path, mode: 0o644, size: bytes.length }));
    await write(bytes);
    await write(padding(bytes.length));
  }
  await write(archiveEnd());
}

/** A layout directory, new or empty. */
export async function saveLayout(
  store: ImageStore,
  images: readonly StoredImage[],
  directory: string,
): Promise<void> {
  try {
    mkdirSync(join(directory, "blobs/sha256"), { recursive: true });
    for (const digest of blobsOf(images)) {
      await copyFile(store.blobPath(digest), join(directory, blobPath(digest)));
    }
    await writeFile(join(directory, "index.json"), JSON.stringify(indexOf(store, images)));
    await writeFile(join(directory, "oci-layout"), layoutVersion);
  } catch (error) {
    throw storeFailed(`cannot write the layout ${directory}`, error);
  }
}

/** Times and owners would make the same image another archive each time. */
const plain = { uid: 0, gid: 0, timeNs: 0n };

function blobPath(digest: string): string {
  return `blobs/sha256/${hexOf(digest)}`;
}

function blobsOf(images: readonly StoredImage[]): string[] {
  const digests = images.flatMap(({ name, manifest }) => [
    name.manifest,
    manifest.config.digest,
    ...manifest.layers.map(({ digest }) => digest),
  ]);
  return [...new Set(digests)].toSorted();
}

function indexOf(store: ImageStore, images: readonly StoredImage[]) {
  return {
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: images.map(({ name, manifest, config }) => ({
      mediaType: manifest.mediaType ?? mediaTypes.ociManifest,
      digest: name.manifest,
      size: store.blobBytes(name.manifest) ?? 0,
      platform: { architecture: config.architecture, os: config.os },
      annotations: {
        "io.containerd.image.name": name.name,
        "org.opencontainers.image.ref.name": parseReference(name.name).tag || "latest",
      },
    })),
  };
}

function dockerEntry({ name, manifest }: StoredImage) {
  const reference = parseReference(name.name);
  return {
    Config: blobPath(manifest.config.digest),
    RepoTags: reference.tag === "" ? [] : [printFamiliar({ ...reference, digest: "" })],
    Layers: manifest.layers.map(({ digest }) => blobPath(digest)),
  };
}
