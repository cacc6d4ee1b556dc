// What a keeper says, read from its frames; and what clients of a pod say to each other through it.

import { askBytesMax, exited, noProcess, reply, statuses } from "../plan/abi.gen.ts";
import { unpackStruct } from "./layout.ts";

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
  /** How often the process had been launched before. */
  readonly attempt: number;
}

/** What another client asks of the pod's owner. */
export interface Ask {
  readonly body: unknown;
  answer(body: unknown): Promise<void>;
}

export const emptyReply: Reply = {
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

export function readReply(body: Uint8Array): Reply {
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

export function readExited(body: Uint8Array): ExitedEvent {
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
    attempt: values.attempt,
  };
}

export function readTrace(body: Uint8Array): bigint[] {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  return Array.from({ length: body.length / 8 }, (_, index) => view.getBigInt64(index * 8, true));
}

/** JSON, filled up with spaces: the bytes of a frame are a multiple of 8. */
export function encodeAsk(value: unknown): Uint8Array {
  const bytes = Buffer.from(JSON.stringify(value) ?? "null");
  const padded = new Uint8Array((bytes.length + 7) & ~7).fill(0x20);
  if (padded.length > askBytesMax) throw new RangeError("more than an owner can be asked at once");
  padded.set(bytes);
  return padded;
}

export function decodeAsk(body: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(body));
  } catch {
    return undefined; // It is for who reads it to refuse what it does not know.
  }
}
