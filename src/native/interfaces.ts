// Questions to the kernel about interfaces and addresses of this network namespace.

import { errnoName } from "./errno.ts";
import { alloc } from "./memory.ts";
import { closeFd, syscall, trySyscall } from "./syscalls.ts";

const [AF_INET, AF_INET6, SOCK_DGRAM, SOCK_CLOEXEC] = [2, 10, 2, 0o2000000];

/** Whether an interface of this number is there (man 7 netdevice, SIOCGIFNAME). */
export function isInterface(index: number): boolean {
  const getName = 0x8910;
  const request = alloc(requestBytes);
  new DataView(request.buffer).setInt32(nameBytes, index, true);
  return ask(getName, request);
}

/** 0 where there is no interface of this name. */
export function interfaceNumber(name: string): number {
  const getIndex = 0x8933;
  const request = alloc(requestBytes);
  request.set(Buffer.from(name).subarray(0, nameBytes - 1));
  return ask(getIndex, request) ? new DataView(request.buffer).getInt32(nameBytes, true) : 0;
}

/** `struct ifreq`. */
const [requestBytes, nameBytes] = [40, 16];

function ask(question: number, request: Uint8Array<ArrayBuffer>): boolean {
  const socket = syscall("socket", AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  try {
    return trySyscall("ioctl", socket, question, request) >= 0;
  } finally {
    closeFd(socket);
  }
}

const transports = {
  TCP: { type: 1, protocol: 6 },
  UDP: { type: 2, protocol: 17 },
  SCTP: { type: 1, protocol: 132 },
} as const;

/**
 * Whether this port of this host is to be had now: undefined, or why it is not. Where the kernel
 * does not know the protocol, nobody has it.
 */
export function tryBind(
  transport: keyof typeof transports,
  address: Uint8Array,
  port: number,
): string | undefined {
  const { type, protocol } = transports[transport];
  const family = address.length === 16 ? AF_INET6 : AF_INET;
  const socket = trySyscall("socket", family, type | SOCK_CLOEXEC, protocol);
  if (socket < 0) return undefined;
  try {
    const [solSocket, reuseAddress, ipv6, v6Only, on] = [1, 2, 41, 26, alloc(4)];
    on[0] = 1;
    // Connections that have ended keep nobody out, but who listens does.
    if (transport === "TCP") trySyscall("setsockopt", socket, solSocket, reuseAddress, on, 4);
    if (family === AF_INET6) trySyscall("setsockopt", socket, ipv6, v6Only, on, 4);
    const [name, bytes] = socketAddress(address, port);
    const bound = trySyscall("bind", socket, name, bytes);
    return bound < 0 ? errnoName(-bound) : undefined;
  } finally {
    closeFd(socket);
  }
}

/** `struct sockaddr_in` or `sockaddr_in6`, and its size. */
function socketAddress(
  address: Uint8Array,
  port: number,
): readonly [Uint8Array<ArrayBuffer>, number] {
  const isV6 = address.length === 16;
  const name = alloc(28);
  const view = new DataView(name.buffer);
  view.setUint16(0, isV6 ? AF_INET6 : AF_INET, true);
  view.setUint16(2, port);
  name.set(address, isV6 ? 8 : 4);
  return [name, isV6 ? 28 : 16];
}

/**
 * The address that this host has towards somewhere: nothing is sent, the kernel only chooses. 4 or
 * 16 bytes; undefined where it has no way there.
 */
export function sourceAddress(towards: Uint8Array): Uint8Array | undefined {
  const isV6 = towards.length === 16;
  const family = isV6 ? AF_INET6 : AF_INET;
  const at = isV6 ? 8 : 4;
  const socket = trySyscall("socket", family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return undefined;
  try {
    const discard = 9;
    const [address, bytes] = socketAddress(towards, discard);
    if (trySyscall("connect", socket, address, bytes) < 0) return undefined;
    const size = alloc(4);
    new DataView(size.buffer).setUint32(0, 28, true);
    if (trySyscall("getsockname", socket, address, size) < 0) return undefined;
    return address.slice(at, at + towards.length);
  } finally {
    closeFd(socket);
  }
}
