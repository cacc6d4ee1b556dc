// Which rules of a profile speak about a container.

import type { SeccompArch, SeccompRule } from "../../spec/seccomp.ts";

/** What a profile is compiled for. */
export interface SeccompTarget {
  readonly arch: SeccompArch;
  /** The container's bounding set, names without `CAP_`. */
  readonly capabilities: ReadonlySet<string>;
  readonly kernel: readonly [major: number, minor: number];
}

/** Whether a rule speaks about such a container at all; its tests are asked at run time. */
export function ruleApplies(rule: SeccompRule, target: SeccompTarget): boolean {
  const { capability, withoutCapability, arch, kernelMin } = rule;
  if (capability !== undefined && !target.capabilities.has(capability)) return false;
  if (withoutCapability !== undefined && target.capabilities.has(withoutCapability)) return false;
  if (arch !== undefined && arch !== target.arch) return false;
  return kernelMin === undefined || isAtLeast(target.kernel, kernelMin);
}

function isAtLeast(kernel: readonly [number, number], floor: readonly [number, number]): boolean {
  return kernel[0] > floor[0] || (kernel[0] === floor[0] && kernel[1] >= floor[1]);
}
