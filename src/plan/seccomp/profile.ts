// What a seccomp profile can say. Profiles are data; compile.ts turns one into a program.

/** What happens to a call. `log` allows it and writes it to the audit log. */
export type SeccompAction =
  | { readonly kind: "allow" }
  | { readonly kind: "errno"; readonly errno: number }
  | { readonly kind: "log" }
  | { readonly kind: "kill-process" };

export type SeccompArch = "x64" | "arm64";

/**
 * A question about one argument. Only its low 32 bits are looked at, because every argument that a
 * profile asks about (`int family`, `unsigned int personality`, the clone flags below bit 32) is
 * cut to them by the kernel: a comparison of 64 bits is passed by setting a bit that the kernel
 * then ignores.
 */
export type ArgumentTest = { readonly index: number } & (
  | { readonly kind: "one-of"; readonly values: readonly number[] }
  | { readonly kind: "none-of"; readonly values: readonly number[] }
  | { readonly kind: "masked"; readonly mask: number; readonly equals: number }
);

/** The first rule that names a call, applies to the container and passes its test decides. */
export interface SeccompRule {
  readonly names: readonly string[];
  readonly action: SeccompAction;
  /** The rule applies only to containers with this capability in their bounding set. */
  readonly capability?: string;
  /** The rule applies only to containers without it. */
  readonly withoutCapability?: string;
  readonly arch?: SeccompArch;
  /** The rule applies from this kernel on. */
  readonly kernelMin?: readonly [major: number, minor: number];
  readonly argument?: ArgumentTest;
}

export interface SeccompProfile {
  readonly rules: readonly SeccompRule[];
  /** For calls of our table that no rule decides. */
  readonly otherwise: SeccompAction;
  /** For numbers that no call of our table has: newer than the table, or x32 (bit 30). */
  readonly unknownNumber: SeccompAction;
  /** For calls through another ABI than the machine's own: i386 on x86-64, 32-bit ARM on arm64. */
  readonly foreignArch: SeccompAction;
}

/** What a profile is compiled for. */
export interface SeccompTarget {
  readonly arch: SeccompArch;
  /** The container's bounding set, names without `CAP_`. */
  readonly capabilities: ReadonlySet<string>;
  readonly kernel: readonly [major: number, minor: number];
}

/** Whether a rule speaks about such a container at all; its argument test is asked at run time. */
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
