// The door to what resolves privileges: behind it is code that only pods load which say something
// of them.

import type { HostFacts } from "../spec/host-facts.ts";
import type { ContainerSpec, PodSpec } from "../spec/pod-spec.ts";
import type {
  ResolvedBind,
  ResolvedSecurity,
  ResolvedSysctl,
  ResolvedUser,
} from "../spec/resolved.ts";
import { plainSecurity } from "../spec/resolved.ts";
import { plainContainerSecurity } from "../spec/security.ts";
import type { ResolvedImage } from "./image.ts";

export interface PrivilegeOptions {
  readonly places: { readonly root: string };
  readonly warn: (message: string) => void;
  /** Namespaced sysctls beside the safe ones: names, or beginnings that end in `*`. */
  readonly allowedUnsafeSysctls?: readonly string[];
  /** Of files that describe devices. Default: /etc/cdi, then /var/run/cdi. */
  readonly cdiDirectories?: readonly string[];
}

export interface Privileges {
  readonly user: ResolvedUser;
  readonly home: string;
  readonly security: ResolvedSecurity;
  /** What the container's devices bring along. */
  readonly env: readonly string[];
  readonly binds: readonly ResolvedBind[];
}

export function privilegesOf(
  spec: PodSpec,
  container: ContainerSpec,
  image: ResolvedImage,
  facts: HostFacts,
  options: PrivilegeOptions,
): Privileges {
  if (container.security === plainContainerSecurity && !receivesMounts(container)) {
    return { user: image.user, home: image.home, security: plainSecurity, env: [], binds: [] };
  }
  const { resolvePrivileges }: typeof import("./security.ts") = require("./security.ts");
  return resolvePrivileges(spec, container, image, facts, options);
}

/** What the host mounts later in such a volume has the attributes that the host gives it. */
export function receivesMounts({ volumeMounts }: ContainerSpec): boolean {
  return volumeMounts.some(({ propagation }) => propagation !== "None");
}

export function sysctlsOf(spec: PodSpec, options: PrivilegeOptions): readonly ResolvedSysctl[] {
  if (spec.security.sysctls.length === 0) return [];
  const { resolveSysctls }: typeof import("./sysctls.ts") = require("./sysctls.ts");
  return resolveSysctls(spec, options.allowedUnsafeSysctls ?? []);
}
