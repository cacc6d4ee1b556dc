// A port that takes connections. Nothing is sent.

import { DialError } from "../../../../launch/dial.ts";
import { closeFd } from "../../../../native/syscalls.ts";
import { hostAddress } from "../address.ts";
import type { HandlerLimits, HandlerResult, ProbeTarget, TcpSpec } from "../target.ts";

export async function runTcp(
  { host, port }: TcpSpec,
  target: ProbeTarget,
  { timeoutMs }: HandlerLimits,
): Promise<HandlerResult> {
  try {
    const address = { host: await hostAddress(host || target.podIp), port: target.portOf(port) };
    closeFd(await target.dial(address, timeoutMs));
    return { ok: true, message: "" };
  } catch (error) {
    if (error instanceof DialError) return { ok: false, message: error.message };
    throw error;
  }
}
