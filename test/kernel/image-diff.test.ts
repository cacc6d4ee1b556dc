// What differs between images, what a container has changed, and what that takes of the disk.

import { expect } from "bun:test";
import { mkdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openPeapod } from "../../src/index.ts";
import type { FileChange } from "../../src/image/types.ts";
import { measureTree } from "../../src/pod/disk-use.ts";
import { runCli } from "../support/cli.ts";
import { hasUserNamespaces, hostMissing, noUserNamespaces } from "../support/host.ts";
import { directory, file, loadInto, openWith, program } from "../support/image-host.ts";
import { testOrSkip } from "../support/must-run.ts";

const kernelTest = testOrSkip(hostMissing === undefined, hostMissing ?? "");
const userTest = testOrSkip(
  hostMissing === undefined && hasUserNamespaces,
  hostMissing ?? noUserNamespaces,
);
const run = { Entrypoint: ["/probe"] };

const low = [
  program(),
  directory("etc"),
  file("etc/same"),
  file("etc/text", "old"),
  file("etc/mode", "x"),
  file("etc/gone"),
  directory("tree"),
  file("tree/a"),
  directory("opaque"),
  file("opaque/old"),
  file("opaque/kept"),
  { name: "link", flag: "2", link: "etc" },
];
const high = [
  directory("etc"),
  { ...file("etc/same"), time: 1_800_000_000 },
  file("etc/text", "new"),
  { ...file("etc/mode", "x"), mode: 0o600 },
  file("etc/.wh.gone", ""),
  file(".wh.tree", ""),
  directory("opaque"),
  file("opaque/.wh..wh..opq", ""),
  file("opaque/kept"),
  directory("new"),
  file("new/file", "12345"),
  { name: "link", flag: "2", link: "new" },
];

const lines = (changes: readonly FileChange[]) =>
  changes.map(({ change, path, type, bytes }) => `${change} ${path} ${type} ${bytes}`);

kernelTest("images differ in what their files are, not in when they were made", async () => {
  const { host, images } = await openWith("one:1", [low], run);
  await using _ = host;
  await loadInto(images, "two:1", [low, high], run);
  const wanted = [
    "deleted /etc/gone file 8",
    "changed /etc/mode file 1",
    "changed /etc/text file 3",
    "changed /link link 0",
    "added /new directory 0",
    "added /new/file file 5",
    "deleted /opaque/old file 10",
    "deleted /tree directory 0",
  ];
  expect(lines(await images.diff("one:1", "two:1"))).toEqual(wanted);
  expect(lines(await images.diff("two:1"))).toEqual(wanted);
  expect(await images.diff("two:1", "two:1")).toEqual([]);
  const back = await images.diff("two:1", "one:1");
  expect(lines(back)).toContain("added /tree/a file 6");
  expect(lines(back)).toContain("deleted /new directory 0");
  const command = ["image", "diff", "one:1", "two:1", ...host.flags];
  const { out, status } = await runCli(command);
  expect({ status, out }).toEqual({
    status: 0,
    out: `D /etc/gone
C /etc/mode  1
C /etc/text  3
C /link
A /new/
A /new/file  5
D /opaque/old
D /tree/
`,
  });
  const asJson = await runCli([...command, "-o", "json"]);
  expect(JSON.parse(asJson.out)[0]).toEqual({
    ...{ change: "deleted", path: "/etc/gone", type: "file", bytes: 8 },
  });
});

for (const hostUsers of [true, false]) {
  const test = hostUsers ? kernelTest : userTest;
  const whose = hostUsers ? "" : ", with its own users";
  test(`a container's changes are told, and what they take of the disk${whose}`, async () => {
    const { host, images } = await openWith("app:1", [low], run);
    await using _ = host;
    const words = ["create", "/made", "x", "write", "/etc/text", "old", "unlink", "/etc/gone"];
    const spec = {
      hostUsers,
      terminationGracePeriodSeconds: 1,
      containers: [
        {
          ...{ name: "app", image: "app:1", imagePullPolicy: "Never" as const },
          args: [...words, "pause"],
          volumeMounts: [{ name: "v", mountPath: "/deep/in/v" }],
        },
      ],
      volumes: [{ name: "v", emptyDir: {} }],
    };
    await using pod = await host.up({ metadata: { name: "web" }, spec });
    await using peapod = await openPeapod({ ...host.places, images: { hostsDirectories: [] } });
    const end = performance.now() + 3000;
    let told: string[] = [];
    while (told.length < 2 && performance.now() < end) {
      told = lines(await peapod.diff("web"));
      await Bun.sleep(20);
    }
    // What was written is what was there: copied up, and no change.
    expect(told).toEqual(["deleted /etc/gone file 8", "added /made file 1"]);
    await pod.files.write("/tree/big", "x".repeat(100_000));
    expect(lines(await peapod.diff("web"))).toContain("added /tree/big file 100000");
    const { writable, layers, mounts } = await peapod.layers("web");
    expect({ mounts, layers: layers.length }).toEqual({ mounts: ["/deep/in/v"], layers: 1 });
    expect(writable.bytes).toBeGreaterThan(100_000);
    const use = await peapod.diskUse("web");
    expect(use.containers[0]?.writable.bytes).toBe(writable.bytes);
    expect(use.volumes.map(({ name }) => name)).toEqual(["v"]);
    expect(use.total.inodes).toBeGreaterThan(writable.inodes);
    expect((await runCli(["image", "tree", "--pod", "web", ...host.flags])).out).toMatch(
      /writable layer {2}\S+ in \d+ inodes/,
    );
    const inspected = JSON.parse((await runCli(["inspect", "web", ...host.flags])).out);
    expect(inspected.containers[0].layers.writable.inodes).toBe(writable.inodes);
    await images.remove(["app:1"], { force: true });
    expect((await peapod.layers("web")).layers).toHaveLength(1);
    expect(lines(await peapod.diff("web"))).toContain("added /tree/big file 100000");
  });
}

kernelTest("a tree is measured as du does, and no link leads out of it", async () => {
  const { host } = await openWith("app:1", [[program()]], run);
  await using _ = host;
  const top = join(host.folder, "measured");
  mkdirSync(join(top, "a/b"), { recursive: true });
  symlinkSync("/usr", join(top, "a/out"));
  writeFileSync(join(top, "a/sparse"), "start");
  truncateSync(join(top, "a/sparse"), 1 << 30);
  for (let index = 0; index < 600; index += 1) writeFileSync(join(top, `a/b/${index}`), "x");
  const link = Bun.spawnSync(["ln", join(top, "a/b/1"), join(top, "a/hard")]);
  expect(link.exitCode).toBe(0);
  const du = (...words: string[]) =>
    Number(
      Bun.spawnSync(["du", "-sx", ...words, top])
        .stdout.toString()
        .split("\t")[0],
    );
  const bytes = du("--block-size=1");
  const whole = { bytes, inodes: du("--inodes"), isPartial: false };
  expect(await measureTree(top)).toEqual(whole);
  const few = await measureTree(top, { left: 10 });
  expect(few).toMatchObject({ inodes: 10, isPartial: true });
  mkdirSync(join(top, "d/".repeat(300)), { recursive: true });
  expect((await measureTree(top)).isPartial).toBe(true);
  expect(await measureTree(join(top, "none"))).toMatchObject({ bytes: 0, inodes: 0 });
  const stop = AbortSignal.abort(new Error("enough"));
  expect(measureTree(top, { left: 1000 }, stop)).rejects.toThrow("enough");
  rmSync(top, { recursive: true });
});
