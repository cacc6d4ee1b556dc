// One blob into the store: its digest is checked as it comes, a break is continued where it was,
// and of several processes that want it one does the work.

import { closeSync, createReadStream, fstatSync, ftruncateSync, openSync } from "node:fs";
import { renameSync, statfsSync, writeSync } from "node:fs";
import { PodError } from "../errors/pod-error.ts";
import type { Descriptor } from "./manifest.ts";
import type { Registry } from "./registry.ts";
import type { ImageStore } from "./store.ts";
import { attempt, storeFailed } from "./store.ts";

const breaksMax = 5;
/** A connection that brings nothing for so long is taken for dead. */
const stallMs = 30_000;
const reserveBytes = 256 << 20;

export interface DownloadOptions {
  /** Bytes of it that are there, from whatever attempt. */
  readonly onBytes: (bytes: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/** From the first of the registries that has it. */
export async function downloadBlob(
  store: ImageStore,
  registries: readonly Registry[],
  blob: Descriptor,
  options: DownloadOptions,
): Promise<void> {
  if (store.blobBytes(blob.digest) === blob.size) return options.onBytes(blob.size);
  using _ = await store.lock(blob.digest, options.signal);
  // Another may have brought it while we waited.
  if (store.blobBytes(blob.digest) === blob.size) return options.onBytes(blob.size);
  checkRoom(store, blob);
  let last: unknown;
  for (const registry of registries) {
    try {
      return await fetchInto(store, registry, blob, options);
    } catch (error) {
      options.signal?.throwIfAborted();
      if (!(error instanceof PodError) || error.code === "image.store-failed") throw error;
      last = error;
    }
  }
  throw last;
}

async function fetchInto(
  store: ImageStore,
  registry: Registry,
  blob: Descriptor,
  options: DownloadOptions,
): Promise<void> {
  const path = store.partialPath(blob.digest);
  const fd = attempt("open", path, () => openSync(path, "a+", 0o600));
  try {
    const partial = { path, fd, hasher: new Bun.CryptoHasher("sha256"), bytes: 0 };
    partial.bytes = await hashStart(partial, blob);
    for (let breaks = 0; partial.bytes < blob.size;) {
      const before = partial.bytes;
      try {
        await fetchRest(registry, blob, partial, options);
      } catch (error) {
        options.signal?.throwIfAborted();
        if (error instanceof PodError) throw error;
        // A connection that broke off after bringing something has not used up our patience.
        breaks = partial.bytes > before ? 0 : breaks + 1;
        if (breaks === breaksMax) throw registry.unreachable(error);
      }
    }
    const digest = `sha256:${partial.hasher.digest("hex")}`;
    if (digest !== blob.digest) {
      ftruncateSync(fd, 0);
      throw mismatch(`${registry.endpoint.url} sends ${digest} for`, blob);
    }
    attempt("keep", path, () => renameSync(path, store.blobPath(blob.digest)));
  } finally {
    closeSync(fd);
  }
}

interface Partial {
  readonly path: string;
  readonly fd: number;
  hasher: Bun.CryptoHasher;
  bytes: number;
}

/** What an earlier attempt left counts, as far as it can be part of the blob. */
async function hashStart(partial: Partial, blob: Descriptor): Promise<number> {
  const { size } = fstatSync(partial.fd);
  if (size === 0) return 0;
  if (size > blob.size) {
    ftruncateSync(partial.fd, 0);
    return 0;
  }
  for await (const piece of createReadStream(partial.path, { end: size - 1 })) {
    // Without an encoding set, chunks are buffers.
    partial.hasher.update(piece as Buffer);
  }
  return size;
}

async function fetchRest(
  registry: Registry,
  blob: Descriptor,
  partial: Partial,
  options: DownloadOptions,
): Promise<void> {
  const watch = new AbortController();
  const { signal } = options;
  const answer = await registry.request({
    path: `blobs/${blob.digest}`,
    headers: partial.bytes > 0 ? { range: `bytes=${partial.bytes}-` } : {},
    signal: signal ? AbortSignal.any([signal, watch.signal]) : watch.signal,
  });
  if (answer.status !== 200 && answer.status !== 206) {
    throw await registry.explain(answer, blob.digest);
  }
  if (answer.status === 200 && partial.bytes > 0) {
    // It starts anew, whatever was asked.
    ftruncateSync(partial.fd, 0);
    partial.hasher = new Bun.CryptoHasher("sha256");
    partial.bytes = 0;
  }
  let timer = setTimeout(() => watch.abort(), stallMs);
  try {
    for await (const piece of answer.body ?? []) {
      clearTimeout(timer);
      timer = setTimeout(() => watch.abort(), stallMs);
      if (partial.bytes + piece.length > blob.size) {
        ftruncateSync(partial.fd, 0);
        throw mismatch(`${registry.endpoint.url} sends more than ${blob.size} bytes for`, blob);
      }
      appendAll(partial, piece);
      options.onBytes(partial.bytes);
    }
  } finally {
    clearTimeout(timer);
  }
  if (partial.bytes < blob.size) throw new Error("the connection ended early");
}

function appendAll(partial: Partial, piece: Uint8Array): void {
  partial.hasher.update(piece);
  try {
    for (let done = 0; done < piece.length;) done += writeSync(partial.fd, piece, done);
  } catch (error) {
    throw storeFailed(`cannot write ${partial.path}`, error);
  }
  partial.bytes += piece.length;
}

function mismatch(who: string, { digest }: Descriptor): PodError {
  return new PodError({ code: "image.digest-mismatch", message: `${who} ${digest}` });
}

function checkRoom(store: ImageStore, blob: Descriptor): void {
  const { bavail, bsize } = statfsSync(store.path);
  if (bavail * bsize >= blob.size + reserveBytes) return;
  throw new PodError({
    code: "image.store-failed",
    message: `${store.path} has no room for ${blob.digest}, ${blob.size} bytes`,
  });
}
