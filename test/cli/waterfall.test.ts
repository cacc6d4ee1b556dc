import { expect, test } from "bun:test";
import { createPaint } from "../../src/cli/paint.ts";
import { chromeTrace, printWaterfall } from "../../src/cli/waterfall.ts";

const spans = [
  ...[{ plan: "app", operation: "mount_proc", stage: "build", origin: "", startMs: 1, endMs: 1.5 }],
  {
    ...{ plan: "sandbox", operation: "cgroup", stage: "prepare", origin: "metadata.name" },
    ...{ startMs: 0, endMs: 1 },
  },
  { plan: "app", operation: "exec", stage: "exec", origin: "", startMs: 1.9999, endMs: 2 },
];

test("operations stand in the order of time, below each other where they lie", () => {
  expect(printWaterfall(spans, createPaint(false))).toBe(
    [
      `sandbox  cgroup      ${"█".repeat(20)}${" ".repeat(20)}    1000 µs  metadata.name`,
      `app      mount_proc  ${" ".repeat(20)}${"█".repeat(10)}${" ".repeat(10)}     500 µs`,
      `app      exec        ${" ".repeat(39)}█       0 µs`,
      "3 operations in 2.00 ms",
      "",
    ].join("\n"),
  );
});

test("a launch without a trace has an empty waterfall", () => {
  expect(printWaterfall([], createPaint(false))).toBe("0 operations in 0.00 ms\n");
});

test("the trace file has a process for each pod and a thread for each plan", () => {
  expect(JSON.parse(chromeTrace([{ label: "web", spans: spans.slice(0, 2) }]))).toEqual({
    displayTimeUnit: "ns",
    traceEvents: [
      { ph: "M", name: "process_name", pid: 1, args: { name: "web" } },
      { ph: "M", name: "thread_name", pid: 1, tid: 1, args: { name: "app" } },
      { ph: "M", name: "thread_name", pid: 1, tid: 2, args: { name: "sandbox" } },
      {
        ...{ ph: "X", name: "mount_proc", cat: "build", pid: 1, tid: 1, ts: 1000, dur: 500 },
        args: { origin: "" },
      },
      {
        ...{ ph: "X", name: "cgroup", cat: "prepare", pid: 1, tid: 2, ts: 0, dur: 1000 },
        args: { origin: "metadata.name" },
      },
    ],
  });
});
