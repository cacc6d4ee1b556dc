// A container's writable layer: where it is, and what in it is not the container's doing.

import { PodError } from "../errors/pod-error.ts";
import { layerNames } from "../spec/resolved.ts";
import type { ContainerEntry, PodState } from "./read-state.ts";
import { readRecord } from "./record.ts";

/** Mounted by peapod in every container. */
export const ownNames = [
  ...["/dev", "/etc/hostname", "/etc/hosts", "/etc/resolv.conf", "/proc", "/sys"],
];

export interface WritableLayer {
  readonly entry: ContainerEntry;
  readonly imageId: string;
  /** Of its last run. */
  readonly upper: string;
  /** Where something is mounted, or was. */
  readonly mounts: readonly string[];
  readonly excluded: ReadonlySet<string>;
}

/** Of the first container where none is named. */
export function findWritable(state: PodState, container: string | undefined): WritableLayer {
  const entry = state.containers.find(
    ({ name }, index) => name === container || (!container && index === 0),
  );
  if (!entry) {
    throw new PodError({
      code: "container.unknown",
      message: `pod ${state.name} has no container ${JSON.stringify(container)}`,
    });
  }
  if (entry.imageId === undefined) {
    throw new PodError({
      code: "image.unsupported",
      message: `container ${entry.name} does not run an image of the store, so nothing lies below its changes`,
    });
  }
  const { places } = state;
  const record = readRecord(`${places.stateParent}/${places.uid}`);
  const attempt = record?.processes.get(entry.process)?.attempt ?? 0;
  const upper = `${places.dataParent}/${places.uid}/${layerNames(entry.name, attempt).upper}`;
  const mounts = mountsOf(state, entry.name);
  return {
    ...{ entry, imageId: entry.imageId, upper, mounts },
    excluded: new Set([...ownNames, ...mounts]),
  };
}

interface WrittenContainer {
  readonly name?: string;
  readonly volumeMounts?: readonly { readonly mountPath?: string }[];
}

/** As the manifest has them. */
function mountsOf({ manifest }: PodState, container: string): string[] {
  // Checked when it was read; the state keeps it as it was written.
  const { spec } = manifest as {
    spec?: {
      readonly initContainers?: readonly WrittenContainer[];
      readonly containers?: readonly WrittenContainer[];
      readonly ephemeralContainers?: readonly WrittenContainer[];
    };
  };
  const all = [spec?.initContainers, spec?.containers, spec?.ephemeralContainers];
  const own = all.flatMap((some) => some ?? []).find(({ name }) => name === container);
  return (own?.volumeMounts ?? []).map(({ mountPath = "" }) => mountPath.replace(/\/+$/, ""));
}
