// The address of a probe: most are numbers, and a name is the owner's to look up, as the kubelet
// does.

import { lookup } from "node:dns/promises";
import { isIP } from "node:net";

/** No address has this name; the prober has asked, and this is the answer. */
export class UnknownHost extends Error {}

export async function hostAddress(host: string): Promise<string> {
  if (isIP(host) !== 0) return host;
  if (host === "localhost") return "127.0.0.1";
  try {
    return (await lookup(host)).address;
  } catch {
    throw new UnknownHost(`lookup ${host}: no such host`);
  }
}

/** `10.0.0.3:8080`, `[::1]:80`. */
export function hostPort(host: string, port: number): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
}
