// A port that takes connections. Nothing is sent.

import { DialError } from "../../../../launch/dial.ts";
import { hostAddress } from "../address.ts";
import type { HandlerLimits, HandlerResult, ProbeTarget, TcpSpec } from "../target.ts";

export async function runTcp(
  { host, port }: TcpSpec,
  target: ProbeTarget,
  { timeoutMs }: HandlerLimits,
): Promise<HandlerResult> {
  try {
    const address = { host: await hostAddress(host || target.podIp), port: target.portOf(port) };
    await target.tryDial(address, timeoutMs);
    return { ok: true, message: "" };
  } catch (error) {
    if (error instanceof DialError) return { ok: false, message: error.message };
    throw error;
  }
}
