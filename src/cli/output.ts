// Writing to stdout and stderr: batched, with back-pressure, and quiet when nobody reads any more.

import { fstatSync } from "node:fs";

/** Above this a writer waits for whoever reads. */
const bufferedBytesMax = 64 * 1024;

/** The reader of an output went away (`| head`): no error to speak of, but a reason to stop. */
export class OutputClosed extends Error {
  constructor() {
    super("nobody reads the output any more");
    this.name = "OutputClosed";
  }
}

/** Not `process.stdout`: loading Node's streams costs more than the rest of most commands. */
export class Output {
  readonly #fd: 1 | 2;
  #sink: ReturnType<typeof Bun.stdout.writer> | undefined;
  #chunks: Uint8Array[] = [];
  #bufferedBytes = 0;
  #flushing: Promise<void> | undefined;
  #failure: Error | undefined;
  #isTerminal: boolean | undefined;

  constructor(fd: 1 | 2) {
    this.#fd = fd;
  }

  get isTerminal(): boolean {
    return (this.#isTerminal ??= isTerminal(this.#fd));
  }

  /** Throws `OutputClosed` when an earlier write met a closed pipe. */
  write(data: string | Uint8Array): void {
    if (this.#failure) throw this.#failure;
    const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
    this.#chunks.push(bytes);
    this.#bufferedBytes += bytes.byteLength;
    this.#flushing ??= this.#flush();
  }

  /** As `write`, and waits while too much is unread. */
  async writeSlowly(data: string | Uint8Array): Promise<void> {
    this.write(data);
    if (this.#bufferedBytes > bufferedBytesMax) await this.drain();
  }

  /** Resolves when everything is written. */
  async drain(): Promise<void> {
    await this.#flushing;
    if (this.#failure) throw this.#failure;
  }

  async #flush(): Promise<void> {
    // What one turn of the loop writes goes out at once.
    await new Promise((resolve) => setImmediate(resolve));
    try {
      this.#sink ??= (this.#fd === 1 ? Bun.stdout : Bun.stderr).writer();
      while (this.#chunks.length > 0) {
        const bytes = Buffer.concat(this.#chunks);
        this.#chunks = [];
        this.#bufferedBytes = 0;
        await this.#sink.write(bytes);
        await this.#sink.flush();
      }
    } catch (error) {
      this.#failure = isBrokenPipe(error) ? new OutputClosed() : toError(error);
    } finally {
      this.#flushing = undefined;
    }
  }
}

function isBrokenPipe(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EPIPE";
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/** Most outputs are pipes and files; `node:tty` is loaded only for what can be a terminal. */
export function isTerminal(fd: number): boolean {
  try {
    if (!fstatSync(fd).isCharacterDevice()) return false;
  } catch {
    return false; // Closed.
  }
  return process.getBuiltinModule("node:tty").isatty(fd);
}
