// A command in a running container: its streams, its limits, its end.

import { PodError } from "../errors/pod-error.ts";
import { explainReply } from "../launch/explain.ts";
import type { ExitedEvent, KeeperClient } from "../launch/keeper-client.ts";
import { KeeperGone } from "../launch/keeper-client.ts";
import { launchProcess } from "../launch/launch.ts";
import { closeFd, openNull } from "../native/syscalls.ts";
import type { Plan } from "../plan/plan.ts";
import { noSecrets } from "../plan/redact.ts";
import { Collector, openReadPipe, openWritePipe } from "./pipes.ts";
import type { Collected, ReadPipe, WritePipe } from "./pipes.ts";
import { makeExitStatus, signalNumber } from "./record.ts";
import type { ExecOptions, ExecResult, Execution } from "./types.ts";

export interface ExecTarget {
  readonly client: KeeperClient;
  readonly process: number;
  readonly target: number;
  readonly plan: Plan;
  readonly subject: string;
}

const outputBytesDefault = 1 << 20;
const sigterm = 15;
const sigkill = 9;

const nothing: Collected = { bytes: new Uint8Array(0), isTruncated: false };
const killed = {
  exitCode: 128 + sigkill,
  signal: "SIGKILL",
  oomKilled: false,
  cpuMs: 0,
  memoryPeakBytes: 0,
} as const;

/** `connect` finds the keeper and makes the plan; the streams are there at once. */
export function startExecution(
  connect: (isTerminal: boolean) => Promise<ExecTarget>,
  options: ExecOptions,
): Execution {
  return new RunningExecution(connect, options);
}

class RunningExecution implements Execution {
  readonly stdin: WritableStream<Uint8Array> | undefined;
  readonly stdout: ReadableStream<Uint8Array> | undefined;
  readonly stderr: ReadableStream<Uint8Array> | undefined;
  readonly started: Promise<void>;
  readonly result: Promise<ExecResult>;
  readonly #options: ExecOptions;
  readonly #input: WritePipe | undefined;
  readonly #output: ReadPipe | Collector;
  readonly #errors: ReadPipe | Collector | undefined;
  readonly #exit = Promise.withResolvers<ExitedEvent>();
  readonly #target: Promise<ExecTarget>;
  readonly #startedMs = performance.now();
  #timedOut = false;
  #isAborted = false;
  #isOver = false;

  constructor(connect: (isTerminal: boolean) => Promise<ExecTarget>, options: ExecOptions) {
    this.#options = options;
    const hasInput = options.stdin !== undefined && options.stdin !== "none";
    this.#input = hasInput ? openWritePipe() : undefined;
    this.#output = openOutput(options.stdout, options);
    this.#errors = options.tty ? undefined : openOutput(options.stderr, options);
    this.stdin = options.stdin === "pipe" ? this.#input?.stream : undefined;
    this.stdout = options.stdout === "pipe" ? streamOf(this.#output) : undefined;
    this.stderr = options.stderr === "pipe" ? streamOf(this.#errors) : undefined;
    this.#target = connect(Boolean(options.tty));
    this.started = this.#start();
    this.result = this.#finish();
    // Either may be ignored by a caller that awaits the other.
    this.started.catch(() => {});
    this.result.catch(() => {});
    const over = () => {
      this.#isOver = true;
      // What is still on its way has nobody left to read it.
      this.#input?.release();
    };
    this.#exit.promise.then(over, over);
  }

  async kill(signal: NodeJS.Signals | number = sigterm): Promise<void> {
    const { client, process } = await this.#target;
    const number = signalNumber(signal);
    if (number === sigkill) return void (await client.killTree(process));
    // Its output may be here before the keeper has told that it runs.
    await this.started;
    await client.signal(process, number);
  }

  async resize({ rows, columns }: { rows: number; columns: number }): Promise<void> {
    const { client, process } = await this.#target;
    await this.started;
    await client.resize(process, rows, columns);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isOver) await this.kill("SIGKILL").catch(() => {});
    await this.#exit.promise.catch(() => {});
    this.#output.release();
    this.#errors?.release();
    await this.result.catch(() => {});
  }

  async #start(): Promise<void> {
    const fds = [this.#input?.theirs ?? openNull(), this.#output.theirs];
    if (this.#errors) fds.push(this.#errors.theirs);
    try {
      const { client, process, target, plan, subject } = await this.#target;
      const reply = await launchProcess(
        client,
        {
          process,
          target,
          flags: [
            "streams_passed",
            "unrecorded",
            ...(this.#options.tty ? ["terminal" as const] : []),
          ],
          stopSignal: sigterm,
          graceMs: 0,
          plan,
          fds,
        },
        (event) => this.#exit.resolve(event),
      );
      if (reply.status !== "ok") {
        const originOf = (field: string) => ({ field, file: "", line: 0, column: 0 });
        throw explainReply({ reply, plan, subject, originOf, secrets: noSecrets });
      }
      const forget = client.onClosed(() => this.#exit.reject(lost(subject)));
      this.#exit.promise.then(forget, () => {});
    } catch (error) {
      const told = error instanceof KeeperGone ? lost("a command") : error;
      this.#exit.reject(told);
      throw told;
    } finally {
      for (const fd of fds) closeFd(fd);
    }
  }

  async #finish(): Promise<ExecResult> {
    const passing = this.#passOn();
    using _ = this.#watchLimits();
    try {
      // A consumer of the output that fails ends the command, as a closed pipe would.
      const [exit] = await Promise.all([this.#exit.promise, passing]);
      const [out, err] = await Promise.all([collected(this.#output), collected(this.#errors)]);
      if (this.#isAborted) throw this.#options.signal?.reason;
      return this.#describe(makeExitStatus(exit), out, err);
    } catch (error) {
      if (this.#isAborted) throw this.#options.signal?.reason;
      if (!this.#isOver) await this.kill("SIGKILL").catch(() => {});
      // Killed before it had exec'd: a result like any other timeout's.
      if (this.#timedOut) return this.#describe(killed, nothing, nothing);
      throw error;
    } finally {
      // Streams that were handed out are their reader's to finish.
      if (!this.stdout) this.#output.release();
      if (!this.stderr) this.#errors?.release();
    }
  }

  #describe(
    status: Pick<ExecResult, "exitCode" | "signal" | "oomKilled" | "cpuMs" | "memoryPeakBytes">,
    out: Collected,
    err: Collected,
  ): ExecResult {
    return {
      exitCode: status.exitCode,
      signal: status.signal,
      oomKilled: status.oomKilled,
      timedOut: this.#timedOut,
      truncated: out.isTruncated || err.isTruncated,
      wallMs: performance.now() - this.#startedMs,
      cpuMs: status.cpuMs,
      memoryPeakBytes: status.memoryPeakBytes,
      stdout: out.bytes,
      stderr: err.bytes,
    };
  }

  /** Input goes in beside it: a command may answer before it has read everything. */
  #passOn(): Promise<unknown> {
    this.#feed().catch(() => {}); // A command that exits without reading is no failure.
    const passOne = (output: ReadPipe | Collector | undefined, where: ExecOptions["stdout"]) =>
      typeof where === "object"
        ? streamOf(output)?.pipeTo(where, { preventClose: true })
        : undefined;
    return Promise.all([
      passOne(this.#output, this.#options.stdout),
      passOne(this.#errors, this.#options.stderr),
    ]);
  }

  async #feed(): Promise<void> {
    const { stdin } = this.#options;
    if (!this.#input || stdin === undefined || stdin === "pipe") return;
    if (stdin instanceof ReadableStream) return stdin.pipeTo(this.#input.stream);
    const writer = this.#input.stream.getWriter();
    const bytes = typeof stdin === "string" ? new TextEncoder().encode(stdin) : stdin;
    await writer.write(bytes);
    await writer.close();
  }

  #watchLimits(): Disposable {
    const { timeoutMs, signal } = this.#options;
    const kill = () => void this.kill("SIGKILL").catch(() => {});
    const timer = timeoutMs === undefined ? undefined : setTimeout(onTimeout.bind(this), timeoutMs);
    const onAbort = () => {
      this.#isAborted = true;
      kill();
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    if (signal?.aborted) onAbort();
    return {
      [Symbol.dispose]() {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
      },
    };

    function onTimeout(this: RunningExecution): void {
      this.#timedOut = true;
      kill();
    }
  }
}

function openOutput(
  where: ExecOptions["stdout"],
  { outputBytesMax = outputBytesDefault }: ExecOptions,
): ReadPipe | Collector {
  const isCollected = where === undefined || where === "collect";
  return isCollected ? new Collector(outputBytesMax) : openReadPipe();
}

function streamOf(output: ReadPipe | Collector | undefined): ReadPipe["stream"] | undefined {
  return output instanceof Collector ? undefined : output?.stream;
}

function collected(output: ReadPipe | Collector | undefined): Promise<Collected> | Collected {
  return output instanceof Collector ? output.finish() : nothing;
}

function lost(subject: string): PodError {
  return new PodError({
    code: "pod.keeper-lost",
    message: `the pod ended while ${subject} ran`,
    hint: "peapod ps -a shows what became of it",
  });
}
