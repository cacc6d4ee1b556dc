// Images as volumes: what their layers show together, and how much of it a subPath shows.

import { expect } from "bun:test";
import { readdirSync } from "node:fs";
import { printError } from "../../src/index.ts";
import type { TestHost } from "../support/host.ts";
import { answersOf, hasUserNamespaces, hostMissing, noUserNamespaces } from "../support/host.ts";
import { directory, file, loadInto, openWith, program } from "../support/image-host.ts";
import { testOrSkip } from "../support/must-run.ts";

const kernelTest = testOrSkip(hostMissing === undefined, hostMissing ?? "");
const userTest = testOrSkip(
  hostMissing === undefined && hasUserNamespaces,
  hostMissing ?? noUserNamespaces,
);

const low = [
  directory("data"),
  file("data/low"),
  file("data/both", "low"),
  file("data/gone"),
  directory("hidden"),
  file("hidden/low"),
  file("single", "one"),
  { name: "link", flag: "2", link: "data" },
  { ...file("tool"), mode: 0o755, uid: 7 },
];
const high = [
  directory("data"),
  file("data/high"),
  file("data/both", "high"),
  file("data/.wh.gone", ""),
  directory("hidden"),
  file("hidden/.wh..wh..opq", ""),
  file("hidden/high"),
];

interface Mount {
  readonly mountPath: string;
  readonly subPath?: string;
}

async function openVolumes() {
  const { host, images } = await openWith("app:1", [[program()]], { Entrypoint: ["/probe"] });
  await loadInto(images, "volume:1", [low, high]);
  await loadInto(images, "single:1", [low]);
  return { host, images };
}

async function upWith(
  host: TestHost,
  reference: string,
  mounts: readonly Mount[],
  words: readonly string[],
  more: object = {},
) {
  const volumeMounts = mounts.map((mount) => ({ name: "v", ...mount }));
  const app = { name: "app", image: "app:1", imagePullPolicy: "Never" as const };
  return await host.up({
    metadata: { name: "volumes" },
    spec: {
      ...more,
      containers: [{ ...app, args: [...words], volumeMounts }],
      volumes: [{ name: "v", image: { reference, pullPolicy: "Never" } }],
    },
  });
}

for (const hostUsers of [true, false]) {
  const test = hostUsers ? kernelTest : userTest;
  test(`an image is a volume that nobody can change${hostUsers ? "" : ", with the pod's users"}`, async () => {
    const { host } = await openVolumes();
    await using _ = host;
    for (const reference of ["volume:1", "single:1"]) {
      const words = ["ls", "/v/data", "read", "/v/data/both", "mkdir", "/v/data/new"];
      const asking = [...words, "stat", "/v/tool", "stat", "/v/data", "mounts"];
      await using pod = await upWith(host, reference, [{ mountPath: "/v" }], asking, { hostUsers });
      const { app } = await answersOf(pod);
      const isStacked = reference === "volume:1";
      const names = isStacked ? ["both", "high", "low"] : ["both", "gone", "low"];
      expect(Object.keys(app?.["ls /v/data"] ?? {}).toSorted()).toEqual(names);
      expect(app).toMatchObject({
        "read /v/data/both": isStacked ? "high" : "low",
        "mkdir /v/data/new": "EROFS",
        "stat /v/tool": { uid: 7, gid: 0 },
        "stat /v/data": { uid: 0, gid: 0 },
      });
      const mounts = app?.["mounts"] as { target: string; options: string; fstype: string }[];
      const own = mounts.find(({ target }) => target === "/v");
      expect(String(own?.options).split(",")).toEqual(
        expect.arrayContaining(["ro", "nosuid", "nodev", "noexec"]),
      );
      await pod.down();
    }
  });
}

kernelTest("a subPath shows what is merged there, or one file", async () => {
  const { host } = await openVolumes();
  await using _ = host;
  const mounts = [
    { mountPath: "/data", subPath: "data" },
    { mountPath: "/hidden", subPath: "hidden" },
    { mountPath: "/file", subPath: "data/both" },
    { mountPath: "/one", subPath: "single" },
  ];
  const words = ["ls", "/data", "ls", "/hidden", "read", "/file", "read", "/one"];
  await using pod = await upWith(host, "volume:1", mounts, words);
  const { app } = await answersOf(pod);
  const list = (path: string) => Object.keys(app?.[`ls ${path}`] ?? {}).toSorted();
  expect([list("/data"), list("/hidden")]).toEqual([["both", "high", "low"], ["high"]]);
  expect(app).toMatchObject({ "read /file": "high", "read /one": "one" });
});

kernelTest("a subPath that leads nowhere is refused, and the image stays as it was", async () => {
  const { host, images } = await openVolumes();
  await using _ = host;
  const told = async (subPath: string) => {
    const mount = { mountPath: "/v", subPath };
    const failure = await upWith(host, "volume:1", [mount], ["pause"]).catch(
      (error: unknown) => error,
    );
    return printError(failure as Parameters<typeof printError>[0])
      .split("\n")
      .slice(0, 2)
      .join("\n");
  };
  expect(await told("none/at/all")).toBe(
    `error[volume.subpath-missing] "none/at/all" does not exist in the image volume:1
  from   spec.containers[0].volumeMounts[0].subPath`,
  );
  expect(await told("data/gone")).toContain("does not exist");
  expect(await told("hidden/low")).toContain("does not exist");
  expect(await told("link")).toContain("leads over a symbolic link");
  expect(await told("link/low")).toContain("leads over a symbolic link");
  expect(await told("single/x")).toContain("leads through a file");
  for (const layer of readdirSync(`${images.store.path}/layers`)) {
    expect(readdirSync(`${images.store.layerPath(layer)}/root`)).not.toContain("none");
  }
});

kernelTest("what a volume shows is kept as long as its pod", async () => {
  const { host, images } = await openVolumes();
  await using _ = host;
  const mount = { mountPath: "/v" };
  const pod = await upWith(
    host,
    "volume:1",
    [mount],
    ["await", "/go", "5000", "read", "/v/single"],
  );
  expect(await images.remove(["volume:1"]).catch((error: unknown) => error)).toMatchObject({
    code: "image.in-use",
  });
  await pod.files.write("/go", "");
  expect((await answersOf(pod))["app"]).toMatchObject({ "read /v/single": "one" });
  await pod.down();
  expect((await images.remove(["volume:1"])).names).toHaveLength(1);
});

kernelTest("a volume whose image is not there says so at its own line", async () => {
  const { host } = await openVolumes();
  await using _ = host;
  const failure = await upWith(host, "none:1", [{ mountPath: "/v" }], ["pause"]).catch(
    (error: unknown) => error,
  );
  expect(failure).toMatchObject({
    code: "image.never-pulled",
    message: 'the image "none:1" of volume v is not stored',
    origin: { field: "spec.volumes[0].image.reference" },
  });
});
