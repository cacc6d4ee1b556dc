// The containers of a pod in the order in which they have their places: as processes of the keeper,
// and in `pod.json`. Ephemeral ones come later, after these.

import type { ContainerSpec, PodSpec } from "./pod-spec.ts";

/** A sidecar is an init container that is restarted whatever happens. */
export type ContainerKind = "init" | "sidecar" | "container" | "ephemeral";

/** One run of a container that is to be started. */
export interface ContainerLaunch {
  readonly container: ContainerSpec;
  readonly kind: ContainerKind;
  /** Its place in the keeper's table: the same for all its attempts. */
  readonly process: number;
  /** How often it has been launched before. */
  readonly attempt: number;
  /** The process whose PID namespace it joins; left out, one of its own. */
  readonly target?: number;
}

/** Every container's first. */
export function firstLaunches(
  spec: Pick<PodSpec, "initContainers" | "containers">,
): readonly ContainerLaunch[] {
  const containers = [...spec.initContainers, ...spec.containers];
  return containers.map((container, process) => ({
    container,
    kind: process >= spec.initContainers.length ? "container" : initKind(container),
    process,
    attempt: 0,
  }));
}

function initKind({ life }: ContainerSpec): ContainerKind {
  return life.restartPolicy === "Always" ? "sidecar" : "init";
}
