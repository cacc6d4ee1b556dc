// The plan of one container, in the order in which it happens; each group says why it stands where
// it does.

import type { HostFacts } from "../spec/host-facts.ts";
import type { ResolvedContainer, ResolvedPod } from "../spec/resolved.ts";
import { logName } from "../spec/resolved.ts";
import { containerCgroupValues, hugePageValues } from "./cgroup-values.ts";
import { deviceFilter } from "./device-filter.ts";
import type { LimitedProcess } from "./limits.ts";
import { planLabels, planLimits, planStreams } from "./limits.ts";
import { mountsMayHang, planMounts } from "./mounts.ts";
import type { AttributeName, NamespaceName, Op, Parts, Plan, Slot, Step } from "./plan.ts";
import { openHost } from "./open-host.ts";
import { noSlot } from "./plan.ts";
import { planRoot } from "./root.ts";
import { planCgroupValues, planHosts } from "./sandbox.ts";
import { PlanSlots, podSlot, targetProcess } from "./slots.ts";
import { steps } from "./steps.ts";

const devBytes = 64 << 10;

/** How the root becomes "/". */
export type EnterMethod = "enter_by_move" | "enter_by_pivot";

export interface LogPolicy {
  readonly bytesMax: number;
  readonly filesMax: number;
  /** On a full disk lines are dropped and counted; else the writer waits. */
  readonly dropWhenFull: boolean;
}

/** The kubelet's sizes. */
export const defaultLogPolicy: LogPolicy = { bytesMax: 10 << 20, filesMax: 5, dropWhenFull: false };

export interface ContainerPlanOptions {
  readonly log?: LogPolicy;
  readonly enter?: EnterMethod;
}

export function planContainer(
  pod: ResolvedPod,
  container: ResolvedContainer,
  facts: HostFacts,
  options: ContainerPlanOptions = {},
): Plan {
  const slots = new PlanSlots();
  const group = slots.take();
  const root = planRoot(container, facts, pod, slots);
  const shared = planShared(pod, container, facts, slots);
  const volumes = planMounts(pod, container, facts, slots);
  return {
    kind: "container",
    steps: [
      // The group first: the process is born in it.
      ...planGroup(pod, container, facts, group),
      // Sources are opened on the host before the container can act.
      ...root.prepare,
      ...shared.prepare,
      ...volumes.prepare,
      ...planSpawn(pod, container, group),
      ...planOomScore(container),
      ...planIdentity(pod, container),
      // The root, then what belongs to every container, then volumes: a volume may sit on any of
      // them.
      ...root.build,
      ...planKernelFiles(container),
      ...shared.build,
      ...volumes.build,
      ...planMessage(container),
      ...planEnter(container, facts, options.enter ?? "enter_by_move"),
      ...steps("limit", container.field, planLimits(facts, limitedOf(container))),
      ...planExec(container),
      // The process starts without it; its first output waits in the pipe.
      ...planLog(pod, container, options.log ?? defaultLogPolicy, slots),
    ],
    rootUid: pod.ids.firstId,
    rootGid: pod.ids.firstId,
    deadlineMs: pod.deadlineMs,
    mayHang: mountsMayHang(pod, container),
  };
}

/** Its directory is the container's own; a volume there is what the user wants there. */
function planMessage({ field, messagePath, mounts }: ResolvedContainer): Step[] {
  if (mounts.some(({ target }) => target === "/dev" || target === messagePath)) return [];
  return steps("build", `${field}.terminationMessagePath`, [
    { op: "keep_message", target: messagePath },
  ]);
}

function planGroup(
  pod: ResolvedPod,
  container: ResolvedContainer,
  facts: HostFacts,
  slot: Slot,
): Step[] {
  // Where no container has large pages, the pod's own group says so for all.
  const hasHugePages = Object.values(pod.resources.hugepages).some((bytes) => bytes > 0);
  const sizes = hasHugePages ? facts.cgroup.hugePageSizes : [];
  const values = {
    ...containerCgroupValues(container.resources),
    ...hugePageValues(container.resources.hugepages, sizes),
  };
  return [
    ...steps("prepare", container.field, [
      { op: "make_cgroup", parent: podSlot.podCgroup, name: container.name, slot },
    ]),
    ...steps("prepare", `${container.field}.resources`, planCgroupValues(values, facts, slot)),
    ...planDeviceFilter(container, slot),
  ];
}

/** Where a node could be made at all (docs/decisions/0025). Commands have groups below this. */
function planDeviceFilter({ field, security }: ResolvedContainer, cgroup: Slot): Step[] {
  if (security.deviceFilter === undefined) return [];
  const program = deviceFilter(security.deviceFilter);
  return steps("prepare", `${field}.securityContext`, [
    { op: "attach_device_filter", program, cgroup },
  ]);
}

/** /dev/shm and the generated files are one per pod; each container gets clones. */
function planShared(
  pod: ResolvedPod,
  container: ResolvedContainer,
  facts: HostFacts,
  slots: PlanSlots,
): Parts {
  const taken = new Set<string>(container.mounts.map(({ target }) => target));
  const wanted = [
    ...(pod.namespaces.ipc === "POD"
      ? [{ source: podSlot.shm, name: "", target: "/dev/shm" }]
      : []),
    { source: podSlot.files, name: "hosts", target: "/etc/hosts" },
    { source: podSlot.files, name: "hostname", target: "/etc/hostname" },
    { source: podSlot.files, name: "resolv.conf", target: "/etc/resolv.conf" },
  ].filter(({ target }) => !taken.has(target)); // A volume there is what the user wants there.
  const shared = wanted.map((entry) => ({ ...entry, slot: slots.take() }));
  const hostShm =
    pod.namespaces.ipc === "NODE" && !taken.has("/dev/shm") ? slots.take() : undefined;
  const clones = shared.map(
    ({ source, name, slot }) =>
      ({ op: "clone_tree", source, name, slot, attributes: [] }) satisfies Op,
  );
  return {
    prepare: [
      ...(container.attempt > 0 ? steps("prepare", "", [planHosts(pod)]) : []),
      ...(facts.clonesDetached ? [] : steps("prepare", "", clones)),
      ...(hostShm === undefined
        ? []
        : steps("prepare", "spec.hostIPC", [
            openHost(pod, "/dev/shm", hostShm, ["nosuid", "nodev", "noexec"], "directory", 0),
          ])),
    ],
    build: steps("build", "", [
      ...(facts.clonesDetached ? clones : []),
      ...shared.map(({ slot, target }) => ({ op: "attach", tree: slot, target }) as const),
      ...(hostShm === undefined
        ? []
        : [{ op: "attach", tree: hostShm, target: "/dev/shm" } as const]),
    ]),
  };
}

/** All runs of a container log into one directory, which its first one makes. */
function planLog(
  { places }: ResolvedPod,
  container: ResolvedContainer,
  policy: LogPolicy,
  slots: PlanSlots,
): Step[] {
  const directory = slots.take();
  const path = `${places.logsParent}/${places.logsName}/${container.name}`;
  const open: Op =
    container.attempt > 0
      ? { op: "open_directory", path, slot: directory }
      : {
          op: "make_directory",
          parent: podSlot.logs,
          name: container.name,
          slot: directory,
          mode: 0o750,
          uid: 0,
          gid: 0,
        };
  return steps("later", container.field, [
    open,
    {
      op: "open_log",
      directory,
      name: logName(container.attempt),
      bytes_max: BigInt(policy.bytesMax),
      files_max: policy.filesMax,
      drop_when_full: Number(policy.dropWhenFull),
    },
  ]);
}

function planSpawn(pod: ResolvedPod, container: ResolvedContainer, cgroup: Slot): Step[] {
  const { pid, user } = pod.namespaces;
  const joins = container.targetProcess >= 0;
  const namespaces: NamespaceName[] = [
    "mnt",
    ...(pid === "CONTAINER" && !joins ? (["pid"] as const) : []),
    "cgroup",
  ];
  return steps("prepare", container.field, [
    {
      op: "spawn",
      namespaces,
      cgroup,
      pid_namespace: joins ? targetProcess : pid === "POD" ? podSlot.pause : noSlot,
      user_namespace: user === "POD" ? podSlot.userNamespace : noSlot,
      target: noSlot,
      join: [],
      keep_process: noSlot,
      hidden: 0,
    },
  ]);
}

/** In `build`: inside a user namespace the file is no longer ours to write. */
function planOomScore({ field, oomScoreAdj: value }: ResolvedContainer): Step[] {
  return steps("build", `${field}.resources`, [{ op: "set_oom_score", value }]);
}

/** In `build` too: what is the container's from its exec on, and asks for rights on the host. */
function planIdentity(pod: ResolvedPod, container: ResolvedContainer): Step[] {
  return steps("build", `${container.field}.securityContext`, [
    ...planLabels(container.security),
    ...planStreams(limitedOf(container), pod.ids.firstId),
  ]);
}

const kernelFiles: readonly AttributeName[] = ["nosuid", "nodev", "noexec"];

/**
 * sysfs shows the network namespace of who mounts it, cgroup2 the cgroup namespace: both are the
 * container's by now.
 */
function planKernelFiles({ field, security }: ResolvedContainer): Step[] {
  const attributes: readonly AttributeName[] = security.isPrivileged
    ? kernelFiles
    : ["rdonly", ...kernelFiles];
  return [
    ...steps("build", field, [{ op: "make_devices", target: "/dev", bytes_max: BigInt(devBytes) }]),
    ...security.devices.flatMap(({ field: origin, path, ...device }) =>
      steps("build", origin, [{ op: "make_device", target: path, ...device }]),
    ),
    ...steps("build", field, [
      { op: "mount", type: "sysfs", target: "/sys", options: [], attributes },
      { op: "mount", type: "cgroup2", target: "/sys/fs/cgroup", options: [], attributes },
    ]),
  ];
}

/**
 * containerd's list, and what the kubelet adds to it since 1.34: /proc/interrupts and the CPUs'
 * thermal_throttle.
 */
const masked = [
  "/proc/acpi",
  "/proc/asound",
  "/proc/interrupts",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/sys/devices/virtual/powercap",
  "/sys/firmware",
] as const;
const readOnlyPaths = [
  "/proc/bus",
  "/proc/fs",
  "/proc/irq",
  "/proc/sys",
  "/proc/sysrq-trigger",
] as const;

function planEnter(container: ResolvedContainer, facts: HostFacts, enter: EnterMethod): Step[] {
  const terminals = ["ptmxmode=0666", "mode=0620", "gid=5"];
  const security = `${container.field}.securityContext`;
  const hide = steps("enter", container.field, [
    { op: "mount", type: "proc", target: "/proc", options: [], attributes: kernelFiles },
    {
      op: "mount",
      type: "devpts",
      target: "/dev/pts",
      options: ["newinstance", ...terminals],
      attributes: ["nosuid", "noexec"],
    },
    {
      op: "mount",
      type: "mqueue",
      target: "/dev/mqueue",
      options: [],
      attributes: kernelFiles,
    },
    // Hidden before anything of the container runs.
    ...(container.security.isUnmasked ? [] : planMasks(facts)),
  ]);
  return [
    ...hide,
    // When every place to mount on has been made in it.
    ...(container.readOnlyRoot
      ? steps("enter", `${security}.readOnlyRootFilesystem`, [
          { op: "make_read_only", target: "/" },
        ])
      : []),
    // Last: names resolve inside from here on.
    ...steps("enter", container.field, [{ op: enter }]),
  ];
}

function planMasks(facts: HostFacts): Op[] {
  return [
    ...[...masked, ...facts.thermalThrottle].map((target) => ({ op: "mask", target }) as const),
    ...readOnlyPaths.map((target) => ({ op: "make_read_only", target }) as const),
  ];
}

function limitedOf({ tty, user, security }: ResolvedContainer): LimitedProcess {
  return { tty: tty ? { rows: 24, columns: 80 } : undefined, user, security };
}

function planExec(container: ResolvedContainer): Step[] {
  return steps("exec", `${container.field}.command`, [
    {
      op: "exec",
      candidates: container.candidates,
      arguments: container.argv,
      environment: container.env,
      directory: container.workingDir,
      create_directory: 1,
      umask: 0o022,
    },
  ]);
}
