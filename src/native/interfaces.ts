// Questions to the kernel about interfaces and addresses of this network namespace.

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
    const address = alloc(28);
    const view = new DataView(address.buffer);
    view.setUint16(0, family, true);
    view.setUint16(2, 9); // The port for what nobody reads.
    address.set(towards, at);
    if (trySyscall("connect", socket, address, isV6 ? 28 : 16) < 0) return undefined;
    const size = alloc(4);
    new DataView(size.buffer).setUint32(0, 28, true);
    if (trySyscall("getsockname", socket, address, size) < 0) return undefined;
    return address.slice(at, at + towards.length);
  } finally {
    closeFd(socket);
  }
}
