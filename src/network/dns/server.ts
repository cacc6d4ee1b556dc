// The name server of the pods: at the address of their gateway, in every process that has pods. It
// answers for pods and passes on the rest. The kernel deals questions to the processes that are
// there, so nobody misses one that has gone.

import { createSocket } from "node:dgram";
import {
  AUTHORITATIVE_ANSWER,
  decode,
  encode,
  RECURSION_AVAILABLE,
  RECURSION_DESIRED,
} from "dns-packet";
import type { HostPath } from "../../spec/paths.ts";
import { PodNames } from "./names.ts";
import { askUpstream, frameOf, hostNameservers, joinFrames, splitFrames } from "./upstream.ts";

export interface DnsServerOptions {
  readonly state: HostPath;
  /** Addresses of the gateway. */
  readonly addresses: readonly string[];
  /** 53, but for tests. */
  readonly port?: number;
  /** Who is asked about the rest of the world: the host's own. */
  readonly upstreams?: () => readonly string[];
}

const standardPort = 53;
/** Questions that are being passed on; more than these are dropped, and asked again. */
const pendingMax = 512;
const questionBytesMax = 4096;
/** Pods come and go. */
const ttlSeconds = 5;
const notImplemented = 4;
const serverFailure = 2;
const nameError = 3;

export class DnsServer implements AsyncDisposable {
  readonly #names: PodNames;
  readonly #upstreams: () => readonly string[];
  readonly #closers: (() => void)[] = [];
  #pending = 0;

  private constructor({ state, upstreams = hostNameservers }: DnsServerOptions) {
    this.#names = new PodNames(state);
    this.#upstreams = upstreams;
  }

  static async open(options: DnsServerOptions): Promise<DnsServer> {
    const { addresses, port = standardPort } = options;
    const server = new DnsServer(options);
    try {
      for (const address of addresses) {
        await server.#listenToUdp(address, port);
        server.#listenToTcp(address, port);
      }
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const close of this.#closers.splice(0)) close();
  }

  async #listenToUdp(address: string, port: number): Promise<void> {
    const type = address.includes(":") ? "udp6" : "udp4";
    const socket = createSocket({ type, reusePort: true });
    this.#closers.push(() => socket.close());
    socket.on("message", (question: Uint8Array, asker) => {
      void this.#answer(question, asker.address, "udp").then((answer) => {
        if (answer) socket.send(answer, asker.port, asker.address);
      });
    });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.once("error", reject);
    socket.bind(port, address, resolve);
    await promise;
    // What fails later concerns one answer.
    socket.off("error", reject).on("error", () => {});
    socket.unref();
  }

  #listenToTcp(address: string, port: number): void {
    const listener = Bun.listen<{ heard: Uint8Array<ArrayBuffer> }>({
      hostname: address,
      port,
      socket: {
        open(socket) {
          socket.data = { heard: new Uint8Array(0) };
          socket.timeout(10);
        },
        timeout: (socket) => void socket.end(),
        error: (socket) => void socket.end(),
        data: (socket, bytes) => {
          const { frames, rest } = splitFrames(joinFrames(socket.data.heard, bytes));
          socket.data.heard = rest;
          if (rest.length > questionBytesMax) return void socket.end();
          for (const frame of frames) {
            void this.#answer(frame, socket.remoteAddress, "tcp").then((answer) => {
              if (answer) socket.write(frameOf(answer));
            });
          }
        },
      },
    });
    listener.unref();
    this.#closers.push(() => listener.stop(true));
  }

  /** Undefined for what is no question, and for more than can be passed on at once. */
  async #answer(
    question: Uint8Array,
    asker: string,
    transport: "udp" | "tcp",
  ): Promise<Uint8Array | undefined> {
    const asked = question.length > questionBytesMax ? undefined : readQuestion(question);
    if (!asked) return undefined;
    const { id, name, type } = asked;
    if (name === undefined) return respond(asked, [], notImplemented);
    const found = this.#names.find(name, asker);
    if (found) {
      const wanted = found.filter((address) => address.includes(":") === (type === "AAAA"));
      const isAddress = type === "A" || type === "AAAA";
      return respond(asked, isAddress ? wanted : [], found.length === 0 ? nameError : 0);
    }
    if (this.#pending >= pendingMax) return undefined;
    this.#pending++;
    try {
      return (
        (await askUpstream(question, transport, this.#upstreams())) ??
        respond({ id, name, type }, [], serverFailure)
      );
    } finally {
      this.#pending--;
    }
  }
}

interface Question {
  readonly id: number;
  /** Undefined for what is no single question. */
  readonly name: string | undefined;
  readonly type: string;
}

function readQuestion(bytes: Uint8Array): Question | undefined {
  try {
    const {
      id = 0,
      type,
      opcode,
      questions = [],
    } = decode(Buffer.from(bytes)) as ReturnType<typeof decode> & { readonly opcode?: string };
    if (type !== "query") return undefined;
    const [question] = questions;
    const isOne = questions.length === 1 && (opcode === undefined || opcode === "QUERY");
    if (!isOne || !question) return { id, name: undefined, type: "" };
    return { id, name: question.name, type: question.type };
  } catch {
    return undefined;
  }
}

function respond(
  { id, name, type }: Question,
  addresses: readonly string[],
  code: number,
): Uint8Array {
  const asked = type === "AAAA" ? ("AAAA" as const) : ("A" as const);
  return encode({
    type: "response",
    id,
    flags: AUTHORITATIVE_ANSWER | RECURSION_DESIRED | RECURSION_AVAILABLE | code,
    ...(name !== undefined && { questions: [{ name, type: type as "A" }] }),
    answers: addresses.map((data) => ({ name: name ?? "", type: asked, ttl: ttlSeconds, data })),
  });
}
