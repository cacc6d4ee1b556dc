// The walk back from a span's end through the calls that it had to wait for.
import { expect, test } from "bun:test";
import { criticalPath, type Call } from "../../bench/floor/critical-path.ts";

const names = (calls: readonly Call[], wallNs: number) =>
  criticalPath({ span: "up", wallNs, calls }).segments.map(
    ({ process, step, startNs, endNs }) => `${process} ${step} ${startNs}-${endNs}`,
  );

test("calls of one process count, the time between them does not", () => {
  const calls: Call[] = [
    [0, "cgroup", "mkdirat", "none", 0, 10, 30],
    [0, "pipes", "pipe2", "none", 0, 40, 50],
  ];
  expect(names(calls, 60)).toEqual(["0 cgroup 10-30", "0 pipes 40-50"]);
  expect(criticalPath({ span: "up", wallNs: 60, calls }).callsNs).toBe(30);
});

test("a wait leads to whoever ended it, and is no work", () => {
  const calls: Call[] = [
    [0, "wait", "read", "waits", 2, 5, 95],
    [1, "files", "write", "none", 0, 20, 60],
    [1, "message", "write", "wakes", 2, 70, 80],
  ];
  expect(names(calls, 100)).toEqual(["1 files 20-60", "1 message 70-80"]);
});

test("a wait for what is there already is a call", () => {
  const calls: Call[] = [
    [1, "message", "write", "wakes", 2, 10, 20],
    [0, "wait", "read", "waits", 2, 50, 55],
  ];
  expect(names(calls, 60)).toEqual(["0 wait 50-55"]);
});

test("a clone counts until its child begins, whatever its parent does meanwhile", () => {
  const calls: Call[] = [
    [0, "clone", "clone3", "wakes", 257, 10, null],
    [0, "wait", "read", "waits", 2, 30, 92],
    [1, "clone", "clone3", "waits", 257, 40, 40],
    [1, "message", "write", "wakes", 2, 50, 90],
  ];
  expect(names(calls, 92)).toEqual(["0 clone 10-40", "1 message 50-90"]);
});

test("an exec lasts until the program's first call", () => {
  const calls: Call[] = [
    [0, "spawn", "execveat", "none", 0, 10, null],
    [0, "setup", "mmap", "none", 0, 60, 70],
  ];
  expect(names(calls, 70)).toEqual(["0 spawn 10-60", "0 setup 60-70"]);
});

test("what ran beside the path is not counted", () => {
  const calls: Call[] = [
    [0, "clone", "clone3", "wakes", 258, 0, null],
    [0, "namespaces", "unshare", "none", 0, 10, 90],
    [2, "clone", "clone3", "waits", 258, 10, 10],
    [2, "overlay", "fsmount", "none", 0, 20, 80],
  ];
  expect(names(calls, 90)).toEqual(["0 clone 0-10", "0 namespaces 10-90"]);
});
