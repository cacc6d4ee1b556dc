// What a seccomp profile can say. Profiles are data; plan/seccomp turns one into a program.

/** What happens to a call. `log` allows it and writes it to the audit log. */
export type SeccompAction =
  | { readonly kind: "allow" | "log" | "trap" | "kill-process" | "kill-thread" }
  | { readonly kind: "errno"; readonly errno: number }
  /** To a tracer, where there is one; else ENOSYS. */
  | { readonly kind: "trace"; readonly message: number };

export type SeccompArch = "x64" | "arm64";
/** Other ways into the kernel that a machine has. */
export type ForeignArch = "x86" | "x32" | "arm";

/**
 * A question about one argument. The first three look at its low 32 bits only: for arguments that
 * the kernel cuts to them (`int family`, `unsigned int personality`, the clone flags below bit 32)
 * a comparison of 64 bits is passed by setting a bit that the kernel then ignores. The last is
 * libseccomp's, of all 64 bits: `mask` is for `masked-eq`.
 */
export type ArgumentTest = { readonly index: number } & (
  | { readonly kind: "one-of"; readonly values: readonly number[] }
  | { readonly kind: "none-of"; readonly values: readonly number[] }
  | { readonly kind: "masked"; readonly mask: number; readonly equals: number }
  | {
      readonly kind: "compare";
      readonly operator: CompareOperator;
      readonly value: bigint;
      readonly mask: bigint;
    }
);

export type CompareOperator = "ne" | "lt" | "le" | "eq" | "ge" | "gt" | "masked-eq";

/** The first rule that names a call, applies to the container and passes its tests decides. */
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
  /** All of them have to pass. */
  readonly arguments?: readonly ArgumentTest[];
}

export interface SeccompProfile {
  readonly rules: readonly SeccompRule[];
  /** For calls of our table that no rule decides. */
  readonly otherwise: SeccompAction;
  /** For numbers that no call of our table has: newer than the table, or x32 (bit 30). */
  readonly unknownNumber: SeccompAction;
  /**
   * Written by others, for many machines and at a time that we do not know: names that this machine
   * lacks are passed over, and a number above all that it names is an unknown one.
   */
  readonly isImported?: boolean;
  /** For calls through an ABI that is neither the machine's own nor one of `foreign`. */
  readonly foreignArch: SeccompAction;
  readonly foreign?: readonly ForeignArch[];
  /** SECCOMP_FILTER_FLAG_*. */
  readonly flags: number;
}

/** SECCOMP_FILTER_FLAG_SPEC_ALLOW: without it old CPUs pay for every branch of the program. */
export const specAllow = 4;
