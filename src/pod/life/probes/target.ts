// What probes and hooks need of the container that they are for.

import type { HandlerSpec, PortRef } from "../../../spec/life.ts";

export interface ProbeTarget {
  readonly pod: string;
  readonly container: string;
  readonly attempt: number;
  /** Epoch milliseconds. */
  readonly startedMs: number;
  /** `127.0.0.1` while a pod has only loopback. */
  readonly podIp: string;
  readonly portOf: (ref: PortRef) => number;
  /** A connected, nonblocking descriptor of the pod's network, for the caller to close. */
  readonly dial: (
    address: { readonly host: string; readonly port: number },
    timeoutMs: number,
  ) => Promise<number>;
  /** The same, without keeping the connection. */
  readonly tryDial: (
    address: { readonly host: string; readonly port: number },
    timeoutMs: number,
  ) => Promise<void>;
  /** Rejects where the command could not be run at all. */
  readonly exec: (
    command: readonly string[],
    limits: {
      readonly timeoutMs: number;
      readonly outputBytesMax: number;
      readonly signal?: AbortSignal | undefined;
    },
  ) => Promise<{ readonly exitCode: number; readonly output: string; readonly timedOut: boolean }>;
}

export interface HandlerResult {
  readonly ok: boolean;
  /** Why not, or what was said. */
  readonly message: string;
  /** It went well, and somebody should know this all the same. */
  readonly warning?: { readonly reason: string; readonly message: string };
}

export interface HandlerLimits {
  /** On this host's clock; Infinity for none. */
  readonly timeoutMs: number;
  /** What the manifest says of it, for messages: `1s`. */
  readonly timeoutText: string;
  readonly purpose: "probe" | "hook";
  readonly signal?: AbortSignal | undefined;
}

/** Output and bodies are kept up to this. */
export const answerBytesMax = 10 << 10;

type SpecOf<Kind extends HandlerSpec["kind"]> = Extract<HandlerSpec, { readonly kind: Kind }>;
export type ExecSpec = SpecOf<"exec">;
export type HttpSpec = SpecOf<"httpGet">;
export type TcpSpec = SpecOf<"tcpSocket">;
export type GrpcSpec = SpecOf<"grpc">;
