// Starting a keeper: one call into the library, less than a tenth of a millisecond whatever
// Bun's heap. Its exec happens beside Bun, and a failed one ends the keeper.

import { library } from "./library.ts";
import { alloc } from "./memory.ts";
import { SyscallError } from "./syscalls.ts";

export interface KeeperProcess {
  readonly pid: number;
  /** The caller's to close. */
  readonly pidfd: number;
}

export type SharedNamespace = keyof typeof cloneFlags;

export interface SpawnRequest {
  /** The keeper's end of the connection; the caller closes its copy. */
  readonly socket: number;
  /** Directory of the control group the keeper is born in, or -1. */
  readonly cgroup: number;
  /** Mount namespace of a living keeper, or -1. */
  readonly seed: number;
  /** Namespaces of its own that it makes before it reads its first plan. */
  readonly namespaces: readonly SharedNamespace[];
  /** It will connect the pod's network namespace with the host's, and reaches back into that. */
  readonly links: boolean;
}

/** include/uapi/linux/sched.h. */
const cloneFlags = { net: 0x4000_0000, ipc: 0x0800_0000, uts: 0x0400_0000 } as const;

/** `struct Request` of zig/spawn.zig. */
export function spawnKeeper(request: SpawnRequest): KeeperProcess {
  const bytes = alloc(24);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, request.socket, true);
  view.setInt32(4, request.cgroup, true);
  view.setInt32(8, request.seed, true);
  const namespaces = request.namespaces.reduce((flags, name) => flags | cloneFlags[name], 0);
  view.setUint32(12, namespaces, true);
  view.setUint32(20, Number(request.links), true);
  const pid = library().peapod_spawn(bytes);
  if (pid < 0) throw new SyscallError("pidfd_open", -pid);
  return { pid, pidfd: view.getInt32(16, true) };
}
