// The plan of what a pod's containers share: groups, directories, namespaces, generated files,
// volumes. No container here.

import type { HostFacts } from "../spec/host-facts.ts";
import type { PodSpec } from "../spec/pod-spec.ts";
import type { ResolvedPod } from "../spec/resolved.ts";
import { freshCgroupValues, hugePageValues, podCgroupValues } from "./cgroup-values.ts";
import { openVolume } from "./open-host.ts";
import { linkSteps } from "./link.ts";
import type { Op, Plan, Slot, Step } from "./plan.ts";
import { PlanSlots, podSlot } from "./slots.ts";
import { steps } from "./steps.ts";
import { planVolume } from "./volumes.ts";

/** containerd's and CRI-O's. */
const shmBytes = 64 << 20;
const filesBytes = 1 << 20;

export function planSandbox(pod: ResolvedPod, facts: HostFacts): Plan {
  const slots = new PlanSlots();
  const all: Step[] = [
    ...planPlaces(pod, facts, slots),
    ...planGroup(pod, facts, slots),
    ...planNamespaces(pod),
    ...planSharedFiles(pod, facts),
    ...planClaims(pod, slots),
    ...pod.volumes.flatMap((volume, index) => planVolume(pod, facts, volume, index, slots)),
  ];
  return {
    kind: "sandbox",
    steps: all,
    rootUid: pod.ids.firstId,
    rootGid: pod.ids.firstId,
    deadlineMs: pod.deadlineMs,
    mayHang: false,
  };
}

function planPlaces(pod: ResolvedPod, facts: HostFacts, slots: PlanSlots): Step[] {
  const { places, ids } = pod;
  const data = slots.take();
  const logs = slots.take();
  const directory = slots.take();
  const owner = { uid: ids.firstId, gid: ids.firstId };
  const detach = openVolume(podSlot.data, `${places.dataParent}/${places.uid}`);
  return steps("prepare", "", [
    {
      op: "open_directory",
      path: `${places.stateParent}/${places.uid}`,
      slot: podSlot.stateDirectory,
    },
    { op: "open_directory", path: places.dataParent, slot: data },
    // Its owner, so that root of a user namespace may enter; nobody else.
    {
      op: "make_directory",
      parent: data,
      name: places.uid,
      slot: facts.layersByDescriptor ? directory : podSlot.data,
      mode: 0o700,
      ...owner,
    },
    // One detached mount for all: overlayfs wants upper and work in the same.
    ...(facts.layersByDescriptor ? [detach] : []),
    { op: "open_directory", path: places.logsParent, slot: logs },
    {
      op: "make_directory",
      parent: logs,
      name: places.logsName,
      slot: podSlot.logs,
      mode: 0o750,
      uid: 0,
      gid: 0,
    },
  ]);
}

/** The directory that claims are made in. */
function planClaims({ volumes }: ResolvedPod, slots: PlanSlots): Step[] {
  const claim = volumes.find(({ kind }) => kind === "claim");
  if (claim?.kind !== "claim") return [];
  const parent = claim.path.slice(0, claim.path.lastIndexOf("/"));
  const op = openVolume(slots.take(), parent, { create_mode: 0o711 });
  return steps("prepare", claim.field, [op]);
}

function planGroup(pod: ResolvedPod, facts: HostFacts, slots: PlanSlots): Step[] {
  const parent = slots.take();
  const { cgroupParent, cgroupName } = pod.places;
  const values = {
    ...podCgroupValues(pod.resources, pod.podPidsMax),
    ...hugePageValues(pod.resources.hugepages, facts.cgroup.hugePageSizes),
  };
  const enabled = [...facts.cgroup.controllers].map((name) => `+${name}`).join(" ");
  return steps("prepare", "spec", [
    { op: "open_directory", path: cgroupParent, slot: parent },
    { op: "make_cgroup", parent, name: cgroupName, slot: podSlot.podCgroup },
    ...planCgroupValues(values, facts, podSlot.podCgroup),
    // While the group is empty: enabling controllers later would have to stop every process in it.
    ...(enabled === ""
      ? []
      : [
          {
            op: "write_cgroup",
            cgroup: podSlot.podCgroup,
            file: "cgroup.subtree_control",
            value: enabled,
          } as const,
        ]),
  ]);
}

/** Only what differs from a fresh group, and only what the host's controllers offer. */
export function planCgroupValues(
  values: Readonly<Record<string, string>>,
  facts: HostFacts,
  cgroup: Slot,
): Op[] {
  return Object.entries<string>(values)
    .filter(([file]) => facts.cgroup.controllers.has(file.slice(0, file.indexOf("."))))
    .filter(([file, value]) => freshCgroupValues[file] !== value)
    .map(([file, value]) => ({ op: "write_cgroup", cgroup, file, value }));
}

/** hostNetwork shares the host's name too, as kubelets do. */
function sharedNamespaces({ network, ipc }: PodSpec["namespaces"]): ("net" | "uts" | "ipc")[] {
  return [
    ...(network === "POD" ? (["net", "uts"] as const) : []),
    ...(ipc === "POD" ? (["ipc"] as const) : []),
  ];
}

/** What a keeper may make before it has the plan: all but those that belong to a user namespace. */
export function namespacesAhead(
  namespaces: PodSpec["namespaces"],
): ReturnType<typeof sharedNamespaces> {
  return namespaces.user === "POD" ? [] : sharedNamespaces(namespaces);
}

function planNamespaces(pod: ResolvedPod): Step[] {
  const { network, user } = pod.namespaces;
  const own = sharedNamespaces(pod.namespaces);
  const make: Op =
    user === "POD"
      ? {
          op: "make_user_namespace",
          first_id: pod.ids.firstId,
          count: pod.ids.count,
          slot: podSlot.userNamespace,
          namespaces: own,
        }
      : { op: "enter_namespaces", namespaces: own };
  return [
    ...(own.length > 0 ? steps("prepare", "spec", [make]) : []),
    ...(network === "POD"
      ? [
          ...steps("prepare", "spec", [{ op: "loopback_up" }]),
          // With a user namespace only now: the others are asked for first of all.
          ...(pod.network.link && user === "POD" ? linkSteps(pod.network.link) : []),
          ...steps("prepare", "spec.hostname", [{ op: "set_hostname", name: pod.hostname }]),
        ]
      : []),
    ...pod.sysctls.flatMap(({ field, path, value }) => {
      const uid = path.startsWith("net/") ? 0 : pod.ids.firstId;
      return steps("prepare", field, [{ op: "write_sysctl", path, value, uid }]);
    }),
    ...(user === "POD" ? steps("prepare", "spec.hostUsers", [{ op: "show_proc" }]) : []),
  ];
}

function planSharedFiles(pod: ResolvedPod, facts: HostFacts): Step[] {
  const owner = { uid: pod.ids.firstId, gid: pod.ids.firstId };
  const attached = Number(!facts.clonesDetached);
  return [
    // With hostIPC /dev/shm is the host's.
    ...(pod.namespaces.ipc === "POD"
      ? steps("prepare", "", [
          {
            op: "make_tmpfs",
            slot: podSlot.shm,
            bytes_max: BigInt(shmBytes),
            inodes_max: 0n,
            mode: 0o1777,
            ...owner,
            attributes: ["nosuid", "nodev", "noexec"],
            attached,
            no_swap: 0,
          },
        ])
      : []),
    ...steps("prepare", "", [
      {
        op: "make_tmpfs",
        slot: podSlot.files,
        bytes_max: BigInt(filesBytes),
        inodes_max: 0n,
        mode: 0o755,
        ...owner,
        attributes: ["nosuid", "nodev", "noexec"],
        attached,
        no_swap: 0,
      },
      writeShared(pod, "hosts", pod.files.hosts),
      writeShared(pod, "hostname", pod.files.hostname),
      writeShared(pod, "resolv.conf", pod.files.resolvConf),
    ]),
  ];
}

function writeShared({ ids }: ResolvedPod, name: string, text: string): WriteFile {
  return {
    op: "write_file",
    directory: podSlot.files,
    name,
    content: new TextEncoder().encode(text),
    mode: 0o644,
    uid: ids.firstId,
    gid: ids.firstId,
    replace: 0,
  };
}

type WriteFile = Extract<Op, { readonly op: "write_file" }>;

/** Containers may write to it; whenever one starts again it is as it should be. */
export function planHosts(pod: ResolvedPod): Op {
  return { ...writeShared(pod, "hosts", pod.files.hosts), replace: 1 };
}
