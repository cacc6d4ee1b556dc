// Who a command in a container runs as.

import { rootUser } from "../spec/resolved.ts";
import type { ResolvedContainer } from "../spec/resolved.ts";
import type { ContainerEntry } from "./read-state.ts";

/** Names are looked up in the files that the container sees, as they are now. */
export async function execUser(
  wanted: string | undefined,
  entry: ContainerEntry,
  pidOf: () => number,
): Promise<ResolvedContainer["user"]> {
  if (wanted === undefined) return entry.user ?? rootUser;
  const { resolveUser } = await import("../image/user.ts");
  return resolveUser(wanted, [`/proc/${pidOf()}/root`], `container ${entry.name}`);
}
