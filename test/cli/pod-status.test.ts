import { expect, test } from "bun:test";
import type { ContainerStatus, PodObject } from "../../src/cli/pod-object.ts";
import { podColumns } from "../../src/cli/pod-status.ts";

const now = Date.parse("2026-01-01T00:10:00Z");

const running = (name: string): ContainerStatus => ({
  ...{ name, ready: true, started: true, restartCount: 0 },
  state: { running: { startedAt: "2026-01-01T00:00:00Z" } },
});
const waiting = (name: string, reason: string): ContainerStatus => ({
  ...{ name, ready: false, restartCount: 0, state: { waiting: { reason } } },
});
const ended = (name: string, reason: string, exitCode: number, signal = 0): ContainerStatus => ({
  ...{ name, ready: false, restartCount: 0, state: { terminated: { reason, exitCode, signal } } },
});

interface Given {
  readonly phase?: string;
  readonly reason?: string;
  readonly containers?: readonly ContainerStatus[];
  readonly init?: readonly ContainerStatus[];
  readonly sidecars?: readonly string[];
  readonly conditions?: readonly string[];
  readonly isDeleted?: boolean;
}

function pod(given: Given): PodObject {
  const { containers = [], init = [], sidecars = [], conditions = [] } = given;
  const { phase = "Running", reason, isDeleted = false } = given;
  const initSpec = init.map(({ name }) =>
    sidecars.includes(name) ? { name, restartPolicy: "Always" } : { name },
  );
  return {
    metadata: {
      creationTimestamp: "2026-01-01T00:00:00Z",
      ...(isDeleted && { deletionTimestamp: "2026-01-01T00:09:00Z" }),
    },
    spec: { containers: containers.map(({ name }) => ({ name })), initContainers: initSpec },
    status: {
      phase,
      ...(reason !== undefined && { reason }),
      conditions: conditions.map((type) => ({ type, status: "True" })),
      initContainerStatuses: init,
      containerStatuses: containers,
    },
  };
}

/** READY and STATUS. */
function columns(given: Given): string {
  const { ready, status } = podColumns(pod(given), now);
  return `${ready} ${status}`;
}

test("a pod whose containers run is Running", () => {
  expect(columns({ containers: [running("a"), running("b")] })).toBe("2/2 Running");
});

test("the reason of the pod is shown before its phase", () => {
  expect(columns({ phase: "Failed", reason: "DeadlineExceeded" })).toBe("0/0 DeadlineExceeded");
});

test("the first container's trouble wins", () => {
  const containers = [waiting("a", "CrashLoopBackOff"), ended("b", "Error", 1), running("c")];
  expect(columns({ containers })).toBe("1/3 CrashLoopBackOff");
});

test("an end without a reason shows its signal, else its exit code", () => {
  expect(columns({ containers: [ended("a", "", 137, 9)] })).toBe("0/1 Signal:9");
  expect(columns({ containers: [ended("a", "", 3)] })).toBe("0/1 ExitCode:3");
});

test("all containers completed", () => {
  const containers = [ended("a", "Completed", 0), ended("b", "Completed", 0)];
  expect(columns({ phase: "Succeeded", containers })).toBe("0/2 Completed");
});

test("one completed and one running is Running when the pod is ready, else NotReady", () => {
  const containers = [ended("a", "Completed", 0), running("b")];
  expect(columns({ containers, conditions: ["Ready"] })).toBe("1/2 Running");
  expect(columns({ containers })).toBe("1/2 NotReady");
});

test("a failure is not hidden by another container's success", () => {
  const containers = [ended("a", "Completed", 0), ended("b", "OOMKilled", 137)];
  expect(columns({ phase: "Failed", containers })).toBe("0/2 OOMKilled");
});

test("a pod that is being deleted is Terminating until its phase is final", () => {
  expect(columns({ containers: [running("a")], isDeleted: true })).toBe("1/1 Terminating");
  const containers = [ended("a", "Completed", 0)];
  expect(columns({ phase: "Succeeded", containers, isDeleted: true })).toBe("0/1 Completed");
});

test("initialization shows how far it is and what stops it", () => {
  const containers = [waiting("app", "PodInitializing")];
  const done = ended("one", "Completed", 0);
  const shown = [
    columns({ phase: "Pending", containers, init: [done, running("two")] }),
    columns({ phase: "Pending", containers, init: [done, waiting("two", "PodInitializing")] }),
    columns({ phase: "Pending", containers, init: [done, waiting("two", "ErrImagePull")] }),
    columns({ phase: "Pending", containers, init: [done, ended("two", "Error", 1)] }),
    columns({ phase: "Pending", containers, init: [done, ended("two", "", 137, 9)] }),
    columns({ phase: "Pending", containers, init: [done, ended("two", "", 2)] }),
  ];
  expect(shown).toEqual([
    "0/1 Init:1/2",
    "0/1 Init:1/2",
    "0/1 Init:ErrImagePull",
    "0/1 Init:Error",
    "0/1 Init:Signal:9",
    "0/1 Init:ExitCode:2",
  ]);
});

test("sidecars count in READY, and do not hold up initialization once started", () => {
  const given = { containers: [running("app")], init: [running("proxy")], sidecars: ["proxy"] };
  expect(columns(given)).toBe("2/2 Running");
});

test("restarts carry the age of the last one", () => {
  const restarted: ContainerStatus = {
    ...running("a"),
    restartCount: 3,
    lastState: { terminated: { exitCode: 1, finishedAt: "2026-01-01T00:05:00Z" } },
  };
  expect(podColumns(pod({ containers: [restarted, running("b")] }), now)).toEqual({
    ready: "2/2",
    status: "Running",
    restarts: "3 (5m ago)",
    age: "10m",
  });
});

test("restarts of finished init containers no longer count", () => {
  const init = [{ ...ended("one", "Completed", 0), restartCount: 7 }];
  expect(podColumns(pod({ containers: [running("a")], init }), now).restarts).toBe("0");
});

test("an object with nothing in it is printed, not tripped over", () => {
  expect(podColumns({}, now)).toEqual({
    ready: "0/0",
    status: "Unknown",
    restarts: "0",
    age: "<unknown>",
  });
});
