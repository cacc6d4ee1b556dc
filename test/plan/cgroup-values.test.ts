import { describe, expect, test } from "bun:test";
import type { Resources } from "../../src/spec/qos.ts";
import { qosClass } from "../../src/spec/qos.ts";
import {
  containerCgroupValues,
  cpuMax,
  cpuShares,
  cpuWeight,
  oomScoreAdj,
  podCgroupValues,
  qosParentCpuWeight,
} from "../../src/plan/cgroup-values.ts";

const Mi = 1024 * 1024;
const Gi = 1024 * Mi;
const nothing: Resources = { requests: {}, limits: {} };

function limited(cpuMilli: number, memoryBytes: number): Resources {
  return { requests: { cpuMilli, memoryBytes }, limits: { cpuMilli, memoryBytes } };
}

describe("a CPU request becomes shares, and shares a weight on the quadratic scale", () => {
  test.each([
    [undefined, 2, 1],
    [0, 2, 1],
    [1, 2, 1],
    [10, 10, 4],
    [50, 51, 11],
    [100, 102, 17],
    [250, 256, 35],
    [500, 512, 59],
    [1000, 1024, 100],
    [2000, 2048, 174],
    [4000, 4096, 303],
    [8000, 8192, 532],
    [16000, 16384, 942],
    [64000, 65536, 3023],
    [256000, 262144, 10000],
    [1024000, 262144, 10000],
  ])("%p thousandths: %d shares, weight %d", (cpuMilli, shares, weight) => {
    expect(cpuShares(cpuMilli)).toBe(shares);
    expect(cpuWeight(cpuMilli)).toBe(weight);
  });
});

test("a CPU limit becomes a quota of a tenth of a second, never below what the kernel takes", () => {
  expect(cpuMax(undefined)).toBe("max 100000");
  expect(cpuMax(0)).toBe("max 100000");
  expect(cpuMax(1)).toBe("1000 100000");
  expect(cpuMax(250)).toBe("25000 100000");
  expect(cpuMax(1500)).toBe("150000 100000");
});

test("a container without resources has no limits, the least weight, and dies as a whole", () => {
  expect(containerCgroupValues(nothing)).toEqual({
    "cpu.weight": "1",
    "cpu.max": "max 100000",
    "memory.max": "max",
    "memory.swap.max": "0",
    "memory.oom.group": "1",
    "pids.max": "max",
  });
});

test("a container's limits bound its own group", () => {
  expect(
    containerCgroupValues({
      requests: { cpuMilli: 100, memoryBytes: 64 * Mi },
      limits: { cpuMilli: 500, memoryBytes: 128 * Mi },
    }),
  ).toEqual({
    "cpu.weight": "17",
    "cpu.max": "50000 100000",
    "memory.max": "134217728",
    "memory.swap.max": "0",
    "memory.oom.group": "1",
    "pids.max": "max",
  });
});

test("a pod's group adds up requests and limits", () => {
  expect(podCgroupValues([limited(500, Gi), limited(1500, Gi)], 1024)).toEqual({
    "cpu.weight": "174",
    "cpu.max": "200000 100000",
    "memory.max": "2147483648",
    "memory.swap.max": "max",
    "memory.oom.group": "0",
    "pids.max": "1024",
  });
});

test("one container without a limit frees the pod of it, for each resource on its own", () => {
  const memoryOnly: Resources = {
    requests: { memoryBytes: 64 * Mi },
    limits: { memoryBytes: 64 * Mi },
  };
  const values = podCgroupValues([limited(500, 64 * Mi), memoryOnly], undefined);
  expect(values["cpu.max"]).toBe("max 100000");
  expect(values["memory.max"]).toBe("134217728");
  expect(values["cpu.weight"]).toBe("59");
  expect(values["pids.max"]).toBe("max");
  expect(podCgroupValues([limited(500, Gi), nothing], undefined)["memory.max"]).toBe("max");
});

test("the Burstable parent competes with the sum of its pods' requests", () => {
  expect(qosParentCpuWeight([])).toBe(1);
  expect(qosParentCpuWeight([500, 1500])).toBe(174);
});

describe("the QoS class follows from CPU and memory of all containers", () => {
  const burst: Resources = { requests: { cpuMilli: 100 }, limits: {} };
  const zero: Resources = { requests: { cpuMilli: 0, memoryBytes: 0 }, limits: { cpuMilli: 0 } };
  test.each([
    ["nothing asked for", [nothing, nothing], "BestEffort"],
    ["only zeros", [zero], "BestEffort"],
    ["both limits equal the requests", [limited(1, 1), limited(500, Gi)], "Guaranteed"],
    ["one container without limits", [limited(500, Gi), nothing], "Burstable"],
    ["a request without a limit", [burst], "Burstable"],
    [
      "a memory limit alone",
      [{ requests: { memoryBytes: 1 }, limits: { memoryBytes: 1 } }],
      "Burstable",
    ],
    [
      "a limit above the request",
      [{ requests: { cpuMilli: 1, memoryBytes: 1 }, limits: { cpuMilli: 2, memoryBytes: 1 } }],
      "Burstable",
    ],
  ] satisfies [string, Resources[], string][])("%s", (_, containers, expected) => {
    expect(qosClass(containers)).toBe(expected as ReturnType<typeof qosClass>);
  });
});

test("the OOM score of a Burstable container falls with its share of the node's memory", () => {
  const asking = (memoryBytes: number): Resources => ({ requests: { memoryBytes }, limits: {} });
  expect(oomScoreAdj("Guaranteed", limited(1, Gi), 4 * Gi)).toBe(-997);
  expect(oomScoreAdj("BestEffort", nothing, 4 * Gi)).toBe(1000);
  expect(oomScoreAdj("Burstable", asking(Gi), 4 * Gi)).toBe(750);
  expect(oomScoreAdj("Burstable", asking(200 * Mi), 4_000_000_000)).toBe(948);
  expect(oomScoreAdj("Burstable", nothing, 4 * Gi)).toBe(999);
  expect(oomScoreAdj("Burstable", asking(1), 4 * Gi)).toBe(999);
  expect(oomScoreAdj("Burstable", asking(4 * Gi), 4 * Gi)).toBe(3);
  expect(oomScoreAdj("Burstable", asking(8 * Gi), 4 * Gi)).toBe(3);
});
