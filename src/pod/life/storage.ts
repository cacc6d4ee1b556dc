// What a pod may hold of its disk: limits of emptyDir volumes and of ephemeral-storage. They are
// measured now and then, only for pods that have them; a pod that goes over one is evicted.

import { firstLaunches } from "../../spec/launches.ts";
import type { PodSpec } from "../../spec/pod-spec.ts";
import { measurePod } from "../disk-use.ts";
import type { PodDiskUse } from "../types.ts";
import type { PodLife } from "./pod-life.ts";

/** The kubelet's period of housekeeping. */
const periodMs = 10_000;
/** The kubelet's for evictions of this kind. */
const graceMs = 1000;

export interface StorageLimits {
  readonly volumes: ReadonlyMap<string, number>;
  readonly containers: ReadonlyMap<string, number>;
}

export function storageLimits(spec: PodSpec): StorageLimits {
  const volumes = new Map<string, number>();
  for (const volume of spec.volumes) {
    if (volume.kind !== "emptyDir" || volume.medium !== "") continue;
    if (volume.sizeLimitBytes) volumes.set(volume.name, volume.sizeLimitBytes);
  }
  const containers = new Map<string, number>();
  for (const { container } of firstLaunches(spec)) {
    const bytes = container.resources.limits.ephemeralStorageBytes;
    if (bytes) containers.set(container.name, bytes);
  }
  return { volumes, containers };
}

/** The kubelet's words for the first limit that is passed. */
export function exceededLimit(limits: StorageLimits, use: PodDiskUse): string | undefined {
  for (const { name, bytes } of use.volumes) {
    const limit = limits.volumes.get(name) ?? Infinity;
    if (bytes > limit) {
      return `Usage of EmptyDir volume "${name}" exceeds the limit "${quantity(limit)}". `;
    }
  }
  const total = [...limits.containers.values()].reduce((sum, bytes) => sum + bytes, 0);
  if (total > 0 && use.total.bytes > total) {
    const what = "Pod ephemeral local storage usage exceeds the total limit of containers";
    return `${what} ${quantity(total)}. `;
  }
  for (const { name, writable, logs } of use.containers) {
    const limit = limits.containers.get(name) ?? Infinity;
    if (writable.bytes + logs.bytes > limit) {
      return `Container ${name} exceeded its local ephemeral storage limit "${quantity(limit)}". `;
    }
  }
  return undefined;
}

/** As Kubernetes writes amounts of memory: `2Gi`. */
function quantity(bytes: number): string {
  const units = ["", "Ki", "Mi", "Gi", "Ti"];
  let [amount, unit] = [bytes, 0];
  while (amount % 1024 === 0 && unit < units.length - 1) [amount, unit] = [amount / 1024, unit + 1];
  return `${amount}${units[unit]}`;
}

/** One look after another, as long as the pod lives and has not finished. */
export function watchStorage(life: PodLife): Disposable {
  const { spec, state, clock } = life.parts;
  const limits = storageLimits(spec);
  const abort = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const look = async () => {
    const use = await measurePod(state, { signal: abort.signal });
    if (abort.signal.aborted || life.journal.termination || life.journal.outcome) return;
    const message = exceededLimit(limits, use);
    if (message === undefined) return again();
    life.tell({ type: "Warning", reason: "Evicted", message });
    life.fail("Evicted", message, graceMs);
  };
  const again = () => {
    timer = setTimeout(() => void look().catch(() => {}), clock.scaled(periodMs));
  };
  again();
  return {
    [Symbol.dispose]() {
      abort.abort();
      clearTimeout(timer);
    },
  };
}
