// Our ends of a process's streams. The other ends go to the keeper and are closed here at once.

import { closeFd, pipe, setPipeSize } from "../native/syscalls.ts";

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

/** Up to `bytesMax` of a stream; the rest is read and dropped, so that the writer never waits. */
export async function collect(
  stream: ReadableStream<Uint8Array>,
  bytesMax: number,
): Promise<{ readonly bytes: Uint8Array; readonly isTruncated: boolean }> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  let isTruncated = false;
  for await (const chunk of stream) {
    const kept = chunk.subarray(0, Math.max(bytesMax - size, 0));
    isTruncated ||= kept.length < chunk.length;
    // A view would keep the whole chunk; the stream may reuse it.
    if (kept.length > 0) chunks.push(kept.slice());
    size += kept.length;
  }
  return { bytes: new Uint8Array(Buffer.concat(chunks)), isTruncated };
}
