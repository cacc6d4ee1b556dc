// New amounts for the groups of a pod that runs. A group never bounds what is in it to less than
// that has been given: the pod's grows before its containers', and shrinks after them.

import type { HostFacts } from "../spec/host-facts.ts";
import type { PodPlaces } from "../spec/resolved.ts";
import type { ContainerResources, PodResources } from "../spec/resources.ts";
import { containerCgroupValues, podCgroupValues } from "./cgroup-values.ts";
import type { Op, Plan, Slot, Step } from "./plan.ts";
import { PlanSlots } from "./slots.ts";
import { planUpdate, updateSteps } from "./update.ts";

export interface ResizedContainer {
  readonly name: string;
  /** `spec.containers[0].resources`. */
  readonly field: string;
  readonly before: ContainerResources;
  readonly after: ContainerResources;
}

export interface ResizeInput {
  readonly places: PodPlaces;
  readonly firstId: number;
  readonly before: PodResources;
  readonly after: PodResources;
  /** Those whose groups stay: one that starts again gets a new group anyway. */
  readonly containers: readonly ResizedContainer[];
}

interface Group {
  readonly path: string;
  readonly field: string;
  readonly changes: readonly Change[];
}

interface Change {
  readonly file: string;
  readonly value: string;
  readonly isGrowing: boolean;
}

export function planResize(input: ResizeInput, facts: HostFacts): Plan {
  const { places, before, after, containers, firstId } = input;
  const path = `${places.cgroupParent}/${places.cgroupName}`;
  const pod: Group = {
    path,
    field: "spec",
    // The bound on processes is none of the manifest's.
    changes: changesOf(
      podCgroupValues(before, undefined),
      podCgroupValues(after, undefined),
      facts,
    ),
  };
  const groups = containers.map(({ name, field, ...amounts }): Group => ({
    path: `${path}/${name}`,
    field,
    changes: changesOf(
      containerCgroupValues(amounts.before),
      containerCgroupValues(amounts.after),
      facts,
    ),
  }));
  const slots = new PlanSlots();
  const changed = [pod, ...groups].filter(({ changes }) => changes.length > 0);
  const opened = changed.map((group) => ({ ...group, slot: slots.take() }));
  const write = (isGrowing: boolean) => (group: Group & { readonly slot: Slot }) => {
    const ops = group.changes
      .filter((change) => change.isGrowing === isGrowing)
      .map(({ file, value }): Op => ({ op: "write_cgroup", cgroup: group.slot, file, value }));
    return updateSteps(group.field, ops);
  };
  const open = ({ path: group, slot, field }: (typeof opened)[number]): Step[] =>
    updateSteps(field, [{ op: "open_directory", path: group, slot }]);
  return planUpdate(firstId, [
    ...opened.flatMap(open),
    ...opened.flatMap(write(true)),
    ...opened.toReversed().flatMap(write(false)),
  ]);
}

type Values = Readonly<Record<string, string>>;

function changesOf(before: object, after: object, facts: HostFacts): Change[] {
  const old: Values = { ...before };
  return Object.entries<string>({ ...after })
    .filter(([file]) => facts.cgroup.controllers.has(file.slice(0, file.indexOf("."))))
    .filter(([file, value]) => old[file] !== value)
    .map(([file, value]) => ({
      file,
      value,
      isGrowing: amount(value) > amount(old[file] ?? ""),
    }));
}

/** `max` is more than any number; a quota stands before its period. */
function amount(value: string): number {
  const [first = ""] = value.split(" ");
  return first === "max" ? Infinity : Number(first);
}
