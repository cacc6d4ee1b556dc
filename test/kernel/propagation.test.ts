// Mounts that travel between the host and a container.

import { afterAll, beforeAll, describe, expect } from "bun:test";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { printError } from "../../src/index.ts";
import { findMount } from "../../src/resolve/propagation.ts";
import type { TestHost } from "../support/host.ts";
import { hostMissing, openTestHost } from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";
import type { ContainerInput } from "../support/pods.ts";
import { errorOf, probe, textOf, up } from "../support/pods.ts";
import { probeAnswers } from "../support/probe.ts";

const test = testOrSkip(hostMissing === undefined, hostMissing ?? "");

let host: TestHost;

beforeAll(async () => {
  if (hostMissing === undefined) host = await openTestHost();
});

afterAll(() => host?.[Symbol.asyncDispose]());

let trees = 0;

function run(...cmd: string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(cmd);
  if (exitCode !== 0) throw new Error(stderr.toString());
}

/** A mount of the host with this propagation, and a directory in it to mount on. */
function tree(propagation: "shared" | "private") {
  const path = join(host.folder, `tree-${trees++}`);
  mkdirSync(path);
  run("mount", "-t", "tmpfs", "none", path);
  run("mount", `--make-${propagation}`, path);
  mkdirSync(join(path, "inner"));
  return {
    path,
    inner: join(path, "inner"),
    [Symbol.dispose]() {
      Bun.spawnSync(["umount", "-R", path]);
      rmSync(path, { recursive: true });
    },
  };
}

function mountFile(path: string): void {
  run("mount", "-t", "tmpfs", "none", path);
  writeFileSync(join(path, "file"), "");
}

function containerOf(path: string, mountPropagation: string, more: Partial<ContainerInput> = {}) {
  const volumeMounts = [{ name: "v", mountPath: "/v", mountPropagation }];
  const container = probe(host, ["pause"], { volumeMounts, ...more } as Partial<ContainerInput>);
  return [[container], { volumes: [{ name: "v", hostPath: { path } }] }] as const;
}

describe("a mount of the host made after the start", () => {
  for (const [propagation, seen] of [
    ["None", {}],
    ["HostToContainer", { file: "file" }],
  ] as const) {
    test(`with ${propagation} is ${"file" in seen ? "" : "not "}there in the container`, async () => {
      using shared = tree("shared");
      await using pod = await up(host, ...containerOf(shared.path, propagation));
      mountFile(shared.inner);
      const { stdout } = await pod.exec(["/probe", "ls", "/v/inner"]).result;
      expect(probeAnswers(textOf(stdout))["ls /v/inner"]).toEqual(seen);
    });
  }
});

describe("a mount that a container makes", () => {
  for (const [propagation, isSeen] of [
    ["HostToContainer", false],
    ["Bidirectional", true],
  ] as const) {
    test(`with ${propagation} is ${isSeen ? "" : "not "}there on the host`, async () => {
      using shared = tree("shared");
      const more = {
        image: "host",
        command: ["sleep", "100"],
        securityContext: { privileged: true },
      };
      await using pod = await up(host, ...containerOf(shared.path, propagation, more));
      const mount = ["mount", "-t", "tmpfs", "none", "/v/inner"];
      const { exitCode, stderr } = await pod.exec(mount).result;
      expect([textOf(stderr), exitCode]).toEqual(["", 0]);
      const points = readFileSync("/proc/self/mountinfo", "utf8")
        .split("\n")
        .map((line) => line.split(" ")[4]);
      expect(points.includes(shared.inner)).toBe(isSeen);
    });
  }
});

describe("what cannot pass mounts on is refused", () => {
  test("a source on a mount that is not shared", async () => {
    using tmpfs = tree("private");
    const error = await errorOf(up(host, ...containerOf(tmpfs.path, "HostToContainer")));
    expect(printError(error)).toBe(`\
error[volume.denied] ${tmpfs.path} is mounted on ${tmpfs.path}, which is not a shared mount, so nothing is passed on
  from   spec.containers[0].volumeMounts[0].mountPropagation
  hint   mount --make-rshared ${tmpfs.path}`);
  });

  test("a volume whose files are no mount of the host's", async () => {
    const volumeMounts = [{ name: "v", mountPath: "/v", mountPropagation: "HostToContainer" }];
    const container = probe(host, ["pause"], { volumeMounts } as Partial<ContainerInput>);
    const volumes = [{ name: "v", emptyDir: {} }];
    const error = await errorOf(up(host, [container], { volumes }));
    expect([error.code, error.message]).toEqual([
      "volume.denied",
      "mounts cannot be passed on through volume v of container main: " +
        "its files are in no mount of the host's",
    ]);
  });

  test("a user namespace, out of which no mount can go", async () => {
    using shared = tree("shared");
    const more = { securityContext: { privileged: true } };
    const [containers, spec] = containerOf(shared.path, "Bidirectional", more);
    const error = await errorOf(up(host, containers, { ...spec, hostUsers: false }));
    expect(error.message).toBe(
      "mounts of volume v of container main cannot reach the host from a user namespace",
    );
  });
});

test("the mount of a path is the nearest above it, with its last state", () => {
  const line = (point: string, tags: string) => `1 1 0:1 / ${point} rw ${tags}- tmpfs none rw`;
  const mountinfo = [
    line("/", "shared:1 "),
    line("/a", "master:2 "),
    line("/a/b", ""),
    line("/a/b", "shared:4 master:5 "),
    line("/with\\040blank", "shared:6 "),
  ].join("\n");
  expect(findMount(mountinfo, "/x")).toEqual({ point: "/", isShared: true, isSlave: false });
  expect(findMount(mountinfo, "/a/c")).toEqual({ point: "/a", isShared: false, isSlave: true });
  expect(findMount(mountinfo, "/a/b/c")).toEqual({ point: "/a/b", isShared: true, isSlave: true });
  expect(findMount(mountinfo, "/ab").point).toBe("/");
  expect(findMount(mountinfo, "/with blank").isShared).toBe(true);
});
