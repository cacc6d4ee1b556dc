// A netlink socket of this process: the kernel answers while it is written to.

import { readSync, writeSync } from "node:fs";
import { errnoName } from "./errno.ts";
import { alloc } from "./memory.ts";
import { closeFd, syscall, trySyscall } from "./syscalls.ts";

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const SOCK_NONBLOCK = 0o4000;
const SOL_NETLINK = 270;

export const netlinkFamily = { route: 0, netfilter: 12 } as const;

/** A request that the kernel refused. */
export class NetlinkError extends Error {
  /** `ENOENT` and the like. */
  readonly errno: string;
  /** What was asked for, in the words of the batch. */
  readonly label: string;

  constructor(label: string, errno: string) {
    super(`${label}: ${errno}`);
    this.name = "NetlinkError";
    this.errno = errno;
    this.label = label;
  }
}

interface Batch {
  readonly labels: readonly string[];
  readonly messages: Uint8Array;
}

export class NetlinkSocket implements Disposable {
  readonly #fd: number;

  constructor(family: keyof typeof netlinkFamily) {
    const type = SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK;
    this.#fd = syscall("socket", AF_NETLINK, type, netlinkFamily[family]);
    const [capAck, on] = [10, alloc(4)];
    on[0] = 1;
    trySyscall("setsockopt", this.#fd, SOL_NETLINK, capAck, on, 4);
  }

  /** Throws a NetlinkError for the first request that failed. */
  send({ labels, messages }: Batch): void {
    if (messages.length > largeBytes) this.#makeRoom(2 * messages.length);
    writeSync(this.#fd, messages);
    let failure: NetlinkError | undefined;
    for (const { type, view } of this.#read(answerBytesMax)) {
      if (type !== errorType) continue;
      const errno = -view.getInt32(headBytes, true);
      const sequence = view.getUint32(headBytes + 4 + 8, true);
      if (errno !== 0) failure ??= new NetlinkError(labels[sequence - 1] ?? "", errnoName(errno));
      else if (sequence === labels.length && !failure) return;
    }
    throw failure ?? new NetlinkError(labels.at(-1) ?? "", "no answer");
  }

  /** The kernel takes a batch whole, and not more than a socket may send at once. */
  #makeRoom(bytes: number): void {
    const [solSocket, sendBufferForce] = [1, 32];
    const size = alloc(4);
    new DataView(size.buffer).setUint32(0, bytes, true);
    trySyscall("setsockopt", this.#fd, solSocket, sendBufferForce, size, 4);
  }

  /** What a dump answers: the message type, and what follows its head. */
  *dump(messages: Uint8Array): Generator<{ readonly type: number; readonly body: Uint8Array }> {
    writeSync(this.#fd, messages);
    for (const { type, view } of this.#read(dumpBytesMax)) {
      if (type === doneType) return;
      if (type === errorType) {
        throw new NetlinkError("dump", errnoName(-view.getInt32(headBytes, true)));
      }
      const { buffer, byteOffset, byteLength } = view;
      yield { type, body: new Uint8Array(buffer, byteOffset + headBytes, byteLength - headBytes) };
    }
  }

  /** Until nothing is left. */
  *#read(bytesMax: number): Generator<{ readonly type: number; readonly view: DataView }> {
    for (;;) {
      const bytes = new Uint8Array(bytesMax);
      const length = this.#readOnce(bytes);
      if (length === 0) return;
      for (let at = 0; at + headBytes <= length;) {
        const head = new DataView(bytes.buffer, at);
        const size = Math.max(head.getUint32(0, true), headBytes);
        yield { type: head.getUint16(4, true), view: new DataView(bytes.buffer, at, size) };
        at += (size + 3) & ~3;
      }
    }
  }

  #readOnce(bytes: Uint8Array): number {
    try {
      return readSync(this.#fd, bytes);
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "EAGAIN") return 0;
      throw error;
    }
  }

  [Symbol.dispose](): void {
    closeFd(this.#fd);
  }
}

const headBytes = 16;
/** Half of what a socket may send unless told otherwise. */
const largeBytes = 100_000;
const [answerBytesMax, dumpBytesMax] = [4096, 32_768];
const [errorType, doneType] = [2, 3];
