// What the pods of a measurement are made of, and on what host they start.

/**
 * `process`: mount and PID namespace and nothing else. `namespaces`: also IPC, UTS and cgroup.
 * `limits`: also a control group with limits, as far as this host has controllers. `full`: the
 * default container, with overlay, proc, sys, dev, masks, capabilities and filter.
 */
export type Level = "process" | "namespaces" | "limits" | "full";

export type Shape = {
  /** Started together. A peer without pods starts a sandbox container besides. */
  readonly containers: number;
  readonly level: Level;
  /** A network namespace of the pod's own, loopback up; otherwise the host's. */
  readonly network: boolean;
  /** A user namespace of the pod's own. */
  readonly userNamespace: boolean;
  readonly readOnlyRoot: boolean;
  /**
   * Containers of the same subject that run already, in one pod beside the one that is measured.
   * Started and ended within `run`, off the clock: other cells of the round must not meet them.
   */
  readonly existing: number;
  /** Further mounts in the mount namespace that the subject stands in; see `crowd.ts`. */
  readonly hostMounts: number;
};

export const fullShape: Shape = {
  containers: 2,
  level: "full",
  network: true,
  userNamespace: false,
  readOnlyRoot: false,
  existing: 0,
  hostMounts: 0,
};

/** How a shape is called in tables and files: the same words for the same shape, everywhere. */
export function shapeName(shape: Shape): string {
  const parts = [
    shape.containers === 1 ? "1 container" : `${shape.containers} containers`,
    ...(shape.level === "full" ? [] : [`${shape.level} only`]),
    ...(shape.network ? [] : ["host network"]),
    ...(shape.userNamespace ? ["user namespace"] : []),
    ...(shape.readOnlyRoot ? ["read-only root"] : []),
    ...(shape.existing > 0 ? [`${shape.existing} running`] : []),
    ...(shape.hostMounts > 0 ? [`${shape.hostMounts} mounts`] : []),
  ];
  return parts.join(", ");
}
