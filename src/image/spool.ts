// An archive of an image, taken apart into files of a draft as it comes: it may come from a pipe,
// and what says which part is what stands at its end.

import { closeSync, openSync, writeSync } from "node:fs";
import { dirname, join } from "node:path/posix";
import { createGunzip } from "node:zlib";
import { Readable } from "node:stream";
import { PodError } from "../errors/pod-error.ts";
import type { TarEntry } from "./tar-header.ts";
import { BadArchive } from "./tar-header.ts";
import type { TarSink } from "./tar-reader.ts";
import { TarReader } from "./tar-reader.ts";
import { cleanPath } from "./layer-writer.ts";
import { storeFailed } from "./store.ts";

const entriesMax = 20_000;
const linksMax = 8;

export interface Spooled {
  readonly file: string;
  readonly digest: string;
  readonly size: number;
  /** Of the media type of such a layer: `+gzip`, `+zstd`, or nothing. */
  readonly suffix: string;
}

export interface Spool {
  readonly label: string;
  /** Also by the name of a link to it. */
  find(path: string): Spooled | undefined;
}

export async function spoolArchive(
  directory: string,
  source: Readable | ReadableStream<Uint8Array>,
  label: string,
  signal: AbortSignal | undefined,
): Promise<Spool> {
  using sink = new SpoolSink(directory, label);
  const reader = new TarReader(sink);
  try {
    for await (const chunk of uncompressed(source)) {
      signal?.throwIfAborted();
      reader.push(chunk);
    }
    reader.finish();
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof BadArchive) {
      throw new PodError({
        code: "image.bad-archive",
        message: `${label} is not an image archive: ${error.message}`,
      });
    }
    throw storeFailed(`cannot read ${label}`, error);
  }
  return sink;
}

/** Archives of images are often compressed as a whole, whatever their name says. */
async function* uncompressed(
  source: Readable | ReadableStream<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const stream = source instanceof Readable ? source : Readable.from(source);
  const first = await firstChunk(stream);
  if (first === undefined) return;
  const whole = Readable.from(prepend(first, stream));
  yield* suffixOf(first) === "+gzip" ? whole.pipe(createGunzip({ chunkSize: 1 << 18 })) : whole;
}

async function firstChunk(stream: Readable): Promise<Uint8Array | undefined> {
  const { value } = await stream.iterator({ destroyOnReturn: false }).next();
  // Without an encoding set, chunks are buffers.
  return value as Uint8Array | undefined;
}

async function* prepend(first: Uint8Array, rest: Readable): AsyncGenerator<Uint8Array> {
  yield first;
  yield* rest;
}

function suffixOf(bytes: Uint8Array): string {
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) return "+gzip";
  const zstd = [0x28, 0xb5, 0x2f, 0xfd];
  return zstd.every((byte, index) => bytes[index] === byte) ? "+zstd" : "";
}

class SpoolSink implements TarSink, Spool, Disposable {
  readonly label: string;
  readonly #directory: string;
  readonly #files = new Map<string, Spooled>();
  readonly #links = new Map<string, string>();
  #current:
    | { readonly path: string; readonly file: string; readonly fd: number; suffix: string }
    | undefined;
  #hasher = new Bun.CryptoHasher("sha256");
  #size = 0;
  #count = 0;

  constructor(directory: string, label: string) {
    this.#directory = directory;
    this.label = label;
  }

  entry(entry: TarEntry): void {
    this.#count += 1;
    if (this.#count > entriesMax) throw new BadArchive(`it has more than ${entriesMax} entries`);
    const path = cleanPath(entry.path, "a path").join("/");
    if (entry.type === "symlink" || entry.type === "hardlink") {
      const base = entry.type === "symlink" ? dirname(path) : ".";
      this.#links.set(path, join(base, entry.target));
    }
    if (entry.type !== "file" || entry.pieces !== undefined) return;
    // Numbered: what a file is called inside never becomes a path outside.
    const file = join(this.#directory, `${this.#count}`);
    this.#current = { path, file, fd: openSync(file, "wx", 0o600), suffix: "" };
    this.#hasher = new Bun.CryptoHasher("sha256");
    this.#size = 0;
  }

  data(bytes: Uint8Array): void {
    const current = this.#current;
    if (current === undefined) return;
    if (this.#size === 0) current.suffix = suffixOf(bytes);
    this.#hasher.update(bytes);
    this.#size += bytes.length;
    for (let done = 0; done < bytes.length;) done += writeSync(current.fd, bytes, done);
  }

  end(): void {
    const current = this.#current;
    if (current === undefined) return;
    closeSync(current.fd);
    this.#current = undefined;
    const digest = `sha256:${this.#hasher.digest("hex")}`;
    const { path, file, suffix } = current;
    this.#files.set(path, { file, digest, size: this.#size, suffix });
  }

  find(path: string): Spooled | undefined {
    let at = path.replace(/^\.\//, "");
    for (let link = 0; link < linksMax; link += 1) {
      const found = this.#files.get(at);
      if (found !== undefined) return found;
      const next = this.#links.get(at);
      if (next === undefined) return undefined;
      at = next;
    }
    return undefined;
  }

  [Symbol.dispose](): void {
    if (this.#current) closeSync(this.#current.fd);
    this.#current = undefined;
  }
}
