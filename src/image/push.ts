// Sends an image to a registry: the blobs that it lacks, then the manifest, as they are stored. So
// digests there are what they are here.

import { PodError } from "../errors/pod-error.ts";
import { findEndpoints, hostsDirectories } from "./hosts.ts";
import type { StoredImage } from "./image.ts";
import type { Descriptor } from "./manifest.ts";
import { mediaTypes } from "./manifest.ts";
import type { ImageReference } from "./reference.ts";
import { printReference } from "./reference.ts";
import { Registry } from "./registry.ts";
import type { ImageStore } from "./store.ts";
import { Turns } from "./turns.ts";
import type { PullProgress } from "./types.ts";

export interface PushOptions {
  readonly onProgress?: ((progress: PullProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly hostsDirectories?: readonly string[];
}

const uploadsAtOnce = 3;

export async function pushImage(
  store: ImageStore,
  image: StoredImage,
  target: ImageReference,
  options: PushOptions,
): Promise<string> {
  const endpoints = findEndpoints(target.registry, options.hostsDirectories ?? hostsDirectories);
  // Mirrors are for reading; the registry itself stands last.
  const endpoint = endpoints.findLast(({ canPush }) => canPush);
  if (endpoint === undefined) {
    throw new PodError({
      code: "image.configuration",
      message: `hosts.toml of ${target.registry} leaves no host that may be pushed to`,
    });
  }
  const registry = new Registry(endpoint, target.repository, { actions: "pull,push" });
  const { manifest, name } = image;
  const turns = new Turns(uploadsAtOnce);
  const unique = new Map([...manifest.layers, manifest.config].map((blob) => [blob.digest, blob]));
  await Promise.all(
    [...unique.values()].map((blob) =>
      turns.take(async () => {
        const tell = (state: PullProgress["state"], bytes: number) =>
          options.onProgress?.({ digest: blob.digest, state, bytes, bytesTotal: blob.size });
        tell("uploading", 0);
        await pushBlob(store, registry, blob, options.signal);
        tell("done", blob.size);
      }),
    ),
  );
  await pushManifest(store, registry, image, target, options.signal);
  return name.manifest;
}

async function pushBlob(
  store: ImageStore,
  registry: Registry,
  { digest, size }: Descriptor,
  signal: AbortSignal | undefined,
): Promise<void> {
  const there = await registry.request({ method: "HEAD", path: `blobs/${digest}`, signal });
  if (there.ok) return;
  if (store.blobBytes(digest) !== size) {
    throw new PodError({
      code: "image.store-failed",
      message: `${store.blobPath(digest)} is missing or not whole`,
    });
  }
  const opened = await registry.request({ method: "POST", path: "blobs/uploads/", signal });
  const location = opened.headers.get("location");
  if (opened.status !== 202 || location === null) throw await registry.explain(opened, digest);
  const sent = await registry.request({
    method: "PUT",
    path: `${location}${location.includes("?") ? "&" : "?"}digest=${encodeURIComponent(digest)}`,
    headers: { "content-type": "application/octet-stream" },
    body: () => Bun.file(store.blobPath(digest)),
    signal,
  });
  if (sent.status !== 201) throw await registry.explain(sent, digest);
}

async function pushManifest(
  store: ImageStore,
  registry: Registry,
  { name, manifest }: StoredImage,
  target: ImageReference,
  signal: AbortSignal | undefined,
): Promise<void> {
  const bytes = store.readDocument(name.manifest);
  const sent = await registry.request({
    method: "PUT",
    path: `manifests/${target.tag || name.manifest}`,
    headers: { "content-type": manifest.mediaType ?? mediaTypes.ociManifest },
    body: () => new Blob([Uint8Array.from(bytes)]),
    signal,
  });
  if (sent.status !== 201) throw await registry.explain(sent, printReference(target));
  const digest = sent.headers.get("docker-content-digest");
  if (digest === null || digest === name.manifest) return;
  throw new PodError({
    code: "image.digest-mismatch",
    message: `${registry.endpoint.url} took ${name.manifest} and calls it ${digest}`,
  });
}
