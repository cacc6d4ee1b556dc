// What a pod's status says, row by row of the kubelet's rules: phase, conditions, container states.

import { describe, expect, test } from "bun:test";
import { podColumns } from "../../src/cli/pod-status.ts";
import { podObject as readable } from "../../src/cli/pod-object.ts";
import { newJournal } from "../../src/pod/life/journal.ts";
import { noteConditions } from "../../src/pod/status/conditions.ts";
import { podObject } from "../../src/pod/status.ts";
import type { GivenContainer, GivenPod, Ran } from "../support/pod-facts.ts";
import { createdMs, ended, viewOf } from "../support/pod-facts.ts";

const main = (ran: Ran, more: Partial<GivenContainer> = {}): GivenContainer => ({
  ...{ name: "main", ran },
  ...more,
});
const init = (ran: Ran, more: Partial<GivenContainer> = {}): GivenContainer => ({
  ...{ name: "init", kind: "init", ran },
  ...more,
});
const sidecar = (ran: Ran, more: Partial<GivenContainer> = {}): GivenContainer => ({
  ...{ name: "side", kind: "sidecar", ran },
  ...more,
});
const never = { restartPolicy: "Never" };
const onFailure = { restartPolicy: "OnFailure" };

const crashLoop = {
  reason: "CrashLoopBackOff",
  message: "back-off 10s restarting failed container=main pod=web_default(7e5)",
  sinceMs: createdMs + 2000,
  untilMs: createdMs + 12_000,
};

const columns = (given: GivenPod) =>
  podColumns(readable(podObject(viewOf(given))), createdMs + 60_000);
const phase = (given: GivenPod) => viewOf(given).phase;

/** Of one container's entry in the status. */
function statusOf(given: GivenPod, name = "main"): Record<string, unknown> {
  const status = podObject(viewOf(given))["status"] as Record<string, Record<string, unknown>[]>;
  const lists = ["initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"];
  const found = lists.flatMap((list) => status[list] ?? []).find((each) => each["name"] === name);
  return found ?? {};
}

describe("phase", () => {
  test("Failed: a plain init container that ended badly may not be restarted", () => {
    expect(phase({ containers: [init(1), main("none")], spec: never })).toBe("Failed");
    expect(phase({ containers: [init(1), main("none")], spec: onFailure })).toBe("Pending");
    expect(phase({ containers: [init(1), main("none")] })).toBe("Pending");
  });

  test("Pending: init containers are not through and nothing regular has run", () => {
    expect(phase({ containers: [init("running"), main("none")] })).toBe("Pending");
    const starting = sidecar("running", { life: { started: false } });
    expect(phase({ containers: [starting, main("none")] })).toBe("Pending");
    // What once ran keeps running, whatever its sidecar does.
    expect(phase({ containers: [starting, main("running")] })).toBe("Running");
  });

  test("Pending: a container waits that never ran", () => {
    expect(phase({ containers: [main("running"), { name: "b", ran: "none" }] })).toBe("Pending");
  });

  test("Running: one runs, sidecars count", () => {
    expect(phase({ containers: [main("running"), { name: "b", ran: 1 }], spec: never })).toBe(
      "Running",
    );
    expect(phase({ containers: [sidecar("running"), main(0)], spec: never })).toBe("Running");
  });

  test("Running: a crash loop, since it was stopped and will be started", () => {
    const life = { waiting: crashLoop, termination: ended(1) };
    expect(phase({ containers: [main(1, { life })] })).toBe("Running");
    expect(phase({ containers: [main(1, { life })], spec: onFailure })).toBe("Running");
    expect(phase({ containers: [main(1)] })).toBe("Running");
  });

  test("Succeeded and Failed: all stopped for good, by their exit codes", () => {
    expect(phase({ containers: [main(0), { name: "b", ran: 0 }], spec: never })).toBe("Succeeded");
    expect(phase({ containers: [main(0), { name: "b", ran: 1 }], spec: never })).toBe("Failed");
    expect(phase({ containers: [main(0)], spec: onFailure })).toBe("Succeeded");
    // How a sidecar ended is nobody's business.
    expect(phase({ containers: [sidecar(1), main(0)], spec: never })).toBe("Succeeded");
  });

  test("a rule of the container's own decides before its policy", () => {
    const rule = { action: "Restart", exitCodes: { operator: "In", values: [42] } };
    const manifest = { restartPolicy: "Never", restartPolicyRules: [rule] };
    expect(phase({ containers: [main(42, { manifest })], spec: never })).toBe("Running");
    expect(phase({ containers: [main(43, { manifest })], spec: never })).toBe("Failed");
  });

  test("Succeeded and Failed are final", () => {
    const outcome = { phase: "Failed", reason: "DeadlineExceeded", message: "m", atMs: 0 } as const;
    const given = { containers: [main(0)], spec: never, journal: { outcome } };
    expect(phase(given)).toBe("Failed");
    expect(podObject(viewOf(given))["status"]).toMatchObject({
      ...{ phase: "Failed", reason: "DeadlineExceeded", message: "m" },
    });
  });

  test("Failed: the keeper died", () => {
    const given = { containers: [main("running")], isKeeperAlive: false };
    expect(podObject(viewOf(given))["status"]).toMatchObject({
      ...{ phase: "Failed", reason: "KeeperGone" },
    });
    expect(statusOf(given)["state"]).toMatchObject({
      terminated: { reason: "ContainerStatusUnknown", exitCode: 137 },
    });
  });
});

describe("conditions", () => {
  const table = (given: GivenPod) =>
    viewOf(given).conditions.map(({ type, status, reason = "", message = "" }) =>
      [type, status, reason, message].join(" ").trim(),
    );
  const ready = ["PodReadyToStartContainers True", "Initialized True"];

  test("all true", () => {
    expect(table({ containers: [main("running")] })).toEqual([
      ...ready,
      ...["Ready True", "ContainersReady True", "PodScheduled True"],
    ]);
  });

  test("not initialized, by name", () => {
    const names = "containers with incomplete status: [init side]";
    const containers = [init("running"), sidecar("none"), main("none")];
    expect(table({ containers })[1]).toBe(`Initialized False ContainersNotInitialized ${names}`);
    expect(table({ containers: [init(0), sidecar("running"), main("none")] })[1]).toBe(
      "Initialized True",
    );
  });

  test("not ready, by name, sidecars too", () => {
    const life = { ready: false };
    const given = { containers: [sidecar("running", { life }), main("running", { life })] };
    const why = "False ContainersNotReady containers with unready status: [side main]";
    expect(table(given).slice(2, 4)).toEqual([`Ready ${why}`, `ContainersReady ${why}`]);
  });

  test("a pod that is done is not ready, and says so", () => {
    expect(table({ containers: [main(0)], spec: never }).slice(1, 4)).toEqual([
      "Initialized True PodCompleted",
      "Ready False PodCompleted",
      "ContainersReady False PodCompleted",
    ]);
    expect(table({ containers: [main(1)], spec: never }).slice(2, 4)).toEqual([
      "Ready False PodFailed",
      "ContainersReady False PodFailed",
    ]);
  });

  test("readiness gates have the last word", () => {
    const spec = { readinessGates: [{ conditionType: "lb/attached" }] };
    const given = { containers: [main("running")], spec };
    expect(table(given).slice(2)).toEqual([
      "Ready False ReadinessGatesNotReady corresponding condition of pod readiness gate " +
        '"lb/attached" does not exist.',
      ...["ContainersReady True", "PodScheduled True", "lb/attached Unknown"],
    ]);
    const conditions = { "lb/attached": { status: "True", transitionMs: createdMs } } as const;
    expect(table({ ...given, journal: { conditions } })[2]).toBe("Ready True");
  });

  test("all containers restarting", () => {
    const journal = { restartingAll: { source: "main", sinceMs: createdMs } };
    expect(table({ containers: [main("running")], journal })).toContain(
      "AllContainersRestarting True",
    );
  });

  test("a transition keeps its time until the status is another", () => {
    const journal = newJournal(createdMs, ["main"]);
    noteConditions(journal, [{ type: "Ready", status: "False", reason: "a" }], 1);
    noteConditions(journal, [{ type: "Ready", status: "False", reason: "b" }], 2);
    expect(journal.conditions["Ready"]).toEqual({ status: "False", reason: "b", transitionMs: 1 });
    noteConditions(journal, [{ type: "Ready", status: "True" }], 3);
    expect(journal.conditions["Ready"]).toEqual({ status: "True", transitionMs: 3 });
  });
});

describe("a container's state", () => {
  test("waiting: ContainerCreating, with init containers PodInitializing", () => {
    const waiting = (given: GivenPod) => statusOf(given)["state"];
    expect(waiting({ containers: [main("none")] })).toEqual({
      waiting: { reason: "ContainerCreating" },
    });
    expect(waiting({ containers: [init("running"), main("none")] })).toEqual({
      waiting: { reason: "PodInitializing" },
    });
  });

  test("waiting: in back-off, with the end before as lastState", () => {
    const life = { waiting: crashLoop, termination: ended(1, { attempt: 2, message: "why" }) };
    expect(statusOf({ containers: [main(1, { attempt: 2, life })] })).toMatchObject({
      state: { waiting: { reason: "CrashLoopBackOff", message: crashLoop.message } },
      lastState: { terminated: { reason: "Error", exitCode: 1, message: "why" } },
      ...{ restartCount: 2, ready: false, started: false },
    });
  });

  test("waiting: after exit 0 it says why it is started again", () => {
    const life = { waiting: crashLoop, termination: ended(0) };
    expect(statusOf({ containers: [main(0, { life })] })["state"]).toEqual({
      waiting: {
        reason: "CrashLoopBackOff",
        message: `${crashLoop.message} (it exited with 0, and its restart policy is Always)`,
      },
    });
  });

  test.each(["CreateContainerConfigError", "ErrImagePull", "ImagePullBackOff"])(
    "waiting: %s, of a container that never was",
    (reason) => {
      const life = { waiting: { reason, message: "no", sinceMs: createdMs } };
      const status = statusOf({ containers: [main("none", { life })] });
      expect(status).toMatchObject({ state: { waiting: { reason, message: "no" } }, imageID: "" });
      expect(status["containerID"]).toBeUndefined();
    },
  );

  test("waiting, while its postStart hook runs", () => {
    const life = { postStart: "running", started: false, ready: false } as const;
    expect(statusOf({ containers: [main("running", { life })] })["state"]).toEqual({
      waiting: { reason: "ContainerCreating" },
    });
  });

  test("running, and the end of the attempt before is lastState", () => {
    const life = { lastTermination: ended(3) };
    expect(statusOf({ containers: [main("running", { attempt: 1, life })] })).toMatchObject({
      state: { running: { startedAt: "2026-01-01T00:00:01Z" } },
      lastState: { terminated: { exitCode: 3 } },
      ...{ restartCount: 1, ready: true, started: true },
    });
  });

  test("terminated: Completed, Error with its signal, OOMKilled, StartError", () => {
    const end = (given: GivenContainer) =>
      (statusOf({ containers: [given], spec: never })["state"] as Record<string, unknown>)[
        "terminated"
      ];
    expect(end(main(0))).toMatchObject({ reason: "Completed", exitCode: 0 });
    expect(end(main(137))).toMatchObject({ reason: "Error", exitCode: 137, signal: 9 });
    expect(end(main(137, { oomKilled: true }))).toMatchObject({ reason: "OOMKilled" });
    const failed = ended(128, { reason: "StartError", message: "no such file" });
    expect(end(main("none", { life: { termination: failed } }))).toMatchObject({
      ...{ reason: "StartError", exitCode: 128, message: "no such file" },
    });
  });

  test("a probe that the owner has not heard of yet is not passed", () => {
    const given = main("running", { manifest: { readinessProbe: {} } });
    expect(statusOf({ containers: [given] })).toMatchObject({ started: true, ready: false });
    const hooked = main("running", { manifest: { startupProbe: {} } });
    expect(statusOf({ containers: [hooked] })).toMatchObject({ started: false, ready: false });
  });

  test("a plain init container is ready when it is done, an ephemeral one never", () => {
    const containers = [init(0), main("running"), { name: "debug", kind: "ephemeral" } as const];
    expect(statusOf({ containers }, "init")["ready"]).toBe(true);
    expect(statusOf({ containers }, "debug")["ready"]).toBe(false);
  });

  test("identity: the user's numbers, the resources, an id for each attempt", () => {
    const user = { uid: 1000, gid: 100, groups: [100, 7] };
    const resources = { requests: { cpu: "1" }, limits: { cpu: "2" } };
    const one = statusOf({ containers: [main("running", { user, manifest: { resources } })] });
    expect(one).toMatchObject({
      containerID: "peapod://main-id",
      user: { linux: { uid: 1000, gid: 100, supplementalGroups: [100, 7] } },
      ...{ resources, allocatedResources: { cpu: "1" } },
    });
    const next = statusOf({ containers: [main("running", { attempt: 1 })] });
    expect(next["containerID"]).toMatch(/^peapod:\/\/[0-9a-f]{64}$/);
  });
});

test("containerStatuses are sorted by name, init containers stay in order", () => {
  const given = {
    containers: [
      ...[init(0, { name: "z" }), init(0, { name: "a" })],
      ...[main("running", { name: "b" }), main("running", { name: "a2" })],
    ],
  };
  const status = podObject(viewOf(given))["status"] as Record<string, { name: string }[]>;
  expect(status["initContainerStatuses"]?.map(({ name }) => name)).toEqual(["z", "a"]);
  expect(status["containerStatuses"]?.map(({ name }) => name)).toEqual(["a2", "b"]);
});

test("a pod that is being taken down has Kubernetes' deletion timestamp", () => {
  const termination = { cause: "down", startedMs: createdMs, graceMs: 30_000 } as const;
  const given = {
    containers: [main("running")],
    journal: { termination: { ...termination, reason: "", message: "" } },
  };
  expect(podObject(viewOf(given))["metadata"]).toEqual({
    ...{ name: "web", namespace: "default", uid: "7e5", labels: { app: "web" } },
    creationTimestamp: "2026-01-01T00:00:00Z",
    deletionTimestamp: "2026-01-01T00:00:30Z",
    deletionGracePeriodSeconds: 30,
  });
  expect(columns(given).status).toBe("Terminating");
});

describe("the columns of ps", () => {
  test.each([
    ["1/1 Running", { containers: [main("running")] }],
    ["2/2 Running", { containers: [sidecar("running"), main("running")] }],
    ["0/1 Init:0/1", { containers: [init("running"), main("none")] }],
    ["0/1 Init:Error", { containers: [init(3), main("none")], spec: never }],
    ["0/1 PodInitializing", { containers: [init(0), main("none")] }],
    ["0/1 Completed", { containers: [main(0)], spec: never }],
    ["0/1 OOMKilled", { containers: [main(137, { oomKilled: true })], spec: never }],
    ["1/2 NotReady", { containers: [main(0), { name: "b" }], spec: never }],
    ["0/1 Running", { containers: [main("running", { life: { ready: false } })] }],
  ] as const)("%s", (wanted, given) => {
    const { ready, status } = columns(given);
    expect(`${ready} ${status}`).toBe(wanted);
  });

  test("a crash loop and its restarts", () => {
    const life = { waiting: crashLoop, termination: ended(1, { attempt: 4 }) };
    expect(columns({ containers: [main(1, { attempt: 4, life })] })).toMatchObject({
      ...{ ready: "0/1", status: "CrashLoopBackOff", restarts: "4 (58s ago)" },
    });
  });
});
