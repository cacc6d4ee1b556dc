// What commands that read manifests let them ask for.

import type { PolicyOptions } from "../pod/policy.ts";
import { policyLevels } from "../spec/policy.ts";
import type { FlagTable, FlagValues } from "./flags.ts";

export const policyFlags = {
  policy: {
    kind: "choice",
    value: "restricted|baseline|privileged",
    choices: policyLevels,
    help: "refuse what violates this Pod Security Standard (default: privileged, which takes all)",
  },
  "allowed-unsafe-sysctls": {
    kind: "texts",
    value: "NAMES",
    help: "sysctls that pods may set beyond the safe ones, with commas: kernel.msg*,net.core.somaxconn",
  },
} as const satisfies FlagTable;

export function policyOptions(flags: FlagValues<typeof policyFlags>): PolicyOptions {
  const allowed = flags["allowed-unsafe-sysctls"].flatMap((names) => names.split(","));
  return {
    ...(flags.policy !== undefined && { policy: flags.policy }),
    ...(allowed.length > 0 && { allowedUnsafeSysctls: allowed }),
  };
}
