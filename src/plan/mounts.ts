// A container's mounts: each volume opened where it is, with what this one mount wants of it.

import type { HostFacts } from "../spec/host-facts.ts";
import type {
  ResolvedContainer,
  ResolvedMount,
  ResolvedPod,
  ResolvedVolume,
} from "../spec/resolved.ts";
import { noGroup, volumeDirectory } from "../spec/resolved.ts";
import { planImageVolume } from "./image-volume.ts";
import { mappedIds, openVolume } from "./open-host.ts";
import type { AttributeName, FileTypeName, Op, Parts, Slot } from "./plan.ts";
import { dataLink } from "./projected.ts";
import type { PlanSlots } from "./slots.ts";
import { volumeSlot } from "./slots.ts";
import { steps } from "./steps.ts";

export function planMounts(
  pod: ResolvedPod,
  container: ResolvedContainer,
  facts: HostFacts,
  slots: PlanSlots,
): Parts {
  const parts = sortedMounts(container).map((mount) =>
    planMount(pod, container, mount, facts, slots),
  );
  return {
    prepare: [
      ...parts.flatMap(({ prepare }) => prepare),
      // A container that starts again finds its claims as it left them.
      ...(container.attempt === 0 ? planGroups(pod, container) : []),
    ],
    build: parts.flatMap(({ build }) => build),
  };
}

/** Whether one of its sources may never answer, or takes its time. */
export function mountsMayHang(pod: ResolvedPod, { mounts }: ResolvedContainer): boolean {
  return mounts.some(({ volume }) => {
    const kind = pod.volumes[volume]?.kind;
    return kind === "host" || kind === "claim";
  });
}

/**
 * A later mount may sit inside an earlier one, whatever order they were written in (containerd
 * sorts them too).
 */
function sortedMounts(container: ResolvedContainer): ResolvedMount[] {
  const depth = ({ target }: ResolvedMount) => target.split("/").length;
  return container.mounts.toSorted((a, b) => depth(a) - depth(b));
}

/** By the container that mounts it, so that the keeper waits for no large tree. */
function planGroups(pod: ResolvedPod, container: ResolvedContainer): Parts["prepare"] {
  const mounted = new Set(container.mounts.map(({ volume }) => volume));
  return [...mounted].flatMap((index) => {
    const volume = pod.volumes[index];
    if (volume?.kind !== "claim" || volume.group === noGroup) return [];
    const op: Op = {
      op: "give_group",
      path: volume.path,
      gid: volume.group,
      unless_given: Number(volume.onMismatch),
      read_only: Number(volume.readOnly),
    };
    return steps("prepare", "spec.securityContext.fsGroup", [op]);
  });
}

function planMount(
  pod: ResolvedPod,
  container: ResolvedContainer,
  mount: ResolvedMount,
  facts: HostFacts,
  slots: PlanSlots,
): Parts {
  const volume = pod.volumes[mount.volume];
  if (!volume) throw new Error(`${mount.field} names volume ${mount.volume}, which is not there`);
  if (volume.kind === "image") return planImageVolume(pod, mount, facts, slots);
  const slot = slots.take();
  const readOnly: readonly AttributeName[] = mount.readOnly ? ["rdonly"] : [];
  const safe: readonly AttributeName[] = [...readOnly, "nosuid", "nodev"];
  const attach = steps("build", mount.field, [{ op: "attach", tree: slot, target: mount.target }]);
  const open = (op: Op): Parts => ({
    prepare: steps("prepare", mount.field, [op]),
    build: attach,
  });
  switch (volume.kind) {
    case "directory": {
      // Owned by the pod's root already: no mapping. Devices in it would be somebody's doing.
      const path = `${pod.places.dataParent}/${pod.places.uid}/${volumeDirectory(volume.name)}`;
      return open(openVolume(slot, path, { sub_path: mount.subPath, attributes: safe }));
    }
    case "claim":
    case "host":
      return open(openShared(pod, container, mount, volume, slot));
    case "memory":
    case "hugepages":
    case "projected": {
      const op = cloneOwn(volume.kind, volumeSlot(mount.volume), mount, slot, safe);
      // By the child where it can: containers of a pod then do it side by side.
      const isByChild = op.op === "clone_tree" && facts.clonesDetached;
      if (!isByChild) return open(op);
      return { prepare: [], build: [...steps("build", mount.field, [op]), ...attach] };
    }
    default:
      return volume satisfies never;
  }
}

type Shared = Extract<ResolvedVolume, { readonly kind: "claim" | "host" }>;

/** A tree of the host's, with the mounts below it. */
function openShared(
  pod: ResolvedPod,
  container: ResolvedContainer,
  mount: ResolvedMount,
  volume: Shared,
  slot: Slot,
): Op {
  const tree = treeOf(mount);
  const isClaim = volume.kind === "claim";
  const attributes: AttributeName[] = isClaim
    ? ["nosuid", "nodev"]
    : hostNodes(container, volume.expect);
  return openVolume(slot, volume.path, {
    ...tree,
    attributes: [...tree.attributes, ...attributes],
    sub_path: mount.subPath,
    expect: isClaim ? "directory" : volume.expect,
    // A claim is open to every user, as an emptyDir is.
    create_mode: isClaim ? 0o777 : volume.createMode,
    user_namespace: mappedIds(pod),
  });
}

/** With all that is mounted below, and what may come and go there. */
function treeOf({ readOnly, propagation, recursiveReadOnly }: ResolvedMount) {
  const attributes: readonly AttributeName[] = readOnly ? ["rdonly"] : [];
  return {
    recursive: 1,
    attributes: recursiveReadOnly ? attributes : [],
    top_attributes: recursiveReadOnly ? [] : attributes,
    receives: Number(propagation !== "None"),
    sends: Number(propagation === "Bidirectional"),
  };
}

/** A directory of the host gives none of the devices in it; a device that is named is given. */
function hostNodes({ security }: ResolvedContainer, expect: FileTypeName): AttributeName[] {
  const isDevice = expect === "character_device" || expect === "block_device";
  return isDevice || security.isPrivileged ? [] : ["nodev"];
}

/** A file system of the pod's own, which only the keeper holds. */
function cloneOwn(
  kind: "memory" | "hugepages" | "projected",
  source: Slot,
  { subPath }: ResolvedMount,
  slot: Slot,
  attributes: readonly AttributeName[],
): Op {
  // Containers cannot write there, so the link that leads to the files is peapod's own.
  const name = kind === "projected" && subPath !== "" ? `${dataLink}/${subPath}` : "";
  if (subPath === "" || name !== "") return { op: "clone_tree", source, name, slot, attributes };
  return openVolume(slot, "", { base: source, sub_path: subPath, attributes });
}
