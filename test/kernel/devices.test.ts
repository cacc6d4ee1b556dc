// Devices: those of every container, those that it is given, and no way to others.

import { expect } from "bun:test";
import { chmodSync, existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { PodManifest } from "../../src/read/pod-manifest/read.ts";
import { readPodManifest } from "../../src/read/pod-manifest/read.ts";
import type { TestHost } from "../support/host.ts";
import { answersOf, hostMissing, openTestHost, podOf } from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";

/** Devices that no container has by itself, and that can be opened without consequences. */
const harmless = [
  "loop-control",
  "fuse",
  "btrfs-control",
  "cpu_dma_latency",
  "hpet",
  "vga_arbiter",
];
const name = harmless.find((candidate) => existsSync(`/dev/${candidate}`)) ?? "";
const device = `/dev/${name}`;
const numbers = numbersOf(device);
const missing = hostMissing ?? (name === "" ? "there is no harmless device" : undefined);
const kernelTest = testOrSkip(missing === undefined, missing ?? "");

function numbersOf(path: string): string {
  const rdev = statSync(path, { throwIfNoEntry: false })?.rdev ?? 0;
  return `${(rdev >>> 8) & 0xfff} ${(rdev & 0xff) | ((rdev >>> 12) & 0xfff00)}`;
}

type Spec = NonNullable<PodManifest["spec"]>;
type Context = NonNullable<Spec["containers"][number]["securityContext"]>;
type Source = NonNullable<NonNullable<Spec["volumes"]>[number]["hostPath"]>;

async function attempt(
  host: TestHost,
  attempts: readonly string[],
  securityContext: Context,
  hostPath?: Source & { readonly at: string },
): Promise<Record<string, unknown>> {
  const words = attempts.flatMap((one) => ["try", ...one.split(" ")]);
  const spec: Partial<Spec> = hostPath
    ? {
        volumes: [
          {
            name: "given",
            hostPath: { path: hostPath.path, ...(hostPath.type && { type: hostPath.type }) },
          },
        ],
      }
    : {};
  const mounts = hostPath ? [{ name: "given", mountPath: hostPath.at }] : [];
  const manifest = podOf(host, "asks", { only: words }, spec, {
    securityContext,
    volumeMounts: mounts,
  });
  return (await host.answers(manifest))["only"] ?? {};
}

kernelTest("a directory of the host gives none of the devices in it", async () => {
  await using host = await openTestHost();
  const directory = { path: "/dev", at: "/host" };
  const read = `open-read /host/${name}`;
  expect(await attempt(host, [read], {}, directory)).toEqual({ [`try ${read}`]: "EACCES" });
  // The control: who is privileged has them all.
  expect(await attempt(host, [read], { privileged: true }, directory)).toEqual({
    [`try ${read}`]: "ok",
  });
});

kernelTest("a device that is named as one is given", async () => {
  await using host = await openTestHost();
  const named: Source & { at: string } = { path: device, type: "CharDevice", at: "/given" };
  expect(await attempt(host, ["open-read /given"], {}, named)).toEqual({
    "try open-read /given": "ok",
  });
  // Where a filter is asked it knows of it, and of no other.
  const context: Context = { capabilities: { add: ["MKNOD"] } };
  const attempts = [
    "open-read /given",
    `mknod /dev/a ${numbers}`,
    "mknod /dev/b 1 1",
    `mknod /c ${numbers}`,
  ];
  expect(await attempt(host, attempts, context, named)).toEqual({
    "try open-read /given": "ok",
    [`try mknod /dev/a ${numbers}`]: "ok",
    "try mknod /dev/b 1 1": "EPERM",
    // Made, but not opened: the root has no devices.
    [`try mknod /c ${numbers}`]: "EACCES",
  });
});

kernelTest("a device in an image cannot be opened", async () => {
  await using host = await openTestHost();
  const made = Bun.spawnSync([
    "mknod",
    "-m",
    "666",
    join(host.rootfs, "log"),
    "c",
    ...numbers.split(" "),
  ]);
  expect(made.exitCode).toBe(0);
  const read = "open-read /log";
  expect(await attempt(host, [read], {})).toEqual({ [`try ${read}`]: "EACCES" });
  expect(await attempt(host, [read], { privileged: true })).toEqual({ [`try ${read}`]: "ok" });
});

kernelTest("who may mount file systems still has no other devices", async () => {
  await using host = await openTestHost();
  mkdirSync(join(host.rootfs, "mnt"));
  const context: Context = { capabilities: { add: ["SYS_ADMIN", "MKNOD"] } };
  const attempts = ["mount /mnt", `mknod /dev/a ${numbers}`, "mknod /dev/b 1 3"];
  expect(await attempt(host, attempts, context)).toEqual({
    "try mount /mnt": "ok",
    [`try mknod /dev/a ${numbers}`]: "EPERM",
    "try mknod /dev/b 1 3": "ok",
  });
});

kernelTest("a device that a vendor describes is there with all that belongs to it", async () => {
  await using host = await openTestHost();
  const cdi = join(host.rootfs, "cdi");
  mkdirSync(cdi);
  writeFileSync(join(cdi, "library"), "of the vendor");
  chmodSync(join(cdi, "library"), 0o666);
  const node = (path: string, permissions: string) => ({ path, hostPath: device, permissions });
  const edits = {
    env: ["VENDOR=yes"],
    deviceNodes: [{ ...node("/dev/vendor/one", "rw"), fileMode: 0o666 }],
    mounts: [{ hostPath: join(cdi, "library"), containerPath: "/opt/library", options: ["ro"] }],
  };
  const partial = { deviceNodes: [node("/dev/vendor/two", "w")] };
  const devices = [
    { name: "one", containerEdits: edits },
    { name: "two", containerEdits: partial },
  ];
  const spec = { cdiVersion: "0.6.0", kind: "vendor.com/card", devices };
  writeFileSync(join(cdi, "vendor.json"), JSON.stringify(spec));
  await using pods = host.another({ cdiDirectories: [cdi] });
  const ask = async (name: string, words: string, context: Context, hostUsers = true) => {
    const manifest = podOf(
      host,
      "asks",
      { only: words.split(" ") },
      { hostUsers },
      {
        securityContext: context,
        resources: { limits: { [`vendor.com/card=${name}`]: 1 } },
      },
    );
    await using pod = await pods.up(readPodManifest(manifest), {});
    return (await answersOf(pod))["only"];
  };
  const words = "try open-read /dev/vendor/one read /opt/library write /opt/library x";
  const expected = {
    "try open-read /dev/vendor/one": "ok",
    "read /opt/library": "of the vendor",
    "write /opt/library x": "EROFS",
  };
  expect(await ask("one", words, { runAsUser: 1000 })).toEqual(expected);
  expect(await ask("one", `${words} env`, {})).toMatchObject({
    ...expected,
    env: expect.arrayContaining(["VENDOR=yes"]),
  });
  // What may not be read is not, by root either.
  expect(await ask("two", "try open-read /dev/vendor/two", {})).toEqual({
    "try open-read /dev/vendor/two": "EPERM",
  });
});
