// A manifest with other resources in it: what `-o yaml` shows of a pod that was resized, and what
// its next owner reads.

import type { ContainerSpec, ResourceList } from "../spec/pod-spec.ts";

type Json = Readonly<Record<string, unknown>>;

/** CPU and memory of each container as its spec has them; everything else as it was written. */
export function withResources(manifest: Json, containers: readonly ContainerSpec[]): Json {
  const spec = asJson(manifest["spec"]);
  const lists = (["initContainers", "containers"] as const).flatMap((key) => {
    const list: unknown = spec[key];
    if (!Array.isArray(list)) return [];
    const written = list.map(asJson).map((container) => {
      const found = containers.find(({ name }) => name === container["name"]);
      return found ? withOwn(container, found) : container;
    });
    return [[key, written] as const];
  });
  return { ...manifest, spec: { ...spec, ...Object.fromEntries(lists) } };
}

function withOwn(container: Json, { resources }: ContainerSpec): Json {
  const old = asJson(container["resources"]);
  const lists = (["requests", "limits"] as const).map((kind) => [
    kind,
    { ...asJson(old[kind]), ...quantities(resources[kind]) },
  ]);
  const filled = lists.filter(([, list]) => Object.keys(asJson(list)).length > 0);
  if (filled.length === 0) return container;
  return { ...container, resources: { ...old, ...Object.fromEntries(filled) } };
}

function quantities({ cpuMilli, memoryBytes }: ResourceList): Json {
  return {
    ...(cpuMilli !== undefined && {
      cpu: cpuMilli % 1000 === 0 ? `${cpuMilli / 1000}` : `${cpuMilli}m`,
    }),
    ...(memoryBytes !== undefined && { memory: printBytes(memoryBytes) }),
  };
}

function printBytes(bytes: number): string {
  for (const [unit, size] of [
    ["Gi", 2 ** 30],
    ["Mi", 2 ** 20],
    ["Ki", 2 ** 10],
  ] as const) {
    if (bytes > 0 && bytes % size === 0) return `${bytes / size}${unit}`;
  }
  return String(bytes);
}

function asJson(value: unknown): Json {
  return typeof value === "object" && value !== null ? (value as Json) : {};
}
