// A container's privileges as its pod's state keeps them, for the commands that join it: what it
// was started with, whatever became of the profiles meanwhile.

import { compileFor } from "../plan/limits.ts";
import type { HostFacts } from "../spec/host-facts.ts";
import type { ResolvedContainer, ResolvedSecurity } from "../spec/resolved.ts";
import { plainSecurity } from "../spec/resolved.ts";

export interface SecurityEntry {
  /** In hexadecimal, as /proc/PID/status has it. */
  readonly capabilities: string;
  readonly noNewPrivileges: boolean;
  /** `default`, `none`, or a program in base64. */
  readonly seccomp: string;
  readonly seccompFlags: number;
  readonly appArmor: string;
  readonly seLinux: string;
}

/** Nothing for a container with the plain privileges. */
export function securityEntry(
  { security }: ResolvedContainer,
  facts: HostFacts,
): { readonly security?: SecurityEntry } {
  if (security === plainSecurity) return {};
  const { capabilities, noNewPrivileges, appArmor, seLinux } = security;
  return {
    security: {
      ...{ capabilities: capabilities.toString(16), noNewPrivileges, appArmor, seLinux },
      ...writeSeccomp(security, facts),
    },
  };
}

function writeSeccomp({ seccomp, capabilities }: ResolvedSecurity, facts: HostFacts) {
  if (typeof seccomp === "string") return { seccomp, seccompFlags: 0 };
  const { program, flags } =
    "program" in seccomp ? seccomp : compileFor(facts, seccomp, capabilities);
  return { seccomp: Buffer.from(program).toString("base64"), seccompFlags: flags };
}

export function readSecurityEntry(entry: SecurityEntry | undefined): ResolvedSecurity {
  if (entry === undefined) return plainSecurity;
  const { noNewPrivileges, seccomp, seccompFlags, appArmor, seLinux } = entry;
  const isNamed = seccomp === "default" || seccomp === "none";
  return {
    ...plainSecurity,
    ...{ noNewPrivileges, appArmor, seLinux },
    capabilities: BigInt(`0x${entry.capabilities}`),
    seccomp: isNamed ? seccomp : { program: Buffer.from(seccomp, "base64"), flags: seccompFlags },
  };
}

/** CAP_SYS_PTRACE: with it, in the host's user namespace, all that is seen can be taken. */
const tracing = 1n << 19n;

export function mayTrace(entry: SecurityEntry | undefined): boolean {
  return (readSecurityEntry(entry).capabilities & tracing) !== 0n;
}
