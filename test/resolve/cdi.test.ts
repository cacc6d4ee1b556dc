// Devices as vendors describe them, and what of a description is refused.

import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PodError } from "../../src/errors/pod-error.ts";
import { resolveCdiDevices } from "../../src/resolve/cdi.ts";
import { complaint, podText, readOne } from "../read/manifests.ts";

const folder = mkdtempSync(join(tmpdir(), "peapod-cdi-"));
afterAll(() => rmSync(folder, { recursive: true }));
let count = 0;

/** A directory with these files. */
function directoryOf(files: Readonly<Record<string, object | string>>): string {
  const directory = join(folder, String((count += 1)));
  mkdirSync(directory);
  for (const [name, content] of Object.entries(files)) {
    const text = typeof content === "string" ? content : JSON.stringify(content);
    writeFileSync(join(directory, name), text);
  }
  return directory;
}

const specOf = (
  kind: string,
  devices: Readonly<Record<string, object>>,
  containerEdits?: object,
) => ({
  cdiVersion: "0.6.0",
  kind,
  devices: Object.entries(devices).map(([name, edits]) => ({ name, containerEdits: edits })),
  ...(containerEdits && { containerEdits }),
});

const field = "spec.containers[0].resources.limits";

function resolve(names: readonly string[], ...directories: readonly string[]) {
  const wanted = names.map((value) => ({ value, field }));
  return resolveCdiDevices(wanted, directories, (at) => ({
    ...{ field: at, file: "", line: 0, column: 0 },
  }));
}

function refusal(edits: object): string {
  const directory = directoryOf({ "v.json": specOf("vendor.com/net", { a: edits }) });
  try {
    resolve(["vendor.com/net=a"], directory);
    return "no error";
  } catch (error) {
    return error instanceof PodError ? error.message : String(error);
  }
}

test("a device brings nodes, mounts, variables and groups; what its kind has in common comes once", () => {
  const directory = directoryOf({
    "vendor.yaml": `
cdiVersion: 0.6.0
kind: vendor.com/gpu
devices:
- name: "0"
  containerEdits:
    env: [GPU=0]
    deviceNodes:
    - { path: /dev/gpu0, hostPath: /dev/null, permissions: rw }
- name: "1"
  containerEdits:
    additionalGids: [44]
    deviceNodes:
    - { path: /dev/gpu1, hostPath: /dev/zero, fileMode: 384, uid: 7, gid: 8, permissions: r }
containerEdits:
  env: [VENDOR=yes]
  mounts:
  - { hostPath: /usr/lib/vendor, containerPath: /usr/lib//vendor, options: [ro, nosuid, rbind] }
  - { hostPath: /run/vendor.sock, containerPath: /run/vendor.sock }
`,
  });
  const node = { field, type: "character_device", major: 1 };
  expect(resolve(["vendor.com/gpu=0", "vendor.com/gpu=1"], directory)).toEqual({
    env: ["VENDOR=yes", "GPU=0"],
    groups: [44],
    devices: [
      expect.objectContaining({ ...node, path: "/dev/gpu0", minor: 3, mode: 0o666 }),
      { ...node, path: "/dev/gpu1", minor: 5, mode: 0o600, uid: 7, gid: 8 },
    ] as never,
    allowed: [
      expect.objectContaining({ minor: 3, access: "rw" }),
      expect.objectContaining({ minor: 5, access: "r" }),
    ] as never,
    binds: [
      { source: "/usr/lib/vendor", target: "/usr/lib/vendor", readOnly: true },
      { source: "/run/vendor.sock", target: "/run/vendor.sock", readOnly: false },
    ] as never,
  });
});

test("the later directory goes before the earlier one", () => {
  const of = (value: string) =>
    directoryOf({ "v.json": specOf("vendor.com/net", { a: { env: [`FROM=${value}`] } }) });
  expect(resolve(["vendor.com/net=a"], of("first"), of("second")).env).toEqual(["FROM=second"]);
  expect(resolve(["vendor.com/net=a"], of("first"), join(folder, "none")).env).toEqual([
    "FROM=first",
  ]);
});

const wrong: readonly (readonly [object, string])[] = [
  [
    { hooks: [{ hookName: "createContainer", path: "/x" }] },
    "its specification has hooks, which peapod does not carry out",
  ],
  [
    { intelRdt: { closID: "x" } },
    "its specification has intelRdt, which peapod does not carry out",
  ],
  [{ env: ["NOTHING"] }, '"NOTHING" is no NAME=value'],
  [{ deviceNodes: [{ path: "/dev/no-such-device" }] }, "/dev/no-such-device is missing"],
  [{ deviceNodes: [{ path: "/dev/x", hostPath: "/etc" }] }, "/etc is no device"],
  [{ deviceNodes: [{ path: "/dev/../x", hostPath: "/dev/null" }] }, "/dev/../x goes up"],
  [{ deviceNodes: [{ path: "/dev/null", type: "p" }] }, '/dev/null is of the type "p"'],
  [
    { mounts: [{ hostPath: "/a", containerPath: "/a", options: ["suid"] }] },
    'a mount has the option "suid"',
  ],
  [
    { mounts: [{ hostPath: "/a", containerPath: "/a", type: "tmpfs" }] },
    'a mount is of the type "tmpfs"',
  ],
];

for (const [edits, why] of wrong) {
  test(`what cannot be carried out is refused: ${why}`, () => {
    expect(refusal(edits)).toBe(`the device vendor.com/net=a cannot be given: ${why}`);
  });
}

test("a device that nobody describes is told of with those that are there", () => {
  const known = directoryOf({ "v.json": specOf("vendor.com/net", { b: {}, a: {} }) });
  expect(() => resolve(["vendor.com/net=c"], known)).toThrow(
    "the device vendor.com/net=c cannot be given: vendor.com/net has a, b",
  );
  expect(() => resolve(["other.com/net=c"], known)).toThrow(
    `the device other.com/net=c cannot be given: no file of ${known} describes other.com/net`,
  );
  const broken = directoryOf({ "v.json": { kind: "vendor.com/net", cdiVersion: "1", devices: 1 } });
  expect(() => resolve(["vendor.com/net=c"], broken)).toThrow(
    `the device vendor.com/net=c cannot be given: ${broken}/v.json is no CDI specification: /devices must be array`,
  );
});

test("a manifest names devices in the limits of a container, one of each", () => {
  const read = readOne(podText(`, resources: {limits: {"vendor.com/gpu=0": 1, cpu: 1}}`));
  expect(read.containers[0]?.security.devices.map(({ value }) => value)).toEqual([
    "vendor.com/gpu=0",
  ]);
  const said = (resources: string, more = "") =>
    complaint(podText(`, resources: {${resources}}`, more))
      .split("\n")
      .filter((line) => line.startsWith("error["))
      .map((line) => line.replace(/^error\[\S+\] [^:]*: /, ""));
  expect(said(`limits: {"vendor.com/gpu=0": 2}`)).toEqual([
    "invalid value 2: must be 1: a device is given, or it is not",
  ]);
  expect(said(`limits: {"gpu=0": 1}`)).toEqual(["is no device: vendor.com/class=name"]);
  expect(said(`requests: {"vendor.com/gpu=0": 1}`)).toEqual([
    "a device belongs in the limits of a container",
  ]);
  expect(said(`limits: {"vendor.com/gpu": 1}`)).toEqual([
    "there are no device plugins on this machine",
  ]);
});
