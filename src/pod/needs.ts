// How much of an owner a pod needs. Most need none for as long as nothing happens, and nothing of
// src/pod/life is loaded for them before.

import { firstLaunches } from "../spec/launches.ts";
import type { ContainerSpec, PodSpec } from "../spec/pod-spec.ts";

/** Its containers do not all start at once. */
export function startsInOrder({ initContainers, containers }: PodSpec): boolean {
  return initContainers.length > 0 || containers.some(({ life }) => life.postStart !== undefined);
}

/** From the start, whatever its containers do. */
export function needsCare(spec: PodSpec): boolean {
  if (startsInOrder(spec) || spec.activeDeadlineMs !== undefined) return true;
  if (limitsStorage(spec)) return true;
  return spec.containers.some(
    ({ life }) => life.startupProbe ?? life.livenessProbe ?? life.readinessProbe,
  );
}

/** What it holds of its disk is to be measured. */
export function limitsStorage({ volumes, initContainers, containers }: PodSpec): boolean {
  const isLimited = ({ resources }: ContainerSpec) => resources.limits.ephemeralStorageBytes;
  return (
    [...initContainers, ...containers].some(isLimited) ||
    volumes.some(
      (volume) => volume.kind === "emptyDir" && volume.medium === "" && volume.sizeLimitBytes,
    )
  );
}

/** Being ready is more than to run. */
export function hasReadiness(spec: PodSpec): boolean {
  if (startsInOrder(spec) || spec.readinessGates.length > 0) return true;
  return spec.containers.some(({ life }) => life.startupProbe ?? life.readinessProbe);
}

/** Its owners and its commands want to know what is in them. */
export function namesObjects({ objects: { configMaps, secrets, claims } }: PodSpec): boolean {
  return configMaps.size + secrets.size + claims.size > 0;
}

/** When a container has exited. */
export function needsOwner(spec: PodSpec): boolean {
  if (needsCare(spec) || spec.restartPolicy !== "Never") return true;
  return spec.containers.some(({ life }) => life.restartPolicy !== undefined);
}

/** A stop signal to all of them at once would be too early for some. */
export function endsInOrder(spec: PodSpec): boolean {
  return firstLaunches(spec).some(
    ({ kind, container }) => kind === "sidecar" || container.life.preStop !== undefined,
  );
}
