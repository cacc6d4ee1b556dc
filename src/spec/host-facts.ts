// What this host can do, probed once. The planner decides by these; it never looks for itself.

import type { HostPath } from "./paths.ts";

export interface HostFacts {
  readonly arch: "x64" | "arm64";
  readonly kernel: readonly [major: number, minor: number];
  /** For oom_score_adj, as the kubelet's node capacity. */
  readonly memoryBytes: number;
  /** Hard limit of open files that a container may be given. */
  readonly openFilesMax: number;
  /** Overlay layers by descriptor of detached mounts (6.13, made whole in 6.15). */
  readonly layersByDescriptor: boolean;
  /** A mount that is attached nowhere can be cloned (6.15). */
  readonly clonesDetached: boolean;
  /** A tmpfs can be kept off swap devices (6.4). */
  readonly tmpfsWithoutSwap: boolean;
  /** Directories below /sys that tell one CPU's temperature: a side channel, masked. */
  readonly thermalThrottle: readonly string[];
  readonly cgroup: CgroupFacts;
  /** Looked up when a pod asks for more, or for less, than the plain privileges. */
  readonly security: SecurityFacts;
}

export interface SecurityFacts {
  /** That this process can hand on: bit n is capability n. */
  readonly capabilities: bigint;
  /** Names of the profiles that are loaded; undefined without AppArmor. */
  readonly appArmorProfiles: ReadonlySet<string> | undefined;
  readonly hasSeLinux: boolean;
}

export interface CgroupFacts {
  /** The directory that pods are made in. */
  readonly root: HostPath;
  /** Controllers that pods and containers can use: `cpu`, `memory`, `pids`, `hugetlb`. */
  readonly controllers: ReadonlySet<string>;
  /** Sizes of large pages as the files of the hugetlb controller have them: `2MB`. */
  readonly hugePageSizes: readonly string[];
}
