// Talking to one keeper: frames out, answers and events in. It knows the protocol and nothing of
// pods.

import type { DescriptorSocket } from "../native/socket.ts";
import { alloc } from "../native/memory.ts";
import {
  answerTags,
  attach,
  end,
  exited,
  frameHead,
  hello,
  killTree,
  launch,
  launchFlags,
  noProcess,
  protocolVersion,
  reply,
  requestTags,
  resize,
  roles,
  signal,
  statuses,
  welcome,
} from "../plan/abi.gen.ts";
import { layoutHash } from "../plan/abi.gen.ts";
import { flagWord } from "../plan/encode.ts";
import type { DialAddress } from "./dial.ts";
import { packStruct, unpackStruct } from "./layout.ts";

export type Status = (typeof statuses)[number];

export interface Reply {
  readonly status: Status;
  readonly process: number;
  readonly pid: number;
  readonly operation: number;
  readonly call: number;
  readonly errno: number;
  readonly elapsedNs: bigint;
  /** What a file system said when it refused a mount; usually empty. */
  readonly message: string;
  /** End of each operation by its index, CLOCK_MONOTONIC in nanoseconds; empty unless traced. */
  readonly trace: readonly bigint[];
}

export interface ExitedEvent {
  readonly process: number;
  readonly code: number;
  readonly signal: number;
  readonly oomKills: number;
  readonly cpuUs: bigint;
  readonly memoryPeakBytes: bigint;
  readonly startedNs: bigint;
  readonly endedNs: bigint;
}

export interface KeeperEvents {
  exited(event: ExitedEvent): void;
  /** The pod is gone, as far as `status` says. */
  ended(reply: Reply): void;
  /** The connection is: the keeper has ended, or died. */
  closed(): void;
}

export interface LaunchRequest {
  readonly process: number;
  readonly target?: number;
  /** Exec only after that process has. */
  readonly after?: number;
  readonly flags: readonly (keyof typeof launchFlags)[];
  readonly stopSignal: number;
  readonly graceMs: number;
  readonly plan: Uint8Array;
  readonly fds?: readonly number[];
}

export class KeeperGone extends Error {}

interface Pending {
  trace: readonly bigint[];
  /** Answered only when it fails. */
  readonly isQuiet: boolean;
  resolve(reply: Reply): void;
  reject(error: Error): void;
}

const sigterm = 15;

export class KeeperClient implements Disposable {
  readonly #socket: DescriptorSocket;
  readonly #events: KeeperEvents;
  readonly #pending = new Map<number, Pending>();
  /** Exits of unrecorded processes come as an answer to the launch's own request. */
  readonly #exits = new Map<number, (event: ExitedEvent) => void>();
  #nextRequest = 1;
  #received = new Uint8Array(0);
  readonly #closedListeners = new Set<() => void>();
  #open = true;
  #listening: Promise<void> | undefined;

  constructor(socket: DescriptorSocket, events: KeeperEvents) {
    this.#socket = socket;
    this.#events = events;
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /** Called once, at once when the connection is closed already; the result takes it back. */
  onClosed(listener: () => void): () => void {
    if (this.#open) this.#closedListeners.add(listener);
    else listener();
    return () => void this.#closedListeners.delete(listener);
  }

  /** Answers arrive from here on; what was sent before is not lost. */
  listen(): Promise<void> {
    this.#listening ??= this.#socket.listen({
      data: (bytes) => this.#receive(bytes),
      closed: () => this.#close(),
    });
    return this.#listening;
  }

  /** Resolves with the keeper's pid, and whether it runs this version's plans. */
  async hello(
    role: (typeof roles)[number],
  ): Promise<{ readonly pid: number; readonly isOurs: boolean }> {
    const body = packStruct(hello, {
      version: protocolVersion,
      role: roles.indexOf(role),
      layout: layoutHash,
    });
    const answer = await this.#request("hello", body);
    return { pid: answer.pid, isOurs: answer.status === "ok" };
  }

  launch(request: LaunchRequest, onExit?: (event: ExitedEvent) => void): Promise<Reply> {
    const wish = packStruct(launch, {
      process: request.process,
      target: request.target ?? noProcess,
      after: request.after ?? noProcess,
      flags: flagWord(launchFlags, request.flags),
      stop_signal: request.stopSignal,
      grace_ms: request.graceMs,
    });
    const isQuiet = request.flags.includes("quiet");
    const answer = this.#request("launch", wish, request.fds, isQuiet, request.plan);
    if (!onExit) return answer;
    this.#exits.set(request.process, onExit);
    return answer.then((reply) => {
      if (reply.status !== "ok") this.#exits.delete(request.process);
      return reply;
    });
  }

  signal(process: number, number: number = sigterm): Promise<Reply> {
    return this.#request("signal", packStruct(signal, { process, signal: number }));
  }

  killTree(process: number): Promise<Reply> {
    return this.#request("kill_tree", packStruct(killTree, { process }));
  }

  resize(process: number, rows: number, columns: number): Promise<Reply> {
    return this.#request("resize", packStruct(resize, { process, rows, columns }));
  }

  attach(process: number, fds: readonly number[]): Promise<Reply> {
    return this.#request("attach", packStruct(attach, { process, flags: 0 }), fds);
  }

  /** Resolves with a connected descriptor of the pod's network, for the caller to close. */
  async dial(address: DialAddress, timeoutMs: number): Promise<number> {
    const { dialThrough } = await import("./dial.ts");
    return dialThrough((body, fds) => this.#request("dial", body, fds), address, timeoutMs);
  }

  end(graceMs: number): Promise<Reply> {
    return this.#request("end", packStruct(end, { grace_ms: graceMs }));
  }

  handOver(): Promise<Reply> {
    return this.#request("hand_over", new Uint8Array(0));
  }

  subscribe(): Promise<Reply> {
    return this.#request("subscribe", new Uint8Array(0));
  }

  [Symbol.dispose](): void {
    this.#close();
  }

  #request(
    tag: keyof typeof requestTags,
    body: Uint8Array,
    fds: readonly number[] = [],
    isQuiet = false,
    plan?: Uint8Array,
  ): Promise<Reply> {
    if (!this.#open) return Promise.reject(new KeeperGone("the keeper has gone"));
    const request = this.#nextRequest++;
    const frame = alloc(frameHead.size + body.length + (plan?.length ?? 0));
    const head = { bytes: frame.length, tag: requestTags[tag], request, fds: fds.length };
    frame.set(packStruct(frameHead, head));
    frame.set(body, frameHead.size);
    if (plan) frame.set(plan, frameHead.size + body.length);
    const answer = new Promise<Reply>((resolve, reject) => {
      this.#pending.set(request, { trace: [], isQuiet, resolve, reject });
    });
    try {
      this.#socket.send(frame, fds);
    } catch (error) {
      this.#pending.delete(request);
      return Promise.reject(new KeeperGone(error instanceof Error ? error.message : String(error)));
    }
    return answer;
  }

  #receive(bytes: Uint8Array): void {
    const joined = new Uint8Array(this.#received.length + bytes.length);
    joined.set(this.#received);
    joined.set(bytes, this.#received.length);
    let offset = 0;
    while (joined.length - offset >= frameHead.size) {
      const head = unpackStruct(frameHead, joined.subarray(offset));
      if (joined.length - offset < head.bytes) break;
      const body = joined.subarray(offset + frameHead.size, offset + head.bytes);
      this.#handle(head.tag, head.request, body);
      offset += head.bytes;
    }
    this.#received = joined.slice(offset);
  }

  #handle(tag: number, request: number, body: Uint8Array): void {
    switch (tag) {
      case answerTags.welcome: {
        const { keeper_pid, layout } = unpackStruct(welcome, body);
        const status: Status = layout === layoutHash ? "ok" : "layout";
        this.#settle(request, { ...emptyReply, status, pid: keeper_pid });
        return;
      }
      case answerTags.trace: {
        const pending = this.#pending.get(request);
        if (pending) pending.trace = readTrace(body);
        return;
      }
      case answerTags.reply:
        this.#settle(request, readReply(body));
        return;
      case answerTags.exited:
        this.#exit(readExited(body));
        return;
      case answerTags.ended:
        this.#events.ended(readReply(body));
        return;
      default: // A younger keeper may say more than this version understands.
    }
  }

  /**
   * An answer says that the quiet requests before it went well: a keeper takes requests in order.
   */
  #settle(request: number, answer: Reply): void {
    for (const [earlier, pending] of this.#pending) {
      if (earlier >= request || !pending.isQuiet) continue;
      this.#pending.delete(earlier);
      pending.resolve(emptyReply);
    }
    const pending = this.#pending.get(request);
    this.#pending.delete(request);
    pending?.resolve({ ...answer, trace: pending.trace });
  }

  #exit(event: ExitedEvent): void {
    const own = this.#exits.get(event.process);
    this.#exits.delete(event.process);
    if (own) own(event);
    else this.#events.exited(event);
  }

  #close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#socket[Symbol.dispose]();
    for (const { reject } of this.#pending.values()) reject(new KeeperGone("the keeper has gone"));
    this.#pending.clear();
    for (const listener of this.#closedListeners) listener();
    this.#closedListeners.clear();
    this.#events.closed();
  }
}

const emptyReply: Reply = {
  status: "ok",
  process: noProcess,
  pid: 0,
  operation: 0,
  call: 0,
  errno: 0,
  elapsedNs: 0n,
  message: "",
  trace: [],
};

const decoder = new TextDecoder();

function readReply(body: Uint8Array): Reply {
  const values = unpackStruct(reply, body);
  // Only a failure has something to say.
  const text = body.length > reply.size ? decoder.decode(body.subarray(reply.size)) : "";
  const nul = text.indexOf("\0");
  return {
    status: statuses[values.status] ?? "invalid",
    process: values.process,
    pid: values.pid,
    operation: values.operation,
    call: values.call,
    errno: values.errno,
    elapsedNs: values.elapsed_ns,
    message: (nul < 0 ? text : text.slice(0, nul)).trim(),
    trace: [],
  };
}

function readExited(body: Uint8Array): ExitedEvent {
  const values = unpackStruct(exited, body);
  return {
    process: values.process,
    code: values.code,
    signal: values.signal,
    oomKills: values.oom_kills,
    cpuUs: values.cpu_us,
    memoryPeakBytes: values.memory_peak_bytes,
    startedNs: values.started_ns,
    endedNs: values.ended_ns,
  };
}

function readTrace(body: Uint8Array): bigint[] {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  return Array.from({ length: body.length / 8 }, (_, index) => view.getBigInt64(index * 8, true));
}
