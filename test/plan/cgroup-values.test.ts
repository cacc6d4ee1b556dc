import { describe, expect, test } from "bun:test";
import type { ContainerResources } from "../../src/spec/resources.ts";
import { podResources } from "../../src/spec/resources.ts";
import type { ResourceList } from "../../src/spec/pod-spec.ts";
import {
  containerCgroupValues,
  cpuMax,
  cpuShares,
  cpuWeight,
  hugePageValues,
  podCgroupValues,
  qosParentCpuWeight,
} from "../../src/plan/cgroup-values.ts";
import { specOf } from "../support/specs.ts";

const Mi = 1024 * 1024;
const Gi = 1024 * Mi;
const nothing: ContainerResources = {
  cpuRequestMilli: 0,
  cpuLimitMilli: 0,
  memoryLimitBytes: 0,
  hugepages: {},
};

function limited(cpuMilli: number, memoryBytes: number): ResourceList {
  return { cpuMilli, memoryBytes };
}

/** Of containers whose requests are their limits. */
function podOf(...limits: readonly ResourceList[]) {
  const [first] = specOf().containers;
  const containers = limits.map((limit) => ({
    ...first!,
    resources: { requests: limit, limits: limit },
  }));
  return podResources(specOf({}, { containers }));
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
      ...nothing,
      cpuRequestMilli: 100,
      cpuLimitMilli: 500,
      memoryLimitBytes: 128 * Mi,
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
  expect(podCgroupValues(podOf(limited(500, Gi), limited(1500, Gi)), 1024)).toEqual({
    "cpu.weight": "174",
    "cpu.max": "200000 100000",
    "memory.max": "2147483648",
    "memory.swap.max": "max",
    "memory.oom.group": "0",
    "pids.max": "1024",
  });
});

test("one container without a limit frees the pod of it, for each resource on its own", () => {
  const values = podCgroupValues(podOf(limited(500, 64 * Mi), { memoryBytes: 64 * Mi }), undefined);
  expect(values["cpu.max"]).toBe("max 100000");
  expect(values["memory.max"]).toBe("134217728");
  expect(values["cpu.weight"]).toBe("59");
  expect(values["pids.max"]).toBe("max");
  expect(podCgroupValues(podOf(limited(500, Gi), {}), undefined)["memory.max"]).toBe("max");
});

test("of every size of large page that nobody asked for a group gets none", () => {
  expect(hugePageValues({ "2MB": 4 * Mi }, ["1GB", "2MB"])).toEqual({
    "hugetlb.1GB.max": "0",
    "hugetlb.2MB.max": "4194304",
    "hugetlb.2MB.rsvd.max": "4194304",
  });
  expect(hugePageValues({}, ["2MB"])).toEqual({ "hugetlb.2MB.max": "0" });
});

test("the Burstable parent competes with the sum of its pods' requests", () => {
  expect(qosParentCpuWeight([])).toBe(1);
  expect(qosParentCpuWeight([500, 1500])).toBe(174);
});
