// What every process of a container gives up, whatever its manifest says. Defaults are facts of the
// field: containerd's, CRI-O's and the kubelet's, each cited where it stands.

import type { HostFacts } from "../spec/host-facts.ts";
import type { ResolvedUser } from "../spec/resolved.ts";
import { capabilityMask, defaultCapabilities } from "./capabilities.ts";
import type { Op } from "./plan.ts";
import { compileSeccomp } from "./seccomp/compile.ts";
import { runtimeDefault } from "./seccomp/runtime-default.ts";

const capabilityNames: ReadonlySet<string> = new Set(defaultCapabilities);
const rlimitNofile = 7;
const rlimitCore = 4;

/**
 * systemd's choice: programs that use select(2) break above 1024, so more is for those that ask.
 */
const openFiles = { soft: 1024, hardMax: 524_288 };

/** In this order: each step takes away what the ones before it needed (man 7 capabilities). */
export function planLimits(
  facts: HostFacts,
  tty: TerminalSize | undefined,
  user: ResolvedUser,
): Op[] {
  const hard = Math.min(openFiles.hardMax, facts.openFilesMax);
  const mask = capabilityMask(defaultCapabilities);
  return [
    rlimit(rlimitNofile, Math.min(openFiles.soft, hard), hard),
    // A core file of a crashed container would fill its writable layer.
    rlimit(rlimitCore, 0, 0),
    ...(tty ? [{ op: "open_terminal", rows: tty.rows, columns: tty.columns } as const] : []),
    // Dropping needs CAP_SETPCAP, which the next steps take.
    { op: "drop_bounding", keep: mask },
    { op: "set_user", uid: user.uid, gid: user.gid, groups: encodeGroups(user.groups) },
    { op: "set_capabilities", permitted: mask, inheritable: 0n, ambient: 0n },
    { op: "set_no_new_privileges" },
    // Last: the filter forbids what the steps before it did.
    {
      op: "set_seccomp",
      program: compileSeccomp(runtimeDefault, {
        arch: facts.arch,
        capabilities: capabilityNames,
        kernel: facts.kernel,
      }),
    },
  ];
}

function encodeGroups(groups: readonly number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(groups).buffer);
}

/** A process with nothing to take: no capability, the same filter. */
export function planPauseLimits(facts: HostFacts): Op[] {
  return [
    { op: "drop_bounding", keep: 0n },
    { op: "set_capabilities", permitted: 0n, inheritable: 0n, ambient: 0n },
    { op: "set_no_new_privileges" },
    {
      op: "set_seccomp",
      program: compileSeccomp(runtimeDefault, {
        arch: facts.arch,
        capabilities: new Set(),
        kernel: facts.kernel,
      }),
    },
  ];
}

export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

function rlimit(resource: number, soft: number, hard: number): Op {
  return { op: "set_rlimit", resource, soft: BigInt(soft), hard: BigInt(hard) };
}
