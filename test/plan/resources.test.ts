import { describe, expect, test } from "bun:test";
import { qosClass } from "../../src/spec/qos.ts";
import type { PodResources } from "../../src/spec/resources.ts";
import { containerResources, oomScoreAdj, podResources } from "../../src/spec/resources.ts";
import type { ContainerSpec, PodSpec, ResourceList } from "../../src/spec/pod-spec.ts";
import { specOf } from "../support/specs.ts";

const Mi = 1024 * 1024;
const Gi = 1024 * Mi;
type Resources = ContainerSpec["resources"];
const nothing: Resources = { requests: {}, limits: {} };

function container(resources: Resources, isSidecar = false): ContainerSpec {
  const [first] = specOf().containers;
  if (!first) throw new Error("it has one");
  const life = { ...first.life, ...(isSidecar && { restartPolicy: "Always" as const }) };
  return { ...first, resources, life };
}

function limited(cpuMilli: number, memoryBytes: number): Resources {
  return { requests: { cpuMilli, memoryBytes }, limits: { cpuMilli, memoryBytes } };
}

function asking(requests: ResourceList, limits: ResourceList = {}): Resources {
  return { requests, limits };
}

function podOf(containers: readonly Resources[], more: Partial<PodSpec> = {}): PodSpec {
  return specOf({}, { containers: containers.map((one) => container(one)), ...more });
}

function of<Key extends keyof PodResources>(spec: PodSpec, ...keys: readonly Key[]) {
  const resources = podResources(spec);
  return keys.map((key) => resources[key]);
}

describe("the QoS class follows from CPU and memory of all containers", () => {
  const zero: Resources = { requests: { cpuMilli: 0, memoryBytes: 0 }, limits: { cpuMilli: 0 } };
  test.each([
    ["nothing asked for", [nothing, nothing], "BestEffort"],
    ["only zeros", [zero], "BestEffort"],
    ["only other resources", [asking({ ephemeralStorageBytes: 1, hugepages: {} })], "BestEffort"],
    ["both limits equal the requests", [limited(1, 1), limited(500, Gi)], "Guaranteed"],
    ["one container without limits", [limited(500, Gi), nothing], "Burstable"],
    ["a request without a limit", [asking({ cpuMilli: 100 })], "Burstable"],
    ["a memory limit alone", [asking({ memoryBytes: 1 }, { memoryBytes: 1 })], "Burstable"],
    [
      "a limit above the request",
      [asking({ cpuMilli: 1, memoryBytes: 1 }, { cpuMilli: 2, memoryBytes: 1 })],
      "Burstable",
    ],
  ] satisfies [string, Resources[], string][])("%s", (_, containers, expected) => {
    expect(podResources(podOf(containers)).qos).toBe(expected as PodResources["qos"]);
  });

  test("init containers and sidecars count", () => {
    const spec = (init: Resources) =>
      podOf([limited(500, Gi)], { initContainers: [container(init)] });
    expect(podResources(spec(limited(1, 1))).qos).toBe("Guaranteed");
    expect(podResources(spec(nothing)).qos).toBe("Burstable");
    expect(
      podResources(podOf([nothing], { initContainers: [container(limited(1, 1), true)] })).qos,
    ).toBe("Burstable");
  });

  test("what the pod itself says counts alone", () => {
    const spec = (resources: NonNullable<PodSpec["resources"]>, own = nothing) =>
      podResources(podOf([own], { resources })).qos;
    const both = { cpuMilli: 500, memoryBytes: Gi };
    expect(spec({ requests: both, limits: both })).toBe("Guaranteed");
    expect(spec({ requests: {}, limits: both })).toBe("Guaranteed");
    expect(spec({ requests: { cpuMilli: 1 }, limits: both })).toBe("Burstable");
    expect(spec({ requests: {}, limits: { cpuMilli: 500 } }, limited(500, Gi))).toBe("Burstable");
    expect(spec({ requests: {}, limits: {} }, limited(500, Gi))).toBe("BestEffort");
  });

  test("only amounts above 0 are amounts", () => {
    expect(qosClass([], { requests: { cpu: 0 }, limits: {} })).toBe("BestEffort");
  });
});

describe("what a pod needs as a whole", () => {
  test("is the larger of its start and its run, sidecars beside both", () => {
    const cpu = (cpuMilli: number) => asking({ cpuMilli }, { cpuMilli });
    const initContainers = [
      container(cpu(300)),
      container(cpu(50), true),
      container(cpu(400)),
      container(cpu(20), true),
    ];
    // Starting: 300, then 400 beside 50; running: 100 + 200 beside 70.
    expect(
      of(podOf([cpu(100), cpu(200)], { initContainers }), "cpuRequestMilli", "cpuLimitMilli"),
    ).toEqual([450, 450]);
    expect(of(podOf([cpu(500), cpu(200)], { initContainers }), "cpuRequestMilli")).toEqual([770]);
  });

  test("overhead comes on top, of limits only where there is one", () => {
    const overhead = { cpuMilli: 10, memoryBytes: 5 };
    const keys = ["cpuRequestMilli", "cpuLimitMilli", "memoryRequestBytes", "memoryLimitBytes"];
    const sums = (own: Resources) =>
      of(podOf([own], { overhead }), ...(keys as (keyof PodResources)[]));
    expect(sums(asking({ cpuMilli: 100 }, { cpuMilli: 200 }))).toEqual([110, 210, 5, 0]);
    expect(sums(nothing)).toEqual([10, 0, 5, 0]);
  });

  test("an init container without a limit frees the pod of it", () => {
    const spec = podOf([limited(500, Gi)], {
      initContainers: [container(asking({ cpuMilli: 1 }))],
    });
    expect(of(spec, "cpuLimitMilli", "memoryLimitBytes")).toEqual([0, 0]);
  });

  test("the pod's own amounts replace the sums, and bind where no container has a limit", () => {
    const resources = {
      requests: { cpuMilli: 250 },
      limits: { cpuMilli: 1000, memoryBytes: Gi, hugepages: { "2MB": 4 * Mi } },
    };
    const spec = podOf([asking({ cpuMilli: 100, memoryBytes: 64 * Mi }), nothing], { resources });
    expect(podResources(spec)).toEqual({
      qos: "Burstable",
      cpuRequestMilli: 250,
      cpuLimitMilli: 1000,
      // Left out by the pod: what its containers ask for, else its limit.
      memoryRequestBytes: 64 * Mi,
      memoryLimitBytes: Gi,
      hugepages: { "2MB": 4 * Mi },
    });
  });

  test("large pages add up by their size", () => {
    const pages = (hugepages: Record<string, number>) => asking({ hugepages }, { hugepages });
    const spec = podOf([pages({ "2MB": 4 * Mi }), pages({ "2MB": 2 * Mi, "1GB": Gi })]);
    expect(of(spec, "hugepages")).toEqual([{ "2MB": 6 * Mi, "1GB": Gi }]);
  });
});

describe("a container's own amounts", () => {
  const resources = { requests: {}, limits: { cpuMilli: 1000, memoryBytes: Gi } };
  test("a limit that it lacks is the pod's", () => {
    expect(containerResources({ resources }, { resources: asking({ cpuMilli: 10 }) })).toEqual({
      cpuRequestMilli: 10,
      cpuLimitMilli: 1000,
      memoryLimitBytes: Gi,
      hugepages: {},
    });
    const own = { resources: limited(500, 64 * Mi) };
    expect(containerResources({ resources }, own)).toMatchObject({
      cpuLimitMilli: 500,
      memoryLimitBytes: 64 * Mi,
    });
  });

  test("without a request its limit weighs it", () => {
    expect(containerResources({ resources }, { resources: nothing }).cpuRequestMilli).toBe(1000);
    expect(containerResources({}, { resources: nothing }).cpuRequestMilli).toBe(0);
  });
});

describe("the OOM score", () => {
  const score = (spec: PodSpec, one = spec.containers[0]!, node = 4 * Gi) =>
    oomScoreAdj(spec, one, "container", node);
  const asks = (memoryBytes: number) => podOf([asking({ memoryBytes })]);

  test("of a Burstable container falls with its share of the node's memory", () => {
    expect(score(podOf([limited(1, Gi)]))).toBe(-997);
    expect(score(podOf([nothing]))).toBe(1000);
    expect(score(asks(Gi))).toBe(750);
    expect(score(asks(200 * Mi), undefined, 4_000_000_000)).toBe(948);
    expect(score(podOf([asking({ cpuMilli: 1 })]))).toBe(999);
    expect(score(asks(1))).toBe(999);
    expect(score(asks(4 * Gi))).toBe(3);
    expect(score(asks(8 * Gi))).toBe(3);
  });

  test("divides what the pod asks for beyond its containers equally among them", () => {
    const resources = { requests: { memoryBytes: 2 * Gi }, limits: {} };
    const spec = podOf([asking({ memoryBytes: Gi }), nothing], { resources });
    // One GiB is nobody's: half of it for each.
    expect(spec.containers.map((one) => score(spec, one))).toEqual([625, 875]);
  });

  test("of a sidecar is never above that of the container that asks for least", () => {
    const sidecar = container(asking({ memoryBytes: 1 }), true);
    const spec = podOf([asking({ memoryBytes: Gi }), asking({ memoryBytes: 2 * Gi })], {
      initContainers: [sidecar],
    });
    expect(oomScoreAdj(spec, sidecar, "sidecar", 4 * Gi)).toBe(750);
    const large = container(asking({ memoryBytes: 3 * Gi }), true);
    expect(oomScoreAdj(spec, large, "sidecar", 4 * Gi)).toBe(250);
    expect(oomScoreAdj(spec, sidecar, "init", 4 * Gi)).toBe(999);
  });

  test("of what the node cannot do without is the lowest", () => {
    const critical = (priority?: number) => {
      const spec = { priorityClassName: "system-node-critical", priority };
      return score({ ...podOf([nothing]), manifest: { spec } });
    };
    expect([critical(), critical(2_000_001_000), critical(5)]).toEqual([-997, -997, 1000]);
  });
});
