// Our ends of a process's streams. The other ends go to the keeper and are closed here at once.

import { alloc } from "../native/memory.ts";
import { closeFd, pipe, readReady, setPipeSize } from "../native/syscalls.ts";

export interface ReadPipe {
  readonly stream: ReadableStream<Uint8Array>;
  /** For the keeper; the caller closes it after sending. */
  readonly theirs: number;
  /** Closes our end, whoever holds the stream: its reader sees the end. */
  release(): void;
}

export interface WritePipe {
  readonly stream: WritableStream<Uint8Array>;
  readonly theirs: number;
  /** Closes our end, at the latest when the other end has gone. */
  release(): void;
}

/** `bytesMax` is what the writer may be ahead of us; the kernel's 64 KiB unless said. */
export function openReadPipe(bytesMax?: number): ReadPipe {
  const [ours, theirs] = pipe();
  if (bytesMax !== undefined) setPipeSize(ours, bytesMax);
  const source = Bun.file(ours).stream().getReader();
  let isOpen = true;
  const close = () => {
    if (isOpen) closeFd(ours);
    isOpen = false;
  };
  const cancel = async () => {
    await source.cancel();
    close();
  };
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await source.read();
        if (done) {
          close();
          controller.close();
        } else controller.enqueue(value);
      },
      cancel,
    },
    { highWaterMark: 0 },
  );
  return { stream, theirs, release: () => void cancel().catch(() => {}) };
}

export function openWritePipe(): WritePipe {
  const [theirs, ours] = pipe();
  const sink = Bun.file(ours).writer();
  let isOpen = true;
  const end = async () => {
    if (!isOpen) return;
    isOpen = false;
    try {
      // Waits for what is on its way: until it has been read, or until nobody is left to read it.
      await sink.end();
    } finally {
      closeFd(ours);
    }
  };
  const release = () => void end().catch(() => {});
  const stream = new WritableStream<Uint8Array>({
    async write(chunk) {
      if (!isOpen) throw new Error("nobody is left to read this");
      try {
        sink.write(chunk);
        await sink.flush();
      } catch (error) {
        // The stream has failed for good, and nobody will close it.
        release();
        throw error;
      }
    },
    close: end,
    abort: release,
  });
  return { stream, theirs, release };
}

export interface Collected {
  readonly bytes: Uint8Array;
  readonly isTruncated: boolean;
}

/** For commands that end within it, one look at their output is all that it costs. */
const patienceMs = 2;
const readBytesMax = 64 << 10;
const readsMax = 64;
const shared = alloc(readBytesMax);

/** Keeps up to `bytesMax` of what is written; the rest is read and dropped: no writer waits. */
export class Collector {
  /** For the keeper; the caller closes it after sending. */
  readonly theirs: number;
  readonly #ours: number;
  readonly #bytesMax: number;
  readonly #chunks: Uint8Array[] = [];
  readonly #timer: ReturnType<typeof setTimeout>;
  #size = 0;
  #isTruncated = false;
  #stop: (() => Promise<void>) | undefined;
  #reading: Promise<void> | undefined;
  #isOpen = true;

  constructor(bytesMax: number) {
    [this.#ours, this.theirs] = pipe();
    this.#bytesMax = bytesMax;
    this.#timer = setTimeout(() => this.#read(), patienceMs);
  }

  /** Called when the writer has ended; waits for whoever else has its output open. */
  async finish(): Promise<Collected> {
    clearTimeout(this.#timer);
    if (this.#isOpen && !this.#reading && !this.#takeReady()) this.#read();
    await this.#reading;
    this.#close();
    const [only] = this.#chunks;
    const isWhole = only !== undefined && this.#chunks.length === 1;
    return {
      bytes: isWhole ? only : new Uint8Array(Buffer.concat(this.#chunks)),
      isTruncated: this.#isTruncated,
    };
  }

  /** Nobody wants it any more. */
  release(): void {
    clearTimeout(this.#timer);
    if (this.#stop) void this.#stop().catch(() => {});
    else this.#close();
  }

  /** True at the end. */
  #takeReady(): boolean {
    for (let read = 0; read < readsMax; read++) {
      const bytes = readReady(this.#ours, shared);
      if (bytes === undefined) return false;
      if (bytes === 0) return true;
      this.#keep(shared.subarray(0, bytes));
    }
    return false;
  }

  #read(): void {
    const reader = Bun.file(this.#ours).stream().getReader();
    const readAll = async () => {
      for (let next = await reader.read(); !next.done; next = await reader.read()) {
        this.#keep(next.value);
      }
    };
    this.#stop = () => reader.cancel();
    this.#reading = readAll()
      .catch(() => {})
      .finally(() => this.#close());
  }

  /** A copy: whoever reads may use the memory again. */
  #keep(chunk: Uint8Array): void {
    const kept = chunk.subarray(0, Math.max(this.#bytesMax - this.#size, 0));
    this.#isTruncated ||= kept.length < chunk.length;
    if (kept.length > 0) this.#chunks.push(kept.slice());
    this.#size += kept.length;
  }

  #close(): void {
    if (this.#isOpen) closeFd(this.#ours);
    this.#isOpen = false;
  }
}
