// Volumes that outlive their pods: the directories of claims.

import { existsSync, rmSync } from "node:fs";
import { PodError } from "../errors/pod-error.ts";
import type { Places } from "../spec/places.ts";
import { claimDirectory } from "../spec/resolved.ts";
import { measureTree } from "./disk-use.ts";
import { names } from "./state.ts";
import type { BrokenPod, Pod } from "./types.ts";

/** A persistentVolumeClaim's directory, which outlives its pods. */
export interface KeptVolume {
  readonly namespace: string;
  readonly name: string;
  /** On the host. */
  readonly path: string;
  readonly bytes: number;
  /** Pods that name it, as `namespace/name`. */
  readonly usedBy: readonly string[];
}

type ListPods = () => Promise<readonly (Pod | BrokenPod)[]>;

/** By namespace and name. */
export async function listVolumes({ root }: Places, list: ListPods): Promise<KeptVolume[]> {
  const users = await usersOf(list);
  const found: KeptVolume[] = [];
  for (const entry of names(`${root}/volumes`).toSorted()) {
    const [namespace = "", name = ""] = entry.split("_");
    if (name === "") continue; // Not made by peapod.
    const path = claimDirectory(root, namespace, name);
    const { bytes } = await measureTree(path);
    found.push({ namespace, name, path, bytes, usedBy: users.get(entry) ?? [] });
  }
  return found;
}

/** False when there is none; one that a pod names stays. */
export async function removeVolume(
  { root }: Places,
  volume: Pick<KeptVolume, "namespace" | "name">,
  list: ListPods,
): Promise<boolean> {
  const { namespace, name } = volume;
  const path = claimDirectory(root, namespace, name);
  if (/[/_]/.test(`${namespace}${name}`) || name === "" || !existsSync(path)) return false;
  const users = (await usersOf(list)).get(`${namespace}_${name}`) ?? [];
  if (users.length > 0) {
    throw new PodError({
      code: "volume.in-use",
      message: `volume ${namespace}/${name} is used by ${users.join(", ")}`,
    });
  }
  // Nothing of a pod has it any more: no name in it changes while it goes.
  rmSync(path, { recursive: true });
  return true;
}

/** `NAMESPACE_CLAIM` → the pods that name it, finished ones too. */
async function usersOf(list: ListPods): Promise<Map<string, string[]>> {
  const users = new Map<string, string[]>();
  for (const pod of await list()) {
    if ("error" in pod) continue;
    for (const claim of claimsOf(await pod.object())) {
      const key = `${pod.namespace}_${claim}`;
      users.set(key, [...(users.get(key) ?? []), `${pod.namespace}/${pod.name}`]);
    }
  }
  return users;
}

/** Of a v1 Pod. */
export function claimsOf(object: Readonly<Record<string, unknown>>): string[] {
  const spec = asJson(object["spec"]);
  const volumes: readonly unknown[] = Array.isArray(spec["volumes"]) ? spec["volumes"] : [];
  return volumes.flatMap((volume) => {
    const { claimName } = asJson(asJson(volume)["persistentVolumeClaim"]);
    return typeof claimName === "string" ? [claimName] : [];
  });
}

function asJson(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
