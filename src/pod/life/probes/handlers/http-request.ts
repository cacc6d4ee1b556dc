// One HTTP request over a descriptor that is connected already.

import * as http from "node:http";
import * as net from "node:net";
import * as tls from "node:tls";

export interface HttpAnswer {
  readonly status: number;
  /** Empty for none. */
  readonly location: string;
  readonly body: string;
}

export interface HttpRequest {
  /** Closed by this request. */
  readonly fd: number;
  readonly isTls: boolean;
  readonly path: string;
  readonly headers: ReadonlyMap<string, readonly string[]>;
  readonly timeoutMs: number;
  readonly bodyBytesMax: number;
  readonly signal: AbortSignal | undefined;
}

/** The other side did not answer, or not in HTTP: in the words of Go's client. */
export class RequestFailed extends Error {}

export class NotTls extends RequestFailed {
  constructor() {
    super("http: server gave HTTP response to HTTPS client");
  }
}

export function requestOnce(wish: HttpRequest): Promise<HttpAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
  const socket = socketOf(wish);
  const request = http.request({
    createConnection: () => socket,
    path: wish.path,
    headers: Object.fromEntries([...wish.headers].map(([name, values]) => [name, [...values]])),
    setHost: false,
  });
  const timeout = Number.isFinite(wish.timeoutMs)
    ? setTimeout(() => reject(new RequestFailed(late)), Math.max(0, wish.timeoutMs))
    : undefined;
  const abort = () => reject(new RequestFailed("context canceled"));
  wish.signal?.addEventListener("abort", abort, { once: true });
  request.on("response", (response) => {
    readBody(response, wish.bodyBytesMax).then(
      (body) =>
        resolve({
          status: response.statusCode ?? 0,
          location: response.headers.location ?? "",
          body,
        }),
      (error: unknown) => reject(explain(error)),
    );
  });
  request.on("error", (error) => reject(explain(error)));
  request.end();
  return promise.finally(() => {
    clearTimeout(timeout);
    wish.signal?.removeEventListener("abort", abort);
    request.destroy();
    socket.destroy();
  });
}

export const late = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)";

function socketOf({ fd, isTls }: HttpRequest): net.Socket {
  // Types of `net.connect` know no descriptors; Bun takes this one for its own.
  const plain = net.connect({ fd } as unknown as net.NetConnectOpts);
  // A probe asks whether the server answers, not who it is.
  return isTls ? tls.connect({ socket: plain, rejectUnauthorized: false }) : plain;
}

async function readBody(response: http.IncomingMessage, bytesMax: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    chunks.push(chunk.subarray(0, bytesMax - bytes));
    bytes += chunk.length;
    if (bytes >= bytesMax) break;
  }
  return Buffer.concat(chunks).toString();
}

function explain(error: unknown): RequestFailed {
  if (error instanceof RequestFailed) return error;
  const { code = "", message } = error as { code?: string; message: string };
  if (/WRONG_VERSION_NUMBER|HTTP_REQUEST/.test(`${code} ${message}`)) return new NotTls();
  if (code === "ECONNRESET" && /hang up/.test(message)) return new RequestFailed("EOF");
  if (code === "ECONNRESET") return new RequestFailed("read: connection reset by peer");
  if (code === "EPIPE") return new RequestFailed("write: broken pipe");
  return new RequestFailed(message);
}
