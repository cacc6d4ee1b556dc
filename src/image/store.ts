// The store of images on disk: blobs by digest, unpacked layers, names. Whatever is there is whole:
// things are made elsewhere and renamed into place. Who adds or reads holds the store's lock
// shared, who removes holds it alone; locks end with their process.

import { randomUUID } from "node:crypto";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { PodError } from "../errors/pod-error.ts";
import { tryLock } from "../native/syscalls.ts";
import { documentBytesMax } from "./manifest.ts";

const folders = [
  "blobs/sha256",
  "layers",
  "names",
  "partial",
  "locks",
  "drafts",
  "ready",
  "uses",
] as const;

export class ImageStore {
  readonly path: string;

  /** `root` is peapod's own (`--root`). */
  constructor(root: string) {
    this.path = join(root, "images");
  }

  /** Only root may look inside: layers hold set-id programs of strangers. */
  prepare(): void {
    if (existsSync(join(this.path, "uses"))) return;
    attempt("make", this.path, () => {
      mkdirSync(this.path, { recursive: true, mode: 0o700 });
      for (const folder of folders) {
        mkdirSync(join(this.path, folder), { recursive: true, mode: 0o700 });
      }
    });
  }

  blobPath(digest: string): string {
    return join(this.path, "blobs/sha256", hexOf(digest));
  }

  /** `key` is a digest, or the name of a directory there. */
  layerPath(key: string): string {
    return join(this.path, "layers", hexOf(key));
  }

  /** Where a download goes on after a break. */
  partialPath(digest: string): string {
    return join(this.path, "partial", hexOf(digest));
  }

  /** Undefined where it is not, or not of that size. */
  blobBytes(digest: string): number | undefined {
    return statSync(this.blobPath(digest), { throwIfNoEntry: false })?.size;
  }

  /** Documents are small and steer everything else, so each reading is a check. */
  readDocument(digest: string): Uint8Array {
    const path = this.blobPath(digest);
    const size = this.blobBytes(digest);
    if (size === undefined) {
      throw new PodError({ code: "image.store-failed", message: `${path} is missing` });
    }
    const bytes = size > documentBytesMax ? new Uint8Array() : readFileSync(path);
    if (digestOf(bytes) === digest) return bytes;
    throw new PodError({
      code: "image.digest-mismatch",
      message: `${path} is damaged: it does not have the digest that it is named after`,
      hint: "remove it, and pull the image again",
    });
  }

  /** The digest of what was written; nothing is written that is there. */
  writeBlob(bytes: Uint8Array): string {
    const digest = digestOf(bytes);
    const path = this.blobPath(digest);
    if (this.blobBytes(digest) === bytes.length) return digest;
    this.writeWhole(path, bytes);
    return digest;
  }

  /**
   * Whole or not at all, whoever else writes it at the same time. What must outlive a loss of power
   * waits for the disk.
   */
  writeWhole(path: string, bytes: Uint8Array | string, isLasting = true): void {
    const draft = join(this.path, "drafts", `${randomUUID()}.file`);
    attempt("write", path, () => {
      try {
        writeFileSync(draft, bytes, { mode: 0o600, flush: isLasting });
        renameSync(draft, path);
      } catch (error) {
        rmSync(draft, { force: true });
        throw error;
      }
    });
  }

  /** A directory of our own, gone when it is disposed of unless it was renamed away. */
  makeDraft(): { readonly path: string } & Disposable {
    const path = join(this.path, "drafts", randomUUID());
    attempt("make", path, () => mkdirSync(path, { mode: 0o700 }));
    return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
  }

  /** Held while images are added or looked up. */
  async share(signal?: AbortSignal): Promise<Disposable> {
    this.prepare();
    return await lockFile(join(this.path, "locks/store"), "shared", signal);
  }

  /** Held while anything is removed: nobody else is inside then. */
  async own(signal?: AbortSignal): Promise<Disposable> {
    this.prepare();
    return await lockFile(join(this.path, "locks/store"), "exclusive", signal);
  }

  /** One at a time does the work that `key` names, across processes. */
  async lock(key: string, signal?: AbortSignal): Promise<Disposable> {
    return await lockFile(join(this.path, "locks", hexOf(key)), "exclusive", signal);
  }

  names(
    folder: "layers" | "names" | "ready" | "uses" | "blobs/sha256" | "drafts" | "partial" | "locks",
  ): string[] {
    try {
      return readdirSync(join(this.path, folder));
    } catch {
      return [];
    }
  }
}

export function digestOf(bytes: Uint8Array | string): string {
  return `sha256:${new Bun.CryptoHasher("sha256").update(bytes).digest("hex")}`;
}

/** A digest as a file name. Whatever else comes here must not become a path. */
export function hexOf(digest: string): string {
  const hex = digest.replace(/^sha256:/, "");
  if (/^[\w-]+$/.test(hex)) return hex;
  throw new Error(`${JSON.stringify(digest)} is no digest`);
}

/** Errors of the disk, in our words. */
export function attempt<T>(deed: string, path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw storeFailed(`cannot ${deed} ${path}`, error);
  }
}

export function storeFailed(message: string, error: unknown): PodError {
  if (error instanceof PodError) return error;
  const step = error instanceof Error ? error.message : String(error);
  return new PodError({ code: "image.store-failed", message, step });
}

const lockPauseMs = 25;

/** Asked for again and again: a lock that waits in the kernel would hold up the whole process. */
async function lockFile(
  path: string,
  kind: "shared" | "exclusive",
  signal: AbortSignal | undefined,
): Promise<Disposable> {
  const fd = attempt("open", path, () => openSync(path, "a", 0o600));
  try {
    while (!tryLock(fd, kind)) {
      signal?.throwIfAborted();
      await Bun.sleep(lockPauseMs);
    }
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return { [Symbol.dispose]: () => closeSync(fd) };
}
