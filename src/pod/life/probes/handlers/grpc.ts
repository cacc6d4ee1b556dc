// The health service of gRPC (grpc.health.v1.Health/Check), over a connection made inside the pod.

import * as http2 from "node:http2";
import * as net from "node:net";
import { DialError } from "../../../../launch/dial.ts";
import { hostPort } from "../address.ts";
import type { GrpcSpec, HandlerLimits, HandlerResult, ProbeTarget } from "../target.ts";

const serving = 1;
/** grpc.health.v1.HealthCheckResponse.ServingStatus */
const servingStatuses = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];
const [deadlineExceeded, unimplemented] = ["4", "12"];
const messageBytesMax = 4096;

export async function runGrpc(
  { port, service }: GrpcSpec,
  target: ProbeTarget,
  { timeoutMs, timeoutText, signal }: HandlerLimits,
): Promise<HandlerResult> {
  const where = hostPort(target.podIp, port);
  const endMs = performance.now() + timeoutMs;
  let fd: number;
  try {
    fd = await target.dial({ host: target.podIp, port }, timeoutMs);
  } catch (error) {
    if (!(error instanceof DialError)) throw error;
    const message = error.isTimeout
      ? `timeout: failed to connect service "${where}" within ${timeoutText}`
      : `error: failed to connect service at "${where}": ${error.message}`;
    return { ok: false, message };
  }
  const leftMs = endMs - performance.now();
  return judge(await check({ fd, where, service, timeoutMs: leftMs, signal }), timeoutText);
}

interface CheckWish {
  readonly fd: number;
  readonly where: string;
  readonly service: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

type Checked =
  | {
      readonly kind: "answer";
      readonly message: Uint8Array;
      readonly status: string;
      readonly text: string;
    }
  | { readonly kind: "late" }
  | { readonly kind: "broken"; readonly text: string };

function judge(checked: Checked, timeoutText: string): HandlerResult {
  const failed = (message: string) => ({ ok: false, message });
  const tooLate = `timeout: health rpc did not complete within ${timeoutText}`;
  if (checked.kind === "late") return failed(tooLate);
  if (checked.kind === "broken") return failed(`error: health rpc probe failed: ${checked.text}`);
  const { status, text, message } = checked;
  if (status === deadlineExceeded) return failed(tooLate);
  if (status === unimplemented) {
    const what = "this server does not implement the grpc health protocol (grpc.health.v1.Health)";
    return failed(`error: ${what}: ${text}`);
  }
  if (status !== "0") return failed(`error: health rpc probe failed: status ${status}: ${text}`);
  const answer = readStatus(message);
  if (answer === serving) return { ok: true, message: "service healthy" };
  const name = servingStatuses[answer] ?? `${answer}`;
  return failed(`service unhealthy (responded with "${name}")`);
}

async function check(wish: CheckWish): Promise<Checked> {
  const { promise, resolve } = Promise.withResolvers<Checked>();
  const broken = (error: Error) => resolve({ kind: "broken", text: error.message });
  // Types of `net.connect` know no descriptors; Bun takes this one for its own.
  const socket = net.connect({ fd: wish.fd } as unknown as net.NetConnectOpts);
  const session = http2.connect(`http://${wish.where}`, { createConnection: () => socket });
  session.on("error", broken);
  session.on("close", () => broken(new Error("the connection was closed")));
  const stream = session.request({
    ":method": "POST",
    ":path": "/grpc.health.v1.Health/Check",
    "content-type": "application/grpc",
    "user-agent": "kube-probe/1.36",
    te: "trailers",
  });
  stream.on("error", broken);
  const timeout = setTimeout(() => resolve({ kind: "late" }), Math.max(0, wish.timeoutMs));
  const abort = () => resolve({ kind: "late" });
  wish.signal?.addEventListener("abort", abort, { once: true });
  let [status, text, message] = ["", "", new Uint8Array(0)];
  const readTrailers = (headers: http2.IncomingHttpHeaders) => {
    status = String(headers["grpc-status"] ?? status);
    text = decodeText(String(headers["grpc-message"] ?? text));
  };
  // A refusal has no body, and its status among the first headers.
  stream.on("response", (headers) => {
    if (headers[":status"] !== 200) broken(new Error(`HTTP status ${headers[":status"]}`));
    readTrailers(headers);
  });
  stream.on("trailers", readTrailers);
  stream.on("data", (chunk: Uint8Array) => {
    message = new Uint8Array(Buffer.concat([message, chunk]));
    if (message.length > messageBytesMax) broken(new Error("the answer is too long"));
  });
  stream.on("end", () => resolve({ kind: "answer", message, status, text }));
  stream.end(frameOf(encodeRequest(wish.service)));
  try {
    return await promise;
  } finally {
    clearTimeout(timeout);
    wish.signal?.removeEventListener("abort", abort);
    session.destroy();
    socket.destroy();
  }
}

/** gRPC sends texts percent-encoded; not everybody does it right. */
function decodeText(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** HealthCheckRequest: field 1, the service's name. */
function encodeRequest(service: string): Uint8Array {
  const name = new TextEncoder().encode(service);
  if (name.length === 0) return name;
  const lengthOfString = 0x0a;
  return Uint8Array.of(lengthOfString, ...varint(name.length), ...name);
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}

/** Not compressed, then the length. */
function frameOf(message: Uint8Array): Uint8Array {
  const frame = new Uint8Array(5 + message.length);
  new DataView(frame.buffer).setUint32(1, message.length);
  frame.set(message, 5);
  return frame;
}

/** HealthCheckResponse: field 1, an enumeration; left out it is 0. */
function readStatus(frame: Uint8Array): number {
  const [fieldOne, headBytes] = [0x08, 5];
  return frame[headBytes] === fieldOne ? (frame[headBytes + 1] ?? 0) : 0;
}
