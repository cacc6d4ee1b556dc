// A unix stream socket that carries descriptors one way: Bun's own sockets drop them, so sending is
// ours and reading is Bun's.

import { addressOf, alloc } from "./memory.ts";
import { closeFd, duplicate, syscall, SyscallError, trySyscall } from "./syscalls.ts";

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
const MSG_NOSIGNAL = 0x4000;
const MSG_DONTWAIT = 0x40;
const MSG_CMSG_CLOEXEC = 0x4000_0000;
const EAGAIN = 11;
/** In `struct msghdr`. */
const controlLengthAt = 40;

export interface SocketHandlers {
  data(bytes: Uint8Array): void;
  closed(): void;
}

let sleepsDeeply = false;

/**
 * For a process that lives long and does little: while Bun has one connected socket its loop wakes
 * every second to look for timeouts, and a stream of a file does not. Loading streams takes time,
 * which is why commands do without.
 */
export function sleepDeeply(): void {
  sleepsDeeply = true;
}

/** Owns its descriptor. */
export class DescriptorSocket implements Disposable {
  readonly fd: number;
  #reader: { end(): void } | undefined;
  #closed = false;

  constructor(fd: number) {
    this.fd = fd;
  }

  /** `[ours, theirs]`; theirs is for a child, and the caller closes it. */
  static pair(): readonly [DescriptorSocket, number] {
    const ends = alloc(8);
    syscall("socketpair", AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
    const view = new DataView(ends.buffer);
    const [ours, theirs] = [view.getInt32(0, true), view.getInt32(4, true)];
    growSendBuffer(ours);
    return [new DescriptorSocket(ours), theirs];
  }

  /**
   * Connects by `/proc/self/fd`, since a socket's address holds 107 bytes and a path may be longer.
   */
  static connect(directory: number, name: string): DescriptorSocket {
    const fd = syscall("socket", AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const path = Buffer.from(`/proc/self/fd/${directory}/${name}`);
    const address = alloc(110);
    new DataView(address.buffer).setUint16(0, AF_UNIX, true);
    address.set(path, 2);
    const result = trySyscall("connect", fd, address, address.length);
    if (result < 0) {
      closeFd(fd);
      throw new SyscallError("connect", -result);
    }
    growSendBuffer(fd);
    return new DescriptorSocket(fd);
  }

  async listen(handlers: SocketHandlers): Promise<void> {
    if (sleepsDeeply) return this.#listenAsleep(handlers);
    // The descriptor that Bun takes is its own to close. The overload for `fd` is missing from its
    // types.
    const options = {
      fd: duplicate(this.fd),
      socket: {
        data: (_: unknown, bytes: Uint8Array) => handlers.data(bytes),
        close: () => handlers.closed(),
        error: () => handlers.closed(),
      },
    };
    const connect = Bun.connect as (options: unknown) => Promise<{ end(): void }>;
    this.#reader = await connect(options);
    if (this.#closed) this.#reader.end();
  }

  #listenAsleep(handlers: SocketHandlers): void {
    const fd = duplicate(this.fd);
    const reader = Bun.file(fd).stream().getReader();
    this.#reader = { end: () => void reader.cancel().catch(() => {}) };
    const read = async (): Promise<void> => {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        handlers.data(value);
      }
    };
    void read()
      .catch(() => {}) // A connection that breaks has ended.
      .then(() => {
        closeFd(fd); // The stream leaves that to us.
        handlers.closed();
      });
  }

  /** One message; the descriptors ride on its first byte and stay the caller's. */
  send(bytes: Uint8Array<ArrayBuffer>, fds: readonly number[] = []): void {
    let sent = this.#sendOnce(bytes, fds);
    while (sent < bytes.length) {
      const rest = alloc(bytes.length - sent);
      rest.set(bytes.subarray(sent));
      sent += this.#sendOnce(rest, []);
    }
  }

  /** The one that has arrived with a byte of its own; throws where there is none. */
  receiveDescriptor(): number {
    const message = layOutMessage(alloc(1), [-1]);
    const result = syscall("recvmsg", this.fd, message.header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    const received = new DataView(message.header.buffer).getBigUint64(controlLengthAt, true);
    if (result === 0 || received < 20n) throw new SyscallError("recvmsg", EAGAIN);
    return new DataView(message.control.buffer).getInt32(16, true);
  }

  #sendOnce(bytes: Uint8Array<ArrayBuffer>, fds: readonly number[]): number {
    const message = layOutMessage(bytes, fds);
    const attemptsMax = 50;
    for (let attempt = 0; ; attempt++) {
      const result = trySyscall("sendmsg", this.fd, message.header, MSG_NOSIGNAL);
      if (result >= 0) return result;
      // The keeper reads at once; a full buffer means that it has not been scheduled yet.
      if (-result !== EAGAIN || attempt === attemptsMax) throw new SyscallError("sendmsg", -result);
      waitWritable(this.fd, 100);
    }
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#reader?.end();
    closeFd(this.fd);
  }
}

/**
 * A whole launch fits without anybody reading yet. SO_SNDBUFFORCE goes past the sysctl where we
 * may.
 */
function growSendBuffer(fd: number): void {
  const [solSocket, sndBuf, sndBufForce] = [1, 7, 32];
  const size = alloc(4);
  new DataView(size.buffer).setUint32(0, 8 << 20, true);
  if (trySyscall("setsockopt", fd, solSocket, sndBufForce, size, 4) < 0) {
    trySyscall("setsockopt", fd, solSocket, sndBuf, size, 4);
  }
}

function waitWritable(fd: number, timeoutMs: number): void {
  const pollOut = 4;
  const entry = alloc(8);
  const view = new DataView(entry.buffer);
  view.setInt32(0, fd, true);
  view.setInt16(4, pollOut, true);
  trySyscall("poll", entry, 1, timeoutMs);
}

interface Message {
  readonly header: Uint8Array<ArrayBuffer>;
  readonly control: Uint8Array<ArrayBuffer>;
  /** Kept alive for as long as the header names their addresses. */
  readonly parts: readonly Uint8Array[];
}

/** `struct msghdr` with one `iovec` and, for descriptors, one `cmsghdr` (man 3 cmsg). */
function layOutMessage(bytes: Uint8Array<ArrayBuffer>, fds: readonly number[]): Message {
  const iov = alloc(16);
  const iovView = new DataView(iov.buffer);
  iovView.setBigUint64(0, BigInt(addressOf(bytes)), true);
  iovView.setBigUint64(8, BigInt(bytes.length), true);
  const header = alloc(56);
  const view = new DataView(header.buffer);
  view.setBigUint64(16, BigInt(addressOf(iov)), true);
  view.setBigUint64(24, 1n, true);
  if (fds.length === 0) return { header, control: alloc(0), parts: [iov, bytes] };

  const [solSocket, scmRights, headBytes] = [1, 1, 16];
  const length = headBytes + 4 * fds.length;
  const control = alloc((length + 7) & ~7);
  const controlView = new DataView(control.buffer);
  controlView.setBigUint64(0, BigInt(length), true);
  controlView.setInt32(8, solSocket, true);
  controlView.setInt32(12, scmRights, true);
  fds.forEach((fd, index) => controlView.setInt32(headBytes + 4 * index, fd, true));
  view.setBigUint64(32, BigInt(addressOf(control)), true);
  view.setBigUint64(controlLengthAt, BigInt(control.length), true);
  return { header, control, parts: [iov, bytes, control] };
}
