// Moving bytes between our own stdin and stdout and the streams of something in a container.

import type { Output } from "./output.ts";

/** Until the stream ends. */
export async function pumpOut(
  stream: ReadableStream<Uint8Array> | undefined,
  output: Output,
): Promise<void> {
  if (stream === undefined) return;
  for await (const chunk of stream) await output.writeSlowly(chunk);
  await output.drain();
}

export interface StdinPump {
  /** Sees each chunk before it goes on; what it returns is sent. Undefined ends the pump. */
  readonly filter?: (chunk: Uint8Array) => Uint8Array | undefined;
  /** Sent when our stdin ends, before the stream is closed: a terminal has no other end. */
  readonly atEnd?: Uint8Array;
}

/**
 * Resolves when our stdin has ended or the other side takes no more. Never rejects: an exit says
 * more.
 */
export async function pumpStdin(
  stream: WritableStream<Uint8Array> | undefined,
  { filter, atEnd }: StdinPump = {},
): Promise<void> {
  if (stream === undefined) return;
  const writer = stream.getWriter();
  try {
    for await (const chunk of process.stdin) {
      // Without an encoding set, chunks of stdin are buffers.
      const bytes = filter ? filter(chunk as Uint8Array) : (chunk as Uint8Array);
      if (bytes === undefined) return;
      if (bytes.byteLength > 0) await writer.write(bytes);
    }
    if (atEnd) await writer.write(atEnd);
    await writer.close();
  } catch {
    // The command has ended, or closed its input.
  }
}

/** Ctrl-D, which a terminal turns into the end of input. */
export const endOfTransmission = Uint8Array.of(4);
