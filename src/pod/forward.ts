// Ports of this process for ports of a pod, without touching the pod: its keeper makes each
// connection in the pod's network, and hands it over.

import type { AddressInfo, Server, Socket } from "node:net";
import { connect, createServer } from "node:net";
import { PodError } from "../errors/pod-error.ts";
import type { KeeperClient } from "../launch/keeper-client.ts";

export interface ForwardOptions {
  /** In the pod; servers that listen on its loopback alone are reached, too. */
  readonly port: number;
  /** Of this host; 0 (default) for any that is free. */
  readonly localPort?: number;
  /** Of this host. Default 127.0.0.1: nobody else can reach it. */
  readonly localAddress?: string;
  /** Hears of a connection that could not be made. */
  readonly onError?: (error: Error) => void;
}

/** Ends with its disposal; connections that are open then end, too. */
export interface Forwarding extends AsyncDisposable {
  readonly address: string;
  readonly port: number;
}

const patienceMs = 10_000;

export async function forwardPort(
  client: () => Promise<KeeperClient>,
  options: ForwardOptions,
): Promise<Forwarding> {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    join(socket, client, options, open).catch((error) => {
      socket.destroy();
      options.onError?.(error instanceof Error ? error : new Error(String(error)));
    });
  });
  await listen(server, options);
  // A listening server of TCP has one.
  const { address, port } = server.address() as AddressInfo;
  const end = async () => {
    for (const socket of open) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  return { address, port, [Symbol.asyncDispose]: end };
}

async function join(
  outer: Socket,
  client: () => Promise<KeeperClient>,
  { port }: ForwardOptions,
  open: Set<Socket>,
): Promise<void> {
  const fd = await dialLoopback(await client(), port);
  // It owns the descriptor. The overload for `fd` is missing from Bun's types.
  const inner = connect({ fd, allowHalfOpen: true } as unknown as { path: string });
  for (const [socket, other] of [
    [outer, inner],
    [inner, outer],
  ] as const) {
    open.add(socket);
    socket.on("error", () => other.destroy());
    socket.on("close", () => {
      open.delete(socket);
      other.end();
    });
    socket.pipe(other);
  }
  outer.resume();
}

/** By IPv4, and where nobody listens there by IPv6. */
async function dialLoopback(keeper: KeeperClient, port: number): Promise<number> {
  try {
    return await keeper.dial({ host: "127.0.0.1", port }, patienceMs);
  } catch (error) {
    return await keeper.dial({ host: "::1", port }, patienceMs).catch(() => {
      throw error;
    });
  }
}

function listen(server: Server, { localAddress, localPort }: ForwardOptions): Promise<void> {
  const host = localAddress ?? "127.0.0.1";
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", (error) => {
    reject(
      new PodError({
        code: "network.port-taken",
        message: `port ${localPort ?? 0} of ${host} cannot be listened to`,
        step: error.message,
      }),
    );
  });
  server.listen({ host, port: localPort ?? 0 }, resolve);
  return promise;
}
