// What a pod's keeper holds of the objects that the pod names; asked only where it holds any.

import type { KeeperClient } from "../launch/keeper-client.ts";
import type { ObjectTable } from "../spec/objects.ts";
import { noObjects } from "../spec/objects.ts";
import type { PodSpec } from "../spec/pod-spec.ts";
import type { Kept } from "./kept.ts";
import type { PodState } from "./read-state.ts";

/** A manifest that was accepted before; handed in, for reading is the front ends'. */
export type ReadSpec = (
  manifest: PodState["manifest"],
  objects: ObjectTable,
) => PodSpec | Promise<PodSpec>;

export async function objectsOf(state: PodState, client: KeeperClient): Promise<ObjectTable> {
  return (await fetchIfAny(state, client))?.objects ?? noObjects;
}

/** Variables of a process that the state leaves out; `known` to whoever started the pod. */
export async function secretEnvOf(
  known: Kept["secretEnv"] | undefined,
  state: PodState,
  client: KeeperClient,
  process: number,
): Promise<readonly string[]> {
  const all = known ?? (await fetchIfAny(state, client))?.secretEnv;
  return all?.get(process) ?? [];
}

async function fetchIfAny(state: PodState, client: KeeperClient): Promise<Kept | undefined> {
  if (!state.hasObjects) return undefined;
  const { fetchKept } = await import("./kept.ts");
  return fetchKept(client);
}
