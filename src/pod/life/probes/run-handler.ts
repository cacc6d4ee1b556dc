// One handler, once: what a probe and a hook have in common. Each kind's code is loaded when a
// container wants it.

import type { HandlerSpec } from "../../../spec/life.ts";
import type { Clock } from "../clock.ts";
import type { HandlerLimits, HandlerResult, ProbeTarget } from "./target.ts";

export interface RunOptions extends Pick<HandlerLimits, "purpose" | "signal"> {
  /** By the rules, so it is scaled here; Infinity for none. */
  readonly timeoutMs: number;
  readonly clock: Pick<Clock, "scaled">;
}

/** Rejects where nothing could be asked: that is no answer. */
export async function runHandler(
  handler: HandlerSpec,
  target: ProbeTarget,
  { timeoutMs, clock, purpose, signal }: RunOptions,
): Promise<HandlerResult> {
  const limits: HandlerLimits = {
    timeoutMs: clock.scaled(timeoutMs),
    timeoutText: `${timeoutMs / 1000}s`,
    purpose,
    signal,
  };
  switch (handler.kind) {
    case "exec":
      return (await import("./handlers/exec.ts")).runExec(handler, target, limits);
    case "httpGet":
      return (await import("./handlers/http.ts")).runHttp(handler, target, limits);
    case "tcpSocket":
      return (await import("./handlers/tcp.ts")).runTcp(handler, target, limits);
    case "grpc":
      return (await import("./handlers/grpc.ts")).runGrpc(handler, target, limits);
    case "sleep":
      return (await import("./handlers/sleep.ts")).runSleep(handler, limits, clock);
    default:
      return handler satisfies never;
  }
}
