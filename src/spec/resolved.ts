// A pod with every question answered: names are numbers, digests or absolute paths, and nothing is
// optional.

import { capabilityMask, defaultCapabilities } from "./capabilities.ts";
import type { ResolvedNetwork } from "./network.ts";
import type { GuestPath, HostPath } from "./paths.ts";
import type { ContainerKind } from "./launches.ts";
import type { PodSpec } from "./pod-spec.ts";
import type { ContainerResources, PodResources } from "./resources.ts";
import type { SeccompProfile } from "./seccomp.ts";
import type { VolumeMountSpec } from "./volume-spec.ts";

export interface ResolvedPod {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly hostname: string;
  readonly namespaces: PodSpec["namespaces"];
  readonly terminationGraceMs: number;
  readonly places: PodPlaces;
  readonly ids: IdRange;
  readonly network: ResolvedNetwork;
  readonly resources: PodResources;
  readonly podPidsMax: number;
  readonly files: {
    readonly hosts: string;
    readonly hostname: string;
    readonly resolvConf: string;
  };
  readonly sysctls: readonly ResolvedSysctl[];
  readonly volumes: readonly ResolvedVolume[];
  readonly containers: readonly ResolvedContainer[];
  readonly deadlineMs: number;
}

/**
 * Where a pod's lasting effects are, all named after its uid, so that anybody can remove them who
 * knows it.
 */
export interface PodPlaces {
  readonly uid: string;
  readonly stateParent: HostPath;
  readonly namesParent: HostPath;
  /** Symbolic link to the pod's state, which makes (namespace, name) unique. */
  readonly nameLink: string;
  readonly rangesParent: HostPath;
  readonly addressesParent: HostPath;
  readonly dataParent: HostPath;
  readonly logsParent: HostPath;
  /** `<namespace>_<name>_<uid>`, the kubelet's. */
  readonly logsName: string;
  readonly cgroupParent: HostPath;
  readonly cgroupName: string;
  readonly keepersParent: HostPath;
}

/** Ids of the pod's user namespace on the host; the host's own ids when it has none. */
export interface IdRange {
  readonly firstId: number;
  /** 0 without a user namespace. */
  readonly count: number;
  /** Name of its claim in `rangesParent`; empty without one. */
  readonly claim: string;
}

export type ResolvedVolume = { readonly name: string; readonly field: string } & (
  | { readonly kind: "directory"; readonly files: readonly VolumeFile[]; readonly group: number }
  | {
      readonly kind: "memory";
      readonly bytesMax: number;
      readonly files: readonly VolumeFile[];
      readonly group: number;
    }
  | {
      readonly kind: "hugepages";
      readonly pageBytes: number;
      readonly bytesMax: number;
      readonly group: number;
    }
  /** Files that peapod writes, kept in memory and read-only for everybody else. */
  | {
      readonly kind: "projected";
      /** The directory that this set of files is in. */
      readonly set: string;
      readonly files: readonly ProjectedFile[];
      readonly group: number;
    }
  /** A directory that is kept when the pod goes. */
  | {
      readonly kind: "claim";
      readonly path: HostPath;
      readonly readOnly: boolean;
      /** As the manifest has it: the directory's ids are shown mapped. */
      readonly group: number;
      /** Only when its directory is not the group's yet. */
      readonly onMismatch: boolean;
    }
  | {
      readonly kind: "host";
      readonly path: HostPath;
      readonly expect:
        "any" | "directory" | "file" | "socket" | "character_device" | "block_device";
      /** 0 when the source must exist. */
      readonly createMode: number;
    }
  /** Each mount of it says which layers of the store it shows. */
  | { readonly kind: "image" }
);

/** A volume's `group` where nobody has asked for one; else the id of fsGroup on the host. */
export const noGroup = -1;

/** Named after what it belongs to, which outlives every pod. */
export function claimDirectory(root: string, namespace: string, claim: string): string {
  return `${root}/volumes/${namespace}_${claim}`;
}

/** Below the pod's data directory: an emptyDir on disk. */
export function volumeDirectory(name: string): string {
  return `${name}.volume`;
}

export interface VolumeFile {
  /** Relative and clean. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

export interface ProjectedFile extends VolumeFile {
  readonly mode: number;
}

export interface ResolvedContainer {
  readonly name: string;
  readonly field: string;
  readonly kind: ContainerKind;
  /** Its place in the keeper's table. */
  readonly process: number;
  /** How often it has been launched before: each time it gets a writable layer of its own. */
  readonly attempt: number;
  /** The process whose PID namespace it joins; -1 for one of its own, or the pod's. */
  readonly targetProcess: number;
  readonly root: ResolvedRoot;
  /** Empty for what is no image of the store. */
  readonly imageId: string;
  readonly candidates: readonly string[];
  readonly argv: readonly string[];
  readonly env: readonly string[];
  /** Texts of `env`, `argv` and sub-paths that hold a Secret's value: never to be shown. */
  readonly secrets: ReadonlySet<string>;
  readonly workingDir: GuestPath;
  readonly user: ResolvedUser;
  readonly security: ResolvedSecurity;
  /** Asks the first process to end. */
  readonly stopSignal: number;
  readonly resources: ContainerResources;
  readonly oomScoreAdj: number;
  readonly mounts: readonly ResolvedMount[];
  /** The file for its last words. */
  readonly messagePath: string;
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
  readonly readOnlyRoot: boolean;
  readonly tty: boolean;
}

/** One a run, as the kubelet has them. */
export function logName(attempt: number): string {
  return `${attempt}.log`;
}

/** The directories of a run's writable layer, below the pod's data. */
export function layerNames(container: string, attempt: number): { upper: string; work: string } {
  const name = attempt === 0 ? container : `${container}.${attempt}`;
  return { upper: `${name}.upper`, work: `${name}.work` };
}

/** Inside the container. */
export interface ResolvedUser {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary ones. */
  readonly groups: readonly number[];
}

/** The primary group is among the others, or a file that denies it its access would let it in. */
export const rootUser: ResolvedUser = { uid: 0, gid: 0, groups: [0] };

export interface ResolvedSysctl {
  readonly field: string;
  /** Below /proc/sys. */
  readonly path: string;
  readonly value: string;
}

/** What a container's processes, and commands in it, may do. */
export interface ResolvedSecurity {
  /** The bounding set, and what root starts with: bit n is capability n. */
  readonly capabilities: bigint;
  readonly noNewPrivileges: boolean;
  /** A program is one that was compiled before: that of a container that runs. */
  readonly seccomp: "default" | "none" | SeccompProfile | SeccompProgram;
  readonly isPrivileged: boolean;
  /** Nothing of /proc and /sys is hidden or read-only. */
  readonly isUnmasked: boolean;
  /** Of the exec, for the security module that has it; empty for none. */
  readonly appArmor: string;
  readonly seLinux: string;
  /** Nodes in /dev beside those that every container has. */
  readonly devices: readonly ResolvedDevice[];
  /**
   * Beside those of every container: what may be opened where the container could make a node for
   * any device. Undefined where it could not, or may have them all.
   */
  readonly deviceFilter: readonly AllowedDevice[] | undefined;
}

export interface AllowedDevice extends Pick<ResolvedDevice, "type" | "major" | "minor"> {
  /** Of `r`, `w` and `m`, as control groups have had them. */
  readonly access: string;
}

export interface SeccompProgram {
  readonly program: Uint8Array;
  /** SECCOMP_FILTER_FLAG_*. */
  readonly flags: number;
}

export interface ResolvedDevice {
  readonly field: string;
  /** Inside the container. */
  readonly path: GuestPath;
  readonly type: "character_device" | "block_device";
  readonly major: number;
  readonly minor: number;
  readonly mode: number;
  /** On the host. */
  readonly uid: number;
  readonly gid: number;
}

/** Of a container about which the manifest says nothing. */
export const plainSecurity: ResolvedSecurity = {
  capabilities: capabilityMask(defaultCapabilities),
  noNewPrivileges: true,
  seccomp: "default",
  isPrivileged: false,
  isUnmasked: false,
  appArmor: "",
  seLinux: "",
  devices: [],
  deviceFilter: undefined,
};

export interface ResolvedRoot {
  /** Directories, the topmost first. */
  readonly layers: readonly HostPath[];
  /** Attached over the layers, in order. */
  readonly binds: readonly ResolvedBind[];
}

export interface ResolvedBind {
  readonly source: HostPath;
  readonly target: GuestPath;
  readonly readOnly: boolean;
}

export interface ResolvedMount {
  readonly field: string;
  /** Index into the pod's volumes. */
  readonly volume: number;
  readonly target: GuestPath;
  readonly readOnly: boolean;
  /** The mounts below it as well. */
  readonly recursiveReadOnly: boolean;
  readonly propagation: VolumeMountSpec["propagation"];
  /** Empty for the whole volume. */
  readonly subPath: string;
  /**
   * Of an image volume: the directories that it is stacked of, the topmost first, or one file.
   * Empty for every other.
   */
  readonly sources: readonly HostPath[];
}
