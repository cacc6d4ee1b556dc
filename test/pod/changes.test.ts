// What a changed manifest asks of a pod that runs.

import { describe, expect, test } from "bun:test";
import { changesBetween, restartedContainers } from "../../src/pod/changes.ts";
import { readPodManifests } from "../../src/read/pod-manifest/read.ts";

const base = `
apiVersion: v1
kind: Pod
metadata: { name: web, labels: { app: web } }
spec:
  initContainers:
    - { name: setup, image: host, command: [sh] }
    - { name: proxy, image: host, command: [proxy], restartPolicy: Always }
  containers:
    - name: app
      image: host
      command: [serve]
      env: [{ name: A, value: "1" }]
      resources: { requests: { cpu: 100m, memory: 64Mi }, limits: { cpu: "1", memory: 128Mi } }
      resizePolicy: [{ resourceName: memory, restartPolicy: RestartContainer }]
      livenessProbe: { exec: { command: ["true"] } }
      volumeMounts: [{ name: data, mountPath: /data }]
    - { name: side, image: host, command: [sh] }
  volumes: [{ name: data, emptyDir: {} }]
`;

function changes(...edits: readonly (readonly [string, string])[]) {
  let text = base;
  for (const [from, to] of edits) {
    if (!text.includes(from)) throw new Error(`no ${from}`);
    text = text.replace(from, to);
  }
  const [before] = readPodManifests(base, "a.yaml");
  const [after] = readPodManifests(text, "b.yaml");
  if (!before || !after) throw new Error("no pod");
  return changesBetween(before, after);
}

const said = (...edits: readonly (readonly [string, string])[]) =>
  changes(...edits).changes.map(({ field, effect, container }) => [field, effect, container]);

test("another way to write the same is no change", () => {
  expect(changes()).toEqual({ effect: "none", changes: [] });
  const same = changes(
    ["kind: Pod", "# a comment\nkind: Pod"],
    ["memory: 128Mi", "memory: 134217728"],
    ['cpu: "1"', "cpu: 1000m"],
    ["spec:\n", "spec:\n  restartPolicy: Always\n  terminationGracePeriodSeconds: 30\n"],
  );
  expect(same).toEqual({ effect: "none", changes: [] });
});

describe("the least is done", () => {
  test("labels and pull policies change without anybody noticing", () => {
    expect(said(["app: web }", "app: web, tier: front }"])).toEqual([
      ["metadata.labels.tier", "none", ""],
    ]);
  });

  test("image, command, env and probes restart their container", () => {
    expect(
      said(
        ["command: [serve]", "command: [serve, -v]"],
        ['value: "1"', 'value: "2"'],
        ['command: ["true"]', 'command: ["false"]'],
      ),
    ).toEqual([
      ["spec.containers[0].command", "restart", "app"],
      ["spec.containers[0].env[0].value", "restart", "app"],
      ["spec.containers[0].livenessProbe.handler.command[0]", "restart", "app"],
    ]);
    const both = changes(
      ["command: [proxy]", "command: [proxy2]"],
      ["name: side, image: host", "name: side, image: rootfs:/srv"],
    );
    expect(restartedContainers(both)).toEqual(["proxy", "side"]);
    expect(both.effect).toBe("restart");
  });

  test("processor and memory are resized, or restart where the policy says so", () => {
    expect(said(['cpu: "1"', 'cpu: "2"'])).toEqual([
      ["spec.containers[0].resources.limits.cpuMilli", "resize", "app"],
    ]);
    expect(said(["memory: 128Mi", "memory: 256Mi"])).toEqual([
      ["spec.containers[0].resources.limits.memoryBytes", "restart", "app"],
    ]);
  });

  test("what the sandbox is made of makes the pod anew", () => {
    const edits: [string, string, string][] = [
      ["spec:\n", "spec:\n  hostname: other\n", "spec.hostname"],
      ["spec:\n", "spec:\n  hostNetwork: true\n", "spec.hostNetwork"],
      ["emptyDir: {}", "emptyDir: { medium: Memory }", "spec.volumes[0].medium"],
      ["mountPath: /data", "mountPath: /other", "spec.containers[0].volumeMounts[0].mountPath"],
      ["name: side,", "name: other,", "spec.containers"],
      [
        "command: [sh] }\n    - { name: proxy",
        "command: [sh, -x] }\n    - { name: proxy",
        "spec.initContainers[0].command",
      ],
    ];
    for (const [from, to, field] of edits) {
      const found = changes([from, to]);
      expect([found.effect, found.changes.map((change) => change.field)]).toEqual([
        ...["recreate", expect.arrayContaining([expect.stringContaining(field)])],
      ]);
    }
  });

  test("a pod does not change its class of service while it lives", () => {
    const guaranteed = 'requests: { cpu: 100m, memory: 64Mi }, limits: { cpu: "1", memory: 128Mi }';
    const found = changes([guaranteed, ""], ["resources: {  }", "resources: {}"]);
    expect(found.effect).toBe("recreate");
  });
});

test("an image of the same name that has moved restarts its container", () => {
  const [spec] = readPodManifests(base, "a.yaml");
  if (!spec) throw new Error("no pod");
  const ids = (id: string) => new Map([["app", id]]);
  const moved = changesBetween(spec, spec, { before: ids("sha256:1"), after: ids("sha256:2") });
  expect(moved.changes).toEqual([
    {
      ...{ field: "spec.containers[0].image", from: "sha256:1", to: "sha256:2" },
      ...{ effect: "restart", container: "app" },
    },
  ]);
  const same = changesBetween(spec, spec, { before: ids("sha256:1"), after: ids("sha256:1") });
  expect(same.effect).toBe("none");
});

test("what has changed in a Secret is not shown", () => {
  const secret = (value: string) =>
    `apiVersion: v1\nkind: Secret\nmetadata: { name: s }\nstringData: { key: ${value} }\n---${base}`.replace(
      "env: [",
      "env: [{ name: S, valueFrom: { secretKeyRef: { name: s, key: key } } }, ",
    );
  const [before] = readPodManifests(secret("canary-one"), "a.yaml");
  const [after] = readPodManifests(secret("canary-two"), "b.yaml");
  if (!before || !after) throw new Error("no pod");
  const found = changesBetween(before, after);
  expect(found.changes.map(({ field }) => field)).toEqual(["Secret s"]);
  expect(JSON.stringify(found)).not.toContain("canary");
});
