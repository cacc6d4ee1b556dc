// What peapod would do for one container of the benchmark: peers are asked to do the same, so it is
// read from peapod's own plan and not written down a second time.
import { cpSync } from "node:fs";
import { join } from "node:path";
import { planContainer } from "../../src/plan/container.ts";
import type { Op, OpName, Plan } from "../../src/plan/plan.ts";
import { hostIds } from "../../src/pod/claims.ts";
import { planSandbox } from "../../src/plan/sandbox.ts";
import { readPodManifest } from "../../src/read/pod-manifest/read.ts";
import { resolveHostFacts } from "../../src/resolve/host-facts.ts";
import { resolvePod } from "../../src/resolve/pod.ts";
import type { HostFacts } from "../../src/spec/host-facts.ts";
import type { HostPath } from "../../src/spec/paths.ts";

export type Planned = {
  readonly sandbox: Plan;
  readonly container: Plan;
  readonly facts: HostFacts;
  /** The image's own layer on the host; the host's files are shown in it. */
  readonly layer: string;
};

/** Of a pod without a user namespace. State would lie below `directory`; nothing is started. */
export function planOne(options: {
  readonly directory: string;
  readonly cgroupRoot: string;
  readonly command: readonly string[];
}): Planned {
  const { directory, cgroupRoot, command } = options;
  const facts = resolveHostFacts({ cgroupRoot });
  const place = (name: string) => join(directory, "peapod", name) as HostPath;
  const spec = readPodManifest({
    metadata: { name: hostname },
    spec: { containers: [{ name: "c", image: "host", command: [...command] }] },
  });
  const pod = resolvePod(spec, facts, {
    uid: "00000000-0000-0000-0000-000000000000",
    places: { root: place("root"), state: place("state"), logs: place("logs") },
    ids: hostIds,
    podPidsMax: 0,
    deadlineMs: 0,
    missingControllers: "warn",
    warn: () => {},
    files: {},
  });
  const [container] = pod.containers;
  const layer = container?.root.layers[0];
  if (container === undefined || layer === undefined) throw new Error("no container was resolved");
  return {
    sandbox: planSandbox(pod, facts),
    container: planContainer(pod, container, facts),
    facts,
    layer,
  };
}

/** The same in every subject, so that generated files are equal. */
export const hostname = "floor";

/** A directory with the image's files, in which `programs` are added at the top. */
export function copyRoot(planned: Planned, target: string, programs: readonly string[]): void {
  cpSync(planned.layer, target, { recursive: true, verbatimSymlinks: true });
  for (const program of programs) {
    cpSync(program, join(target, program.split("/").at(-1) ?? ""));
  }
}

/** All operations of one kind, in their order. */
export function opsOf<Name extends OpName>(
  plan: Plan,
  name: Name,
): Extract<Op, { readonly op: Name }>[] {
  return plan.steps.flatMap(({ op }) =>
    // The tag says which member of the union it is; the compiler does not follow a parameter.
    op.op === name ? [op as Extract<Op, { readonly op: Name }>] : [],
  );
}

export function opOf<Name extends OpName>(
  plan: Plan,
  name: Name,
): Extract<Op, { readonly op: Name }> {
  const [only] = opsOf(plan, name);
  if (only === undefined) throw new Error(`the plan has no ${name}`);
  return only;
}
