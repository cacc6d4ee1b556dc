// One container of a running pod.

import { PodError } from "../errors/pod-error.ts";
import type { KeeperClient } from "../launch/keeper-client.ts";
import { closeFd, openNull } from "../native/syscalls.ts";
import { openReadPipe, openWritePipe } from "./pipes.ts";
import { signalNumber } from "./record.ts";
import type { ContainerEntry } from "./read-state.ts";
import type { Attachment, Container, ContainerState, ExitStatus } from "./types.ts";

export interface ContainerHost {
  client(): Promise<KeeperClient>;
  state(): ContainerState;
}

/** /proc/sys/fs/pipe-max-size, as it is unless somebody changed it. */
const attachedBytesMax = 1 << 20;

export class RunningContainer implements Container {
  readonly entry: ContainerEntry;
  readonly #host: ContainerHost;
  #exited = Promise.withResolvers<ExitStatus>();
  #isWatched = false;
  #isSettled = false;

  constructor(entry: ContainerEntry, host: ContainerHost) {
    this.entry = entry;
    this.#host = host;
    this.#exited.promise.catch(() => {});
  }

  get name(): string {
    return this.entry.name;
  }

  get kind(): Container["kind"] {
    return this.entry.kind ?? "container";
  }

  async state(): Promise<ContainerState> {
    return this.#host.state();
  }

  get exited(): Promise<ExitStatus> {
    void this.#watch();
    return this.#exited.promise;
  }

  /**
   * Subscribed first, then looked up: an exit between the two is told twice rather than not at all.
   */
  async #watch(): Promise<void> {
    if (this.#isWatched || this.#isSettled) return;
    this.#isWatched = true;
    try {
      await this.#host.client();
      const { exit } = this.#host.state();
      if (exit) this.settle(exit);
    } catch {
      this.settleLost();
    }
  }

  async signal(signal: NodeJS.Signals | number): Promise<void> {
    const client = await this.#host.client();
    const { status } = await client.signal(this.entry.process, signalNumber(signal));
    if (status !== "ok") throw this.#notRunning();
  }

  async attach(options: { readonly stdin?: boolean } = {}): Promise<Attachment> {
    if (options.stdin && !this.entry.stdin) {
      throw new PodError({
        code: "container.no-stdin",
        message: `container ${this.name} has no standard input to attach to`,
      });
    }
    const client = await this.#host.client();
    const input = options.stdin ? openWritePipe() : undefined;
    // A client that falls behind by a whole pipe is let go, so theirs are as large as they may be.
    const output = openReadPipe(attachedBytesMax);
    const errors = this.entry.tty ? undefined : openReadPipe(attachedBytesMax);
    // Not a pipe that is closed at once: its end would be the end of a stdinOnce container's input.
    const fds = [input?.theirs ?? openNull(), output.theirs];
    if (errors) fds.push(errors.theirs);
    const release = () => {
      input?.release();
      errors?.release();
      output.release();
    };
    try {
      const { status } = await client.attach(this.entry.process, fds);
      if (status !== "ok") throw this.#notRunning();
    } catch (error) {
      release();
      throw error;
    } finally {
      for (const fd of fds) closeFd(fd);
    }
    return {
      stdin: input?.stream,
      stdout: output.stream,
      stderr: errors?.stream,
      resize: async ({ rows, columns }) => {
        await client.resize(this.entry.process, rows, columns);
      },
      async [Symbol.asyncDispose]() {
        release();
      },
    };
  }

  /** It runs anew: its end is another. */
  renew(): void {
    if (!this.#isSettled) return;
    this.#isSettled = false;
    this.#exited = Promise.withResolvers();
    this.#exited.promise.catch(() => {});
  }

  settle(exit: ExitStatus): void {
    this.#isSettled = true;
    this.#exited.resolve(exit);
  }

  /** The keeper has gone: its record may still know. */
  settleLost(): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    const exit = this.#lastKnownExit();
    if (exit) return this.#exited.resolve(exit);
    this.#exited.reject(
      new PodError({
        code: "pod.keeper-lost",
        message: `nobody saw how container ${this.name} ended`,
      }),
    );
  }

  #lastKnownExit(): ExitStatus | undefined {
    try {
      return this.#host.state().exit;
    } catch {
      return undefined;
    }
  }

  #notRunning(): PodError {
    return new PodError({
      code: "container.not-running",
      message: `container ${this.name} is not running`,
    });
  }
}
