// The way from the global flags to peapod and its pods. Everything goes through the module's public
// API.

import type { Peapod } from "../open.ts";
import type { NetworkMode } from "../pod/networks.ts";
import type { OpenOptions } from "../pod/types.ts";
import type { GlobalFlags, Io } from "./command.ts";
import { clean } from "./text.ts";

type PlaceFlags = Pick<
  GlobalFlags,
  | "root"
  | "state"
  | "logs"
  | "cgroup-root"
  | "missing-controllers"
  | "network"
  | ("network-range" | "network-mtu")
>;

export async function openFromFlags(
  flags: PlaceFlags,
  io: Io,
  more: OpenOptions = {},
): Promise<Peapod> {
  const { openPeapod } = await import("../open.ts");
  return openPeapod({ ...openOptions(flags, io), ...more });
}

function openOptions(flags: PlaceFlags, io: Io): OpenOptions {
  const { root, state, logs, network } = flags;
  const networkRange = flags["network-range"];
  const networkMtu = flags["network-mtu"];
  const cgroupRoot = flags["cgroup-root"];
  const missingControllers = flags["missing-controllers"];
  return {
    ...(root !== undefined && { root }),
    ...(state !== undefined && { state }),
    ...(logs !== undefined && { logs }),
    ...(cgroupRoot !== undefined && { cgroupRoot }),
    ...(missingControllers !== undefined && { missingControllers }),
    // Checked when it is opened.
    ...(network !== undefined && { network: network as NetworkMode }),
    ...(networkRange !== undefined && { networkRange }),
    ...(networkMtu !== undefined && { networkMtu }),
    onWarning: (message) => warn(io, message),
  };
}

export function warn(io: Io, message: string): void {
  io.stderr.write(`${io.paintErr("yellow", "warning")} ${clean(message)}\n`);
}

/** What is neither data nor trouble: for whoever watches. */
export function note(io: Io, message: string): void {
  io.stderr.write(`${io.paintErr("dim", clean(message))}\n`);
}
