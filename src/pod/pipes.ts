// Our ends of a process's streams. The other ends go to the keeper and are closed here at once.

import { closeFd, pipe } from "../native/syscalls.ts";

export interface ReadPipe {
  readonly stream: ReadableStream<Uint8Array>;
  /** For the keeper; the caller closes it after sending. */
  readonly theirs: number;
}

export interface WritePipe {
  readonly stream: WritableStream<Uint8Array>;
  readonly theirs: number;
}

export function openReadPipe(): ReadPipe {
  const [ours, theirs] = pipe();
  return { stream: readAll(ours), theirs };
}

/** Closes the descriptor at the end, or when the reader gives up. */
function readAll(fd: number): ReadableStream<Uint8Array> {
  const source = Bun.file(fd).stream().getReader();
  let isOpen = true;
  const close = () => {
    if (isOpen) closeFd(fd);
    isOpen = false;
  };
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await source.read();
        if (done) {
          close();
          controller.close();
        } else controller.enqueue(value);
      },
      async cancel() {
        await source.cancel();
        close();
      },
    },
    { highWaterMark: 0 },
  );
}

export function openWritePipe(): WritePipe {
  const [theirs, ours] = pipe();
  const sink = Bun.file(ours).writer();
  const end = async () => {
    await sink.end();
    closeFd(ours);
  };
  const stream = new WritableStream<Uint8Array>({
    async write(chunk) {
      sink.write(chunk);
      await sink.flush();
    },
    close: end,
    abort: end,
  });
  return { stream, theirs };
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
