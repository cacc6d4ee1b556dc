// Pulls an image: which manifest, its blobs, its layers, and last of all its name. Until the name
// is written nobody sees anything; what was brought before an end halfway is there for the next.

import { PodError } from "../errors/pod-error.ts";
import { downloadBlob } from "./download.ts";
import { findEndpoints, hostsDirectories } from "./hosts.ts";
import type { StoredImage, StoredLayer } from "./image.ts";
import { pairLayers, readImage, searchRegistries } from "./image.ts";
import type { WaitingLayer } from "./layers.ts";
import { findLayer, unpackWaiting } from "./layers.ts";
import type { HostPlatform, ImageConfig, ImageManifest } from "./manifest.ts";
import {
  acceptManifests,
  documentBytesMax,
  hostPlatform,
  parseConfig,
  parseDocument,
  selectManifest,
  unsupported,
} from "./manifest.ts";
import { writeName } from "./names.ts";
import type { ImageReference } from "./reference.ts";
import { isShortName, parseReference, printReference, referenceTarget } from "./reference.ts";
import { Registry } from "./registry.ts";
import type { ImageStore } from "./store.ts";
import { digestOf } from "./store.ts";
import { Turns } from "./turns.ts";
import type { PullProgress, PullSecret } from "./types.ts";

export interface PullOptions {
  readonly onProgress?: ((progress: PullProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly platform?: HostPlatform | undefined;
  /** For names without a registry, in this order. Default: docker.io. */
  readonly registries?: readonly string[];
  /** Where directories with a hosts.toml for each registry are looked for. */
  readonly hostsDirectories?: readonly string[];
  readonly pullSecrets?: readonly PullSecret[] | undefined;
}

/** As Docker and containerd have it. */
const downloadsAtOnce = 3;
/** Each keeps a thread of zlib and our own busy. */
const unpackingAtOnce = 2;

export async function pullImage(
  store: ImageStore,
  text: string,
  options: PullOptions,
): Promise<StoredImage> {
  using _ = await store.share(options.signal);
  const registries = searchRegistries(options);
  const candidates = isShortName(text) ? registries : registries.slice(0, 1);
  for (const [index, registry] of candidates.entries()) {
    const reference = parseReference(text, registry);
    try {
      return await pullReference(store, reference, options);
    } catch (error) {
      // Only where it is certain that one does not have it, the next is asked.
      const isMissing = error instanceof PodError && error.code === "image.not-found";
      if (!isMissing || index === candidates.length - 1) throw error;
    }
  }
  throw new Error("no registry to ask");
}

async function pullReference(
  store: ImageStore,
  reference: ImageReference,
  options: PullOptions,
): Promise<StoredImage> {
  const endpoints = findEndpoints(reference.registry, options.hostsDirectories ?? hostsDirectories);
  const registries = endpoints
    .filter(({ canPull }) => canPull)
    .map(
      (endpoint) =>
        new Registry(endpoint, reference.repository, { pullSecrets: options.pullSecrets }),
    );
  const subject = printReference(reference);
  const platform = options.platform ?? hostPlatform;
  const { signal } = options;
  const found = await resolveManifest(store, registries, reference, platform, signal);
  const { manifest } = found;
  const config = await fetchConfig(store, registries, manifest, subject, signal);
  checkPlatform(config, platform, subject);
  const layers = pairLayers(manifest, config, subject);
  await bringLayers(store, registries, layers, subject, options);
  const name = {
    name: subject,
    target: found.target,
    manifest: found.digest,
    config: manifest.config.digest,
    setMs: Date.now(),
  };
  writeName(store, name);
  return readImage(store, name);
}

interface Resolved {
  readonly target: string;
  readonly digest: string;
  readonly manifest: ImageManifest;
}

async function resolveManifest(
  store: ImageStore,
  registries: readonly Registry[],
  reference: ImageReference,
  platform: HostPlatform,
  signal: AbortSignal | undefined,
): Promise<Resolved> {
  const subject = printReference(reference);
  const wanted = referenceTarget(reference);
  const top = await fetchManifest(store, registries, wanted, reference.digest, signal);
  const document = parseDocument(top.bytes, subject);
  if (document.kind === "manifest") {
    return { target: top.digest, digest: top.digest, manifest: document.manifest };
  }
  const { digest } = selectManifest(document.index, platform, subject);
  const inner = await fetchManifest(store, registries, digest, digest, signal);
  const own = parseDocument(inner.bytes, subject);
  if (own.kind === "index") throw unsupported(subject, "its list of manifests leads to another");
  return { target: top.digest, digest, manifest: own.manifest };
}

/** `digest` is what it must have; empty for what a tag stands for. */
async function fetchManifest(
  store: ImageStore,
  registries: readonly Registry[],
  target: string,
  digest: string,
  signal: AbortSignal | undefined,
): Promise<{ readonly digest: string; readonly bytes: Uint8Array }> {
  if (digest !== "" && store.blobBytes(digest) !== undefined) {
    return { digest, bytes: store.readDocument(digest) };
  }
  const usable = registries.filter(({ endpoint }) => digest !== "" || endpoint.canResolve);
  const bytes = await firstOf(usable, signal, async (registry) => {
    const path = `manifests/${target}`;
    const answer = await registry.request({ path, headers: { accept: acceptManifests }, signal });
    if (!answer.ok) throw await registry.explain(answer, target);
    const read = await registry.read(answer);
    const promised = digest || answer.headers.get("docker-content-digest");
    if (promised?.startsWith("sha256:") && promised !== digestOf(read)) {
      throw new PodError({
        code: "image.digest-mismatch",
        message: `${registry.endpoint.url} sends ${digestOf(read)} for ${promised}`,
      });
    }
    return read;
  });
  return { digest: store.writeBlob(bytes), bytes };
}

/** A mirror that fails is passed over; the last one's error is the one to tell. */
async function firstOf<T>(
  registries: readonly Registry[],
  signal: AbortSignal | undefined,
  ask: (registry: Registry) => Promise<T>,
): Promise<T> {
  let last: unknown = new PodError({
    code: "image.configuration",
    message: "hosts.toml leaves no host that may be asked",
  });
  for (const registry of registries) {
    try {
      return await ask(registry);
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof PodError)) throw error;
      last = error;
    }
  }
  throw last;
}

async function fetchConfig(
  store: ImageStore,
  registries: readonly Registry[],
  { config }: ImageManifest,
  subject: string,
  signal: AbortSignal | undefined,
): Promise<ImageConfig> {
  if (config.size > documentBytesMax) {
    throw unsupported(subject, `its configuration has ${config.size} bytes`);
  }
  await downloadBlob(store, registries, config, { onBytes: () => {}, signal });
  return parseConfig(store.readDocument(config.digest), subject);
}

function checkPlatform(config: ImageConfig, platform: HostPlatform, subject: string): void {
  const { os, architecture } = config;
  if (os === platform.os && architecture === platform.architecture) return;
  const wanted = `${platform.os}/${platform.architecture}`;
  throw unsupported(subject, `it is for ${os}/${architecture}, and ${wanted} is wanted`);
}

/** Several at once; then from the lowest up, because a layer may ask those below it. */
async function bringLayers(
  store: ImageStore,
  registries: readonly Registry[],
  layers: readonly StoredLayer[],
  subject: string,
  options: PullOptions,
): Promise<void> {
  const stop = new AbortController();
  const { signal: own } = stop;
  const signal = options.signal ? AbortSignal.any([options.signal, own]) : own;
  const downloads = new Turns(downloadsAtOnce);
  const unpacking = new Turns(unpackingAtOnce);
  const waiting = new Map<string, WaitingLayer>();
  const bringOne = async (layer: StoredLayer) => {
    const { blob, diffId } = layer;
    const tell = (state: PullProgress["state"], bytes: number) =>
      options.onProgress?.({ digest: blob.digest, state, bytes, bytesTotal: blob.size });
    tell("waiting", 0);
    const onBytes = (bytes: number) => tell("downloading", bytes);
    await downloads.take(() => downloadBlob(store, registries, blob, { onBytes, signal }));
    if (findLayer(store, layer) === undefined) {
      tell("unpacking", blob.size);
      const unpack = () => unpackWaiting(store, blob, layer, subject, signal);
      waiting.set(diffId, await unpacking.take(unpack));
    }
    tell("done", blob.size);
  };
  // A layer may come twice in an image; it is unpacked once.
  const unique = [...new Map(layers.map((layer) => [layer.diffId, layer])).values()];
  const work = unique.map((layer) =>
    bringOne(layer).catch((error: unknown) => {
      stop.abort();
      throw error;
    }),
  );
  const results = await Promise.allSettled(work);
  try {
    throwFirst(results, options.signal);
    await settleAll(store, layers, waiting, subject, signal);
  } finally {
    for (const layer of waiting.values()) layer[Symbol.dispose]();
  }
}

/** The one that stopped the others, not one of those that were stopped. */
function throwFirst(results: readonly PromiseSettledResult<void>[], signal?: AbortSignal): void {
  signal?.throwIfAborted();
  const reasons = results.flatMap((result): unknown[] =>
    result.status === "rejected" ? [result.reason] : [],
  );
  if (reasons.length > 0) throw reasons.find((reason) => reason instanceof PodError) ?? reasons[0];
}

export async function settleAll(
  store: ImageStore,
  layers: readonly StoredLayer[],
  waiting: ReadonlyMap<string, WaitingLayer>,
  subject: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const below: string[] = [];
  const used = new Set<string>();
  for (const layer of layers) {
    let place = findLayer(store, layer);
    if (place === undefined) {
      const first = used.has(layer.diffId) ? undefined : waiting.get(layer.diffId);
      used.add(layer.diffId);
      using own = first ?? (await unpackWaiting(store, layer.blob, layer, subject, signal));
      place = own.settle(below);
    }
    below.unshift(place);
  }
}
