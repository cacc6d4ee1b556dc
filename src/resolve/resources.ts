// Whether the host can hold a pod to its limits.

import type { PodError } from "../errors/pod-error.ts";
import { throwTogether } from "../errors/pod-error.ts";
import type { HostFacts } from "../spec/host-facts.ts";
import type { PodSpec, ResourceList } from "../spec/pod-spec.ts";
import { fault } from "./fault.ts";
import type { ResolveOptions } from "./pod.ts";

/** A limit needs its controller; requests and peapod's own defaults can do without. */
export function checkControllers(
  spec: PodSpec,
  facts: HostFacts,
  options: Pick<ResolveOptions, "missingControllers" | "warn">,
): void {
  const has = (name: string) => facts.cgroup.controllers.has(name);
  const problems: PodError[] = [];
  const check = (limits: ResourceList, field: string, owner: string) => {
    for (const [name, resource] of limitedBy(limits)) {
      if (has(name)) continue;
      const message = `this host has no ${name} controller for the limit of ${owner}`;
      const at = `${field}.resources.limits.${resource}`;
      if (options.missingControllers === "warn") options.warn(`${message}; it is not applied`);
      else problems.push(fault(spec, at, { code: "cgroup.controller-missing", message }));
    }
  };
  if (spec.resources) check(spec.resources.limits, "spec", "the pod");
  for (const { name, field, resources } of [...spec.initContainers, ...spec.containers]) {
    check(resources.limits, field, `container ${name}`);
  }
  throwTogether(problems);
  const without = ["cpu", "memory", "pids"].filter((name) => !has(name));
  if (without.length > 0) {
    const list = without.join(", ");
    options.warn(
      `no cgroup controller ${list} on this host: requests and the default pids limit are not applied`,
    );
  }
}

/** Controllers, each with the resource that wants it. */
function limitedBy(limits: ResourceList): (readonly [controller: string, resource: string])[] {
  const [size] = Object.keys(limits.hugepages ?? {});
  return [
    ...(limits.cpuMilli ? [["cpu", "cpu"] as const] : []),
    ...(limits.memoryBytes ? [["memory", "memory"] as const] : []),
    ...(size === undefined ? [] : [["hugetlb", `hugepages-${size.replace(/B$/, "i")}`] as const]),
  ];
}
