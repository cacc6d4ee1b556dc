// Starting a keeper: one call into the library, about a tenth of a millisecond whatever Bun's heap.

import { library } from "./library.ts";
import { alloc } from "./memory.ts";
import { SyscallError } from "./syscalls.ts";

export interface KeeperProcess {
  readonly pid: number;
  /** The caller's to close. */
  readonly pidfd: number;
}

export interface SpawnRequest {
  /** The keeper's end of the connection; the caller closes its copy. */
  readonly socket: number;
  /** Directory of the control group the keeper is born in, or -1. */
  readonly cgroup: number;
  /** Mount namespace of a living keeper, or -1. */
  readonly seed: number;
}

/** `struct Request` of zig/spawn.zig. */
export function spawnKeeper(request: SpawnRequest): KeeperProcess {
  const bytes = alloc(24);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, request.socket, true);
  view.setInt32(4, request.cgroup, true);
  view.setInt32(8, request.seed, true);
  const pid = library().peapod_spawn(bytes);
  if (pid < 0) throw new SyscallError("pidfd_open", -pid);
  return { pid, pidfd: view.getInt32(12, true) };
}
