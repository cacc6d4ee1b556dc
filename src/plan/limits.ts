// What every process of a container gives up, and in which order. Defaults are facts of the field:
// containerd's, CRI-O's and the kubelet's, each cited where it stands.

import { capabilityNames } from "../spec/capabilities.ts";
import type { HostFacts } from "../spec/host-facts.ts";
import type { ResolvedSecurity, ResolvedUser, SeccompProgram } from "../spec/resolved.ts";
import { plainSecurity } from "../spec/resolved.ts";
import type { SeccompProfile } from "../spec/seccomp.ts";
import type { Op } from "./plan.ts";
import { compileSeccomp } from "./seccomp/compile.ts";
import { runtimeDefault } from "./seccomp/runtime-default.ts";

const rlimitNofile = 7;
const rlimitCore = 4;

/**
 * systemd's choice: programs that use select(2) break above 1024, so more is for those that ask.
 */
const openFiles = { soft: 1024, hardMax: 524_288 };

export interface LimitedProcess {
  readonly tty: TerminalSize | undefined;
  readonly user: ResolvedUser;
  readonly security: ResolvedSecurity;
}

/** In this order: each step takes away what the ones before it needed (man 7 capabilities). */
export function planLimits(facts: HostFacts, { tty, user, security }: LimitedProcess): Op[] {
  const hard = Math.min(openFiles.hardMax, facts.openFilesMax);
  const { capabilities, noNewPrivileges } = security;
  const filter = planSeccomp(facts, security);
  return [
    rlimit(rlimitNofile, Math.min(openFiles.soft, hard), hard),
    // A core file of a crashed container would fill its writable layer.
    rlimit(rlimitCore, 0, 0),
    ...(tty ? planTerminal(tty, user) : []),
    // Dropping needs CAP_SETPCAP, which the next steps take.
    { op: "drop_bounding", keep: capabilities },
    // Without no_new_privs it needs CAP_SYS_ADMIN, which goes with the ids.
    ...(noNewPrivileges ? [] : filter),
    { op: "set_user", uid: user.uid, gid: user.gid, groups: encodeGroups(user.groups) },
    // Inheritable capabilities would pass to programs that ask for them in their files, ambient
    // ones to all: no manifest can want either.
    { op: "set_capabilities", permitted: capabilities, inheritable: 0n, ambient: 0n },
    // The filter last: it forbids what the steps before it did.
    ...(noNewPrivileges ? [{ op: "set_no_new_privileges" } as const, ...filter] : []),
  ];
}

function planTerminal({ rows, columns }: TerminalSize, { uid }: ResolvedUser): Op[] {
  const give = uid === 0 ? [] : [{ op: "give_streams", uid } as const];
  return [{ op: "open_terminal", rows, columns }, ...give];
}

/** In `build`, before a user namespace in which the pipes' owner would be nobody. */
export function planStreams({ tty, user }: LimitedProcess, firstId: number): Op[] {
  const uid = firstId + user.uid;
  return tty || uid === 0 ? [] : [{ op: "give_streams", uid }];
}

/** In `build` as well: the files are in the host's procfs. */
export function planLabels({ appArmor, seLinux }: ResolvedSecurity): Op[] {
  return [
    ...(appArmor === ""
      ? []
      : [{ op: "set_label", file: "apparmor/exec", label: `exec ${appArmor}` } as const]),
    ...(seLinux === "" ? [] : [{ op: "set_label", file: "exec", label: seLinux } as const]),
  ];
}

function planSeccomp(facts: HostFacts, { seccomp, capabilities }: ResolvedSecurity): Op[] {
  if (seccomp === "none") return [];
  if (seccomp !== "default" && "program" in seccomp) return [{ op: "set_seccomp", ...seccomp }];
  const profile = seccomp === "default" ? runtimeDefault : seccomp;
  return [{ op: "set_seccomp", ...compileFor(facts, profile, capabilities) }];
}

/** The program of a container, and how it is installed. */
export function compileFor(
  facts: HostFacts,
  profile: SeccompProfile,
  capabilities: bigint,
): SeccompProgram {
  const { arch, kernel } = facts;
  const names =
    capabilities === plainSecurity.capabilities
      ? plainNames
      : new Set(capabilityNames(capabilities));
  const program = compileSeccomp(profile, { arch, kernel, capabilities: names });
  return { program, flags: profile.flags };
}

const plainNames: ReadonlySet<string> = new Set(capabilityNames(plainSecurity.capabilities));

function encodeGroups(groups: readonly number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(groups).buffer);
}

/** A process with nothing to take: no capability, the same filter. */
export function planPauseLimits(facts: HostFacts): Op[] {
  return [
    { op: "drop_bounding", keep: 0n },
    { op: "set_capabilities", permitted: 0n, inheritable: 0n, ambient: 0n },
    { op: "set_no_new_privileges" },
    { op: "set_seccomp", ...compileFor(facts, runtimeDefault, 0n) },
  ];
}

export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

function rlimit(resource: number, soft: number, hard: number): Op {
  return { op: "set_rlimit", resource, soft: BigInt(soft), hard: BigInt(hard) };
}
