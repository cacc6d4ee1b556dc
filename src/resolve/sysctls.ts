// Sysctls of a pod: the safe ones, and what the host's owner allows beyond them.

import { PodError } from "../errors/pod-error.ts";
import type { PodSpec } from "../spec/pod-spec.ts";
import { originOf } from "../spec/pod-spec.ts";
import type { ResolvedSysctl } from "../spec/resolved.ts";

/** Kubernetes' list: set in a namespace of the pod's, and without effect on others. */
export const safeSysctls: ReadonlySet<string> = new Set([
  "kernel.shm_rmid_forced",
  "net.ipv4.ip_local_port_range",
  "net.ipv4.ip_local_reserved_ports",
  "net.ipv4.ip_unprivileged_port_start",
  "net.ipv4.ping_group_range",
  "net.ipv4.tcp_fin_timeout",
  "net.ipv4.tcp_keepalive_intvl",
  "net.ipv4.tcp_keepalive_probes",
  "net.ipv4.tcp_keepalive_time",
  "net.ipv4.tcp_rmem",
  "net.ipv4.tcp_syncookies",
  "net.ipv4.tcp_wmem",
]);

const hosts = "is the host's, not the pod's";
/** Of the network or IPC namespace; all others are the host's. */
const namespaced = /^(net\.|kernel\.(shm|msg)|kernel\.sem$|fs\.mqueue\.)/;

/** `allowed` are names, or beginnings of names that end in `*`, as the kubelet has them. */
export function resolveSysctls(spec: PodSpec, allowed: readonly string[]): ResolvedSysctl[] {
  return spec.security.sysctls.map(({ field, name, value }) => {
    const why = refusalOf(name, allowed);
    if (why === undefined) return { field, path: pathOf(name), value };
    throw new PodError({
      code: "pod.sysctl-forbidden",
      message: `forbidden sysctl: ${JSON.stringify(name)} ${why}`,
      origin: originOf(spec, `${field}.name`),
      ...(why === hosts && { hint: "set it on the host; it holds for everything there" }),
    });
  });
}

function refusalOf(name: string, allowed: readonly string[]): string | undefined {
  if (safeSysctls.has(name)) return undefined;
  if (!namespaced.test(name)) return hosts;
  const isAllowed = allowed.some((pattern) =>
    pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern,
  );
  return isAllowed ? undefined : "not allowlisted";
}

function pathOf(name: string): string {
  return name.replace(/[./]/g, (separator) => (separator === "." ? "/" : "."));
}
