// Rates between two looks, and the order of rows.

import { expect, test } from "bun:test";
import type { Sample } from "../../src/cli/usage.ts";
import { printUsage, sortUsage, usageBetween } from "../../src/cli/usage.ts";
import type { ContainerStats } from "../../src/pod/stats.ts";
import type { Pod } from "../../src/pod/types.ts";

const unknown = { cpu: undefined, memory: undefined, io: undefined };

/** Only what is looked at here. */
function counted(pod: string, name: string, stats: Partial<ContainerStats>) {
  const plain = { cpuMs: 0, memoryBytes: undefined, memoryPeakBytes: undefined };
  const none = { memoryMaxBytes: undefined, pids: undefined };
  const io = { readBytes: undefined, writtenBytes: undefined, pressure: unknown };
  const net = { receivedBytes: undefined, sentBytes: undefined };
  return {
    pod: { uid: pod, name: pod, namespace: "default" } as Pod,
    stats: { name, ...plain, ...none, ...io, ...net, ...stats },
  };
}

const before: Sample = {
  atMs: 1000,
  containers: [
    counted("a", "x", { cpuMs: 100, readBytes: 0 }),
    counted("b", "x", { cpuMs: 50, receivedBytes: 0 }),
  ],
};
const after: Sample = {
  atMs: 1500,
  containers: [
    counted("a", "x", { cpuMs: 600, readBytes: 1024, memoryBytes: 1 << 20 }),
    counted("b", "x", { cpuMs: 20, receivedBytes: 1024 }),
    counted("c", "x", { cpuMs: 900, pids: 3, memoryMaxBytes: 1 << 30 }),
  ],
};

test("rates are by the second, of one CPU, and never negative", () => {
  const rates = usageBetween(before, after).map((one) => [
    ...[one.pod, one.cpuPercent, one.readBytesPerSecond],
  ]);
  expect(rates).toEqual([
    ["a", 100, 2048],
    ["b", 0, undefined], // It was restarted: its counter began anew.
    ["c", 0, undefined], // Seen for the first time.
  ]);
});

test("rows are sorted by their column, then by name", () => {
  const usage = usageBetween(before, after).toReversed();
  const order = (key: Parameters<typeof sortUsage>[1]) =>
    sortUsage(usage, key).map(({ pod }) => pod);
  expect(order("cpu")).toEqual(["a", "b", "c"]);
  expect(order("pids")).toEqual(["c", "a", "b"]);
  expect(order("name")).toEqual(["a", "b", "c"]);
});

test("what the host does not count is a dash", () => {
  expect(printUsage(sortUsage(usageBetween(before, after), "cpu"))).toBe(
    `POD   CONTAINER   CPU%    MEMORY   LIMIT   PIDS   READ/s   WRITE/s   NET-IN/s   NET-OUT/s   CPU-PSI   MEM-PSI   IO-PSI
a     x           100.0   1Mi      -       -      2Ki      -         -          -           -         -         -
b     x           0.0     -        -       -      -        -         2Ki        -           -         -         -
c     x           0.0     -        1Gi     3      -        -         -          -           -         -         -
`,
  );
});
