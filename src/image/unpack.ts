// A verified blob to the files of a layer: decompress, check the digest of what comes out, write.

import { createReadStream, statfsSync } from "node:fs";
import type { Readable } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { closeFd } from "../native/syscalls.ts";
import { openDirectory } from "../native/tree.ts";
import { LayerWriter } from "./layer-writer.ts";
import type { Compression } from "./manifest.ts";
import { BadArchive } from "./tar-header.ts";
import { TarReader } from "./tar-reader.ts";

export interface UnpackOptions {
  readonly compression: Compression;
  /** Of the blob as it is stored. */
  readonly blobBytes: number;
  /** What the image's configuration says of the archive inside. */
  readonly diffId: string;
  readonly signal?: AbortSignal | undefined;
}

export interface Unpacked {
  readonly bytes: number;
  /** Directories that the layer uses without describing them. */
  readonly implicit: readonly string[];
}

/** Measured: larger pieces than zlib's 16 KiB halve the trips between threads. */
const chunkBytes = 256 << 10;
/** Text compresses tenfold; a layer is suspected only where it is large and mostly nothing. */
const bombBytes = 1 << 30;
const bombRatio = 200;
const layerBytesMax = 256 * 2 ** 30;
/** Left to everybody else on the disk. */
const reserveBytes = 256 << 20;

/** Into `directory`, which must be empty. */
export async function unpackLayer(
  blob: string,
  directory: string,
  options: UnpackOptions,
): Promise<Unpacked> {
  const root = openDirectory(directory);
  using writer = new LayerWriter(root);
  try {
    const reader = new TarReader(writer);
    const bytes = await readArchive(blob, options, (chunk) => reader.push(chunk), directory);
    reader.finish();
    writer.finish();
    return { bytes, implicit: [...writer.implicit].toSorted() };
  } finally {
    closeFd(root);
  }
}

async function readArchive(
  blob: string,
  options: UnpackOptions,
  take: (chunk: Uint8Array) => void,
  directory: string,
): Promise<number> {
  const { diffId, blobBytes, signal } = options;
  const hasher = new Bun.CryptoHasher("sha256");
  let bytes = 0;
  let nextCheck = 0;
  for await (const chunk of decompress(blob, options.compression)) {
    signal?.throwIfAborted();
    // Without an encoding set, chunks are buffers.
    const piece = chunk as Buffer;
    bytes += piece.length;
    if (bytes > layerBytesMax || (bytes > bombBytes && bytes > blobBytes * bombRatio)) {
      throw new BadArchive(`${blobBytes} bytes became more than ${bytes}: a decompression bomb`);
    }
    if (bytes >= nextCheck) {
      checkRoom(directory);
      nextCheck = bytes + (64 << 20);
    }
    hasher.update(piece);
    take(piece);
  }
  const digest = `sha256:${hasher.digest("hex")}`;
  if (digest !== diffId) {
    throw new BadArchive(`its content has the digest ${digest}, not ${diffId}`);
  }
  return bytes;
}

function checkRoom(directory: string): void {
  const { bavail, bsize } = statfsSync(directory);
  if (bavail * bsize >= reserveBytes) return;
  throw Object.assign(new Error(`less than ${reserveBytes >> 20} MiB are left on the disk`), {
    code: "ENOSPC",
  });
}

/** The archive inside a blob. Errors of either stream end the iteration. */
export function decompress(blob: string, compression: Compression): AsyncIterable<unknown> {
  const source = createReadStream(blob, { highWaterMark: chunkBytes });
  if (compression === "none") return source;
  const inner =
    compression === "gzip"
      ? createGunzip({ chunkSize: chunkBytes })
      : createZstdDecompress({ chunkSize: chunkBytes });
  return piped(source, inner);
}

async function* piped(
  source: Readable,
  inner: NodeJS.ReadWriteStream & Readable,
): AsyncGenerator<unknown> {
  source.on("error", (error) => inner.destroy(error));
  source.pipe(inner);
  try {
    yield* inner;
  } catch (error) {
    const isData =
      error instanceof Error && "code" in error && /^Z_|^ZSTD/.test(String(error.code));
    throw isData ? new BadArchive("its compressed bytes are damaged") : error;
  } finally {
    source.destroy();
    inner.destroy();
  }
}
