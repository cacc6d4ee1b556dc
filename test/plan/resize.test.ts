import { describe, expect, test } from "bun:test";
import { planResize } from "../../src/plan/resize.ts";
import { prepareResize } from "../../src/pod/resize.ts";
import type { ResizeWish } from "../../src/pod/shapes.ts";
import type { PodState } from "../../src/pod/read-state.ts";
import { readPodManifest } from "../../src/read/pod-manifest/read.ts";
import type { PodManifest } from "../../src/read/pod-manifest/read.ts";
import { PodError } from "../../src/errors/pod-error.ts";
import { someFacts } from "../support/specs.ts";

const Mi = 1024 * 1024;
type Spec = NonNullable<PodManifest["spec"]>;

const places = { cgroupParent: "/groups/burstable", cgroupName: "podX" };
// The parts of a state that a resize looks at.
const state = { places, ids: { firstId: 0, count: 0, claim: "" } } as PodState;

function specOf(spec: Partial<Spec> = {}, resources: object = {}) {
  const app = { name: "app", image: "host", command: ["run"], resources };
  return readPodManifest({
    metadata: { name: "web" },
    spec: { containers: [app, { ...app, name: "side" }], ...spec },
  });
}

const burstable = {
  requests: { cpu: "100m", memory: "64Mi" },
  limits: { cpu: "500m", memory: "128Mi" },
};

const wish = (more: Partial<ResizeWish>): ResizeWish => ({
  container: "app",
  requests: {},
  limits: {},
  ...more,
});

function writes(wishes: readonly ResizeWish[], spec = specOf({}, burstable)): string[] {
  const { input } = prepareResize(spec, state, wishes, someFacts);
  const { steps } = planResize(input, someFacts);
  const paths = new Map<number, string>();
  return steps.flatMap(({ op }) => {
    if (op.op === "open_directory") paths.set(op.slot, op.path);
    if (op.op !== "write_cgroup") return [];
    return [`${paths.get(op.cgroup)?.slice("/groups/burstable/".length)}/${op.file}=${op.value}`];
  });
}

function refusal(wishes: readonly ResizeWish[], spec = specOf({}, burstable)): string {
  try {
    prepareResize(spec, state, wishes, someFacts);
    return "";
  } catch (error) {
    if (error instanceof PodError) return `${error.code}: ${error.message}`;
    throw error;
  }
}

describe("the order of writes", () => {
  test("what grows does so from the pod inwards", () => {
    const limits = { cpuMilli: 1000, memoryBytes: 256 * Mi };
    expect(writes([wish({ limits })])).toEqual([
      "podX/cpu.max=150000 100000",
      `podX/memory.max=${384 * Mi}`,
      "podX/app/cpu.max=100000 100000",
      `podX/app/memory.max=${256 * Mi}`,
    ]);
  });

  test("what shrinks does so from the containers outwards", () => {
    const limits = { memoryBytes: 96 * Mi };
    expect(writes([wish({ limits })])).toEqual([
      `podX/app/memory.max=${96 * Mi}`,
      `podX/memory.max=${224 * Mi}`,
    ]);
  });

  test("where one grows and the other shrinks, each has its own order", () => {
    const wishes = [wish({ requests: { cpuMilli: 200 }, limits: { memoryBytes: 64 * Mi } })];
    expect(writes(wishes)).toEqual([
      "podX/cpu.weight=40",
      "podX/app/cpu.weight=29",
      `podX/app/memory.max=${64 * Mi}`,
      `podX/memory.max=${192 * Mi}`,
    ]);
  });

  test("nothing that stays is written", () => {
    expect(writes([wish({ limits: { cpuMilli: 500 } })])).toEqual([]);
  });
});

describe("what Kubernetes refuses", () => {
  test("another class", () => {
    const limits = { cpuMilli: 100, memoryBytes: 64 * Mi };
    const wishes = ["app", "side"].map((container) => wish({ container, limits }));
    expect(refusal(wishes)).toBe(
      "pod.resize-refused: Pod QOS Class may not change as a result of resizing: " +
        "it is Burstable, and would be Guaranteed",
    );
  });

  test("a request above its limit, and a limit above the pod's", () => {
    expect(refusal([wish({ requests: { cpuMilli: 501 } })])).toBe(
      "pod.resize-refused: the cpu request of container app would be above its limit",
    );
    const resources = { limits: { memory: "256Mi" } };
    const pod = specOf({ resources }, burstable);
    expect(refusal([wish({ limits: { memoryBytes: 300 * Mi } })], pod)).toBe(
      "pod.resize-refused: the memory limit of container app would be above the pod's own",
    );
  });

  test("more than the node has", () => {
    const huge = 100 * someFacts.memoryBytes;
    const wishes = [wish({ requests: { memoryBytes: huge }, limits: { memoryBytes: huge } })];
    expect(refusal(wishes)).toStartWith(
      "pod.resize-refused: Node didn't have enough capacity: memory, requested: ",
    );
  });

  test("an init container, and one that is not there", () => {
    const init = { name: "init", image: "host", command: ["run"] };
    const spec = specOf({ initContainers: [init] }, burstable);
    expect(refusal([wish({ container: "init" })], spec)).toContain("init is an init container");
    const sidecar = specOf({ initContainers: [{ ...init, restartPolicy: "Always" }] }, burstable);
    expect(refusal([wish({ container: "init", requests: { cpuMilli: 5 } })], sidecar)).toBe("");
    expect(refusal([wish({ container: "nobody" })])).toBe(
      'container.unknown: there is no container "nobody" to resize',
    );
  });
});

describe("what a resize leaves", () => {
  test("a manifest that reads as the new spec, everything else as it was", () => {
    const before = specOf(
      {},
      { ...burstable, limits: { ...burstable.limits, "ephemeral-storage": 5 } },
    );
    const wishes = [
      wish({ requests: { cpuMilli: 250 }, limits: { cpuMilli: 2000, memoryBytes: 100 } }),
    ];
    expect(refusal(wishes, before)).toContain("memory request of container app");
    const fitting = [wish({ requests: { cpuMilli: 250 }, limits: { cpuMilli: 2000 } })];
    const { spec } = prepareResize(before, state, fitting, someFacts);
    const again = readPodManifest(spec.manifest as unknown as PodManifest);
    expect(again.containers).toEqual(spec.containers as typeof again.containers);
    expect(again.containers[0]?.resources).toEqual({
      requests: { cpuMilli: 250, memoryBytes: 64 * Mi, ephemeralStorageBytes: 5 },
      limits: { cpuMilli: 2000, memoryBytes: 128 * Mi, ephemeralStorageBytes: 5 },
    });
    expect(again.containers[1]).toEqual(before.containers[1]!);
  });

  test("containers that want to be started anew, whose groups are then made anew", () => {
    const resizePolicy = [{ resourceName: "memory", restartPolicy: "RestartContainer" }] as const;
    const app = {
      name: "app",
      image: "host",
      command: ["run"],
      resources: burstable,
      resizePolicy,
    };
    const spec = specOf({ containers: [app, { ...app, name: "side" }] } as Partial<Spec>);
    const memory = [wish({ limits: { memoryBytes: 256 * Mi } })];
    const { restarts, input } = prepareResize(spec, state, memory, someFacts);
    expect([restarts, input.containers]).toEqual([["app"], []]);
    expect(writes(memory, spec)).toEqual([`podX/memory.max=${384 * Mi}`]);
    const cpu = [wish({ limits: { cpuMilli: 600 } })];
    expect(prepareResize(spec, state, cpu, someFacts).restarts).toEqual([]);
  });
});
