// A connection made in a pod's network namespace, by its keeper, and handed to this process.

import { isIPv4, isIPv6 } from "node:net";
import { errnoText } from "../native/errno.ts";
import { alloc } from "../native/memory.ts";
import { DescriptorSocket } from "../native/socket.ts";
import { closeFd } from "../native/syscalls.ts";
import { dial, families } from "../plan/abi.gen.ts";
import type { Reply } from "./keeper-client.ts";
import { packStruct } from "./layout.ts";

export interface DialAddress {
  /** An IPv4 or IPv6 address. */
  readonly host: string;
  readonly port: number;
}

/** The keeper's own limit. */
const timeoutMsMax = 600_000;

type SendDial = (body: Uint8Array, fds: readonly number[]) => Promise<Reply>;

/** Worded as Go does, since people look for these texts. */
export class DialError extends Error {
  readonly isTimeout: boolean;

  constructor({ host, port }: DialAddress, { status, errno }: Reply) {
    const where = `dial tcp ${isIPv6(host) ? `[${host}]` : host}:${port}`;
    const why =
      status === "timed_out"
        ? "i/o timeout"
        : status === "refused"
          ? "too many connections are being made in this pod"
          : `connect: ${errnoText(errno)}`;
    super(`${where}: ${why}`);
    this.name = "DialError";
    this.isTimeout = status === "timed_out";
  }
}

/**
 * The connected descriptor, nonblocking; the caller closes it. It comes over a socket of its own:
 * Bun reads the keeper's, and drops descriptors.
 */
export async function dialThrough(
  request: SendDial,
  address: DialAddress,
  timeoutMs: number,
): Promise<number> {
  const body = encodeDial(address, timeoutMs);
  const [ours, theirs] = DescriptorSocket.pair();
  using channel = ours;
  let answer: Promise<Reply>;
  try {
    answer = request(body, [theirs]);
  } finally {
    closeFd(theirs);
  }
  const reply = await answer;
  if (reply.status === "ok") return channel.receiveDescriptor();
  throw new DialError(address, reply);
}

/** Without a socket to send it over, the keeper closes the connection that it has made. */
export async function tryThrough(
  request: SendDial,
  address: DialAddress,
  timeoutMs: number,
): Promise<void> {
  const reply = await request(encodeDial(address, timeoutMs), []);
  if (reply.status !== "ok") throw new DialError(address, reply);
}

function encodeDial({ host, port }: DialAddress, timeoutMs: number): Uint8Array {
  const [head, tail] = addressWords(host);
  return packStruct(dial, {
    family: families.indexOf(isIPv4(host) ? "tcp4" : "tcp6"),
    port,
    address_head: head,
    address_tail: tail,
    timeout_ms: Math.min(Math.max(1, Math.ceil(timeoutMs)), timeoutMsMax),
  });
}

/** The bytes of the address as they lie in memory, in two words. */
function addressWords(host: string): readonly [bigint, bigint] {
  const bytes = alloc(16);
  if (isIPv4(host)) bytes.set(host.split(".").map(Number));
  else if (isIPv6(host)) writeIPv6(host, new DataView(bytes.buffer));
  else throw new TypeError(`${JSON.stringify(host)} is not an IP address`);
  const view = new DataView(bytes.buffer);
  return [view.getBigUint64(0, true), view.getBigUint64(8, true)];
}

function writeIPv6(host: string, view: DataView): void {
  // As a URL every address has its canonical form: hexadecimal groups, the longest gap as "::".
  const canonical = new URL(`http://[${host}]`).hostname.slice(1, -1);
  const [before = "", after] = canonical.split("::").map((half) => half.split(":").filter(Boolean));
  const groups = 8;
  const write = (words: readonly string[], first: number) =>
    words.forEach((word, index) => view.setUint16((first + index) * 2, parseInt(word, 16)));
  write([...before], 0);
  if (after) write(after, groups - after.length);
}
