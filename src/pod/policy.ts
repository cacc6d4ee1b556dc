// What the host's owner lets manifests ask for.

import type { NetworkMode } from "./networks.ts";
import type { LogPolicy } from "../plan/container.ts";
import { defaultLogPolicy } from "../plan/container.ts";
import type { PolicyLevel } from "../spec/policy.ts";
import type { PodSpec } from "../spec/pod-spec.ts";
import type { OpenOptions } from "./types.ts";

export type { PolicyLevel };

export interface PolicyOptions {
  /**
   * `restricted` and `baseline` refuse manifests that violate that Pod Security Standard;
   * `privileged` (default) takes any.
   */
  readonly policy?: PolicyLevel;
  /**
   * Sysctls that pods may set beyond the safe ones: names, or beginnings that end in `*`. Only
   * those of the network and the IPC namespace can be a pod's. Default: none.
   */
  readonly allowedUnsafeSysctls?: readonly string[];
  /**
   * Directories of files that describe devices for the Container Device Interface; a later one goes
   * before an earlier one. Default: /etc/cdi and /var/run/cdi.
   */
  readonly cdiDirectories?: readonly string[];
  /**
   * `default`: each pod has addresses of its own, reaches the host, other pods and the outside;
   * `none`: only loopback. `$PEAPOD_NETWORK`, else `default`, as every pod of Kubernetes has them.
   */
  readonly network?: NetworkMode;
  /**
   * Where pods get addresses from, one range a family: `10.1.0.0/16,fd00:1::/64`.
   * `$PEAPOD_NETWORK_RANGE`, else private ones that this host has no routes to.
   */
  readonly networkRange?: string;
  /** Largest packet of pods, in bytes. `$PEAPOD_NETWORK_MTU`, else that of the way out. */
  readonly networkMtu?: number;
}

/** No code for policies is loaded where any manifest will do. */
export async function enforcePolicy(spec: PodSpec, { policy }: PolicyOptions): Promise<void> {
  if (policy === undefined || policy === "privileged") return;
  const { refuseViolations } = await import("../resolve/policy.ts");
  refuseViolations(spec, policy);
}

const podPidsDefault = 4096;

export function policyOf(options: OpenOptions) {
  return {
    podPidsMax: options.podPidsMax ?? podPidsDefault,
    missingControllers: options.missingControllers ?? "refuse",
    allowedUnsafeSysctls: options.allowedUnsafeSysctls ?? [],
    ...(options.cdiDirectories && { cdiDirectories: options.cdiDirectories }),
    log: logPolicyOf(options),
  } as const;
}

function logPolicyOf({ containerLogs = {} }: OpenOptions): LogPolicy {
  return {
    bytesMax: containerLogs.bytesMax ?? defaultLogPolicy.bytesMax,
    filesMax: containerLogs.filesMax ?? defaultLogPolicy.filesMax,
    dropWhenFull: containerLogs.whenFull === "drop",
  };
}
