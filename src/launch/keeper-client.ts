// Talking to one keeper: frames out, answers and events in. It knows the protocol and nothing of
// pods.

import { DescriptorSocket } from "../native/socket.ts";
import { alloc } from "../native/memory.ts";
import { closeFd } from "../native/syscalls.ts";
import {
  answerTags,
  askedHead,
  attach,
  end,
  frameHead,
  hello,
  keep,
  killTree,
  launch,
  launchFlags,
  noProcess,
  protocolVersion,
  requestTags,
  resize,
  roles,
  signal,
  welcome,
} from "../plan/abi.gen.ts";
import { layoutHash } from "../plan/abi.gen.ts";
import { flagWord } from "../plan/encode.ts";
import type { DialAddress } from "./dial.ts";
import { packStruct, unpackStruct } from "./layout.ts";
import type { Ask, ExitedEvent, Reply, Status } from "./messages.ts";
import { decodeAsk, emptyReply, encodeAsk, readExited, readReply, readTrace } from "./messages.ts";

export type { Ask, ExitedEvent, Reply, Status } from "./messages.ts";

export interface KeeperEvents {
  exited(event: ExitedEvent): void;
  /** The pod is gone, as far as `status` says. */
  ended(reply: Reply): void;
  /** The connection is: the keeper has ended, or died. */
  closed(): void;
  /** Heard by the owner. */
  asked?(ask: Ask): void;
  /** The pod goes on and nobody owns it. */
  vacant?(): void;
}

export interface LaunchRequest {
  readonly process: number;
  readonly target?: number;
  /** Exec only after that process has. */
  readonly after?: number;
  readonly flags: readonly (keyof typeof launchFlags)[];
  readonly stopSignal: number;
  readonly graceMs: number;
  /** Of a container: how often it has been launched before. */
  readonly attempt?: number;
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
  readonly #asks = new Map<number, PromiseWithResolvers<unknown>>();
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
      attempt: request.attempt ?? 0,
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
    return dialThrough(this.#sendDial, address, timeoutMs);
  }

  /** As `dial`, but the connection is closed at once: it rejects where none can be made. */
  async tryDial(address: DialAddress, timeoutMs: number): Promise<void> {
    const { tryThrough } = await import("./dial.ts");
    return tryThrough(this.#sendDial, address, timeoutMs);
  }

  readonly #sendDial = (body: Uint8Array, fds: readonly number[]) =>
    this.#request("dial", body, fds);

  end(graceMs: number): Promise<Reply> {
    return this.#request("end", packStruct(end, { grace_ms: graceMs }));
  }

  handOver(): Promise<Reply> {
    return this.#request("hand_over", new Uint8Array(0));
  }

  /** Undefined when nobody owns the pod. */
  async ask(question: unknown): Promise<unknown> {
    const body = encodeAsk(question);
    const request = this.#nextRequest;
    const answer = Promise.withResolvers<unknown>();
    answer.promise.catch(() => {});
    this.#asks.set(request, answer);
    // The relay itself says nothing, unless it can't.
    this.#request("ask", body).then(
      () => this.#asks.get(request)?.resolve(undefined),
      (error: unknown) => this.#asks.get(request)?.reject(error),
    );
    return answer.promise.finally(() => this.#asks.delete(request));
  }

  /** Leaves the descriptor with the keeper, for this owner and those after it. */
  keep(place: number, fd: number): Promise<Reply> {
    return this.#request("keep", packStruct(keep, { place }), [fd]);
  }

  /** What an owner has left there; the caller closes it. Undefined for nothing. */
  async fetch(place: number): Promise<number | undefined> {
    return this.receiveDescriptor((theirs) =>
      this.#request("fetch", packStruct(keep, { place }), [theirs]),
    );
  }

  /** For requests whose answer is a descriptor: the keeper sends it over a socket of its own. */
  async receiveDescriptor(
    request: (theirs: number) => Promise<Reply>,
  ): Promise<number | undefined> {
    const [ours, theirs] = DescriptorSocket.pair();
    using _ = ours;
    try {
      const { status } = await request(theirs);
      return status === "ok" ? ours.receiveDescriptor() : undefined;
    } finally {
      closeFd(theirs);
    }
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
      case answerTags.asked:
        this.#heedAsk(body);
        return;
      case answerTags.answered:
        this.#pending.delete(request);
        this.#asks.get(request)?.resolve(decodeAsk(body));
        return;
      case answerTags.vacant:
        for (const [asked, { resolve }] of this.#asks) {
          this.#pending.delete(asked);
          resolve(undefined);
        }
        this.#events.vacant?.();
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

  #heedAsk(body: Uint8Array): void {
    const head = body.slice(0, askedHead.size);
    const answer = async (answered: unknown) => {
      const text = encodeAsk(answered);
      const whole = new Uint8Array(head.length + text.length);
      whole.set(head);
      whole.set(text, head.length);
      await this.#request("answer", whole);
    };
    this.#events.asked?.({ body: decodeAsk(body.subarray(askedHead.size)), answer });
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
    for (const { reject } of this.#asks.values()) reject(new KeeperGone("the keeper has gone"));
    for (const listener of this.#closedListeners) listener();
    this.#closedListeners.clear();
    this.#events.closed();
  }
}
