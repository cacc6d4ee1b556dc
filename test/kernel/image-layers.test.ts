// Layers as a container sees them, one or forty, and as the store keeps them while it lives. No
// tools of others are needed, so these tests run on the oldest kernel, too.

import { expect } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import {
  answersOf,
  eventually,
  hasUserNamespaces,
  hostMissing,
  logOf,
  noUserNamespaces,
} from "../support/host.ts";
import { directory, file, openWith, program } from "../support/image-host.ts";
import { testOrSkip } from "../support/must-run.ts";
import type { TarItem } from "../support/tar.ts";
import { listTree } from "../support/trees.ts";

const kernelTest = testOrSkip(hostMissing === undefined, hostMissing ?? "");
const userTest = testOrSkip(
  hostMissing === undefined && hasUserNamespaces,
  hostMissing ?? noUserNamespaces,
);

const podOf = (name: string, image: string, words: readonly string[], spec: object = {}) => ({
  metadata: { name },
  spec: {
    terminationGracePeriodSeconds: 1,
    ...spec,
    containers: [{ name: "app", image, args: [...words], imagePullPolicy: "Never" as const }],
  },
});
const run = { Entrypoint: ["/probe"] };

const forty = [
  [program(), directory("layers"), directory("shared", 0o1777)],
  ...Array.from({ length: 39 }, (_, index) => [
    file(`layers/${index}`),
    ...(index === 20 ? [file("layers/.wh.3"), file("shared/late")] : []),
  ]),
];

kernelTest("forty layers are one root, with what they hide and what they share", async () => {
  const { host, images } = await openWith("forty:1", forty, run);
  await using _ = host;
  const words = ["ls", "/layers", "stat", "/shared", "read", "/layers/38", "mounts"];
  await using pod = await host.up(podOf("forty", "forty:1", words));
  const { app } = await answersOf(pod);
  const wanted = Array.from({ length: 39 }, (_entry, index) => `${index}`);
  const found = Object.keys(app?.["ls /layers"] ?? {});
  expect(found.toSorted()).toEqual(wanted.filter((name) => name !== "3").toSorted());
  // A layer that only walks through a directory leaves its mode as it was below.
  expect(app?.["stat /shared"]).toMatchObject({ mode: "1777" });
  expect(app?.["read /layers/38"]).toBe("layers/38");
  const overlays = (app?.["mounts"] as { fstype: string; target: string }[]).filter(
    ({ fstype }) => fstype === "overlay",
  );
  expect(overlays.map(({ target }) => target)).toEqual(["/"]);
  expect((await images.get("forty:1")).layers).toHaveLength(40);
});

userTest("root of a pod with its own users owns what root owns in the image", async () => {
  const { host } = await openWith("users:1", forty, run);
  await using _ = host;
  const words = ["stat", "/probe", "mkdir", "/shared/new", "read", "/layers/1"];
  await using pod = await host.up(podOf("users", "users:1", words, { hostUsers: false }));
  const { app } = await answersOf(pod);
  expect(app).toMatchObject({
    ...{ "stat /probe": { uid: 0, gid: 0 }, "mkdir /shared/new": "ok" },
    "read /layers/1": "layers/1",
  });
});

kernelTest("what a pod uses stays until it has ended, whatever is removed", async () => {
  const layers = [[program(), file("kept", "still here")]];
  const { host, images } = await openWith("busy:1", layers, run);
  await using _ = host;
  const pod = await host.up(podOf("busy", "busy:1", ["await", "/go", "5000", "read", "/kept"]));
  const said = await images.remove(["busy:1"]).catch((error: unknown) => error);
  expect(said).toMatchObject({ code: "image.in-use" });
  expect((await images.prune({ all: true })).names).toEqual([]);
  const forced = await images.remove(["busy:1"], { force: true });
  expect([forced.names.length, forced.layers]).toEqual([1, 0]);
  expect(await images.list()).toEqual([]);
  await pod.files.write("/go", "");
  expect((await answersOf(pod))["app"]).toMatchObject({ "read /kept": "still here" });
  await pod.down();
  expect((await images.prune()).layers).toBe(1);
  expect(readdirSync(`${images.store.path}/uses`)).toEqual([]);
});

kernelTest("the image says what runs, as whom and where, and the manifest may differ", async () => {
  const passwd = "root:x:0:0::/root:/bin/sh\nweb:x:1002:1003::/srv:/bin/sh\n";
  const layer = [program(), directory("etc"), file("etc/passwd", passwd), directory("work")];
  const settings = {
    ...{ Entrypoint: ["/probe"], Cmd: ["env", "cwd", "ids"], User: "web", WorkingDir: "/work" },
    ...{ Env: ["COLOUR=green", "PATH=/own"], StopSignal: "SIGQUIT" },
  };
  const { host } = await openWith("settings:1", [layer], settings);
  await using _ = host;
  const image = { image: "settings:1", imagePullPolicy: "Never" as const };
  const containers = [
    { name: "own", ...image },
    { name: "args", ...image, args: ["argv", "cwd"], workingDir: "/" },
    { name: "command", ...image, command: ["/probe", "argv"] },
  ];
  await using pod = await host.up({ metadata: { name: "settings" }, spec: { containers } });
  const { own, args, command } = await answersOf(pod);
  expect(own).toMatchObject({ cwd: "/work", ids: { uid: [1002, 1002, 1002], groups: [1003] } });
  expect(own?.["env"]).toEqual(expect.arrayContaining(["COLOUR=green", "PATH=/own", "HOME=/srv"]));
  expect(args).toMatchObject({ argv: ["/probe", "argv", "cwd"], cwd: "/" });
  expect(command).toMatchObject({ argv: ["/probe", "argv"] });
  expect(existsSync(host.places.root)).toBe(true);
});

kernelTest(
  "a command in a container runs as its user, and its streams can be opened anew",
  async () => {
    const { host } = await openWith("user:1", [[program()]], { ...run, User: "1234:99" });
    await using _ = host;
    await using pod = await host.up(podOf("user", "user:1", ["pause"]));
    const { stdout } = await pod.exec(["/probe", "ids", "write", "/proc/self/fd/1", "opened"])
      .result;
    const text = new TextDecoder().decode(stdout);
    expect(text).toContain('"uid":[1234,1234,1234],"gid":[99,99,99]');
    expect(text).toContain("opened");
  },
);

for (const hostUsers of [true, false]) {
  const test = hostUsers ? kernelTest : userTest;
  test(`what a container wrote becomes an image, ${hostUsers ? "" : "with its users "}as it was`, async () => {
    const low = [
      program(),
      directory("etc"),
      file("etc/old"),
      directory("gone"),
      file("gone/file"),
    ];
    const { host, images } = await openWith("base:1", [low], run);
    await using _ = host;
    const words = [
      ...["unlink", "/etc/old", "mkdir", "/made", "create", "/dev/shm/x", "y"],
      ...["create", "/data/volume", "y", "unlink", "/gone/file", "create", "/new", "written"],
      "pause",
    ];
    const spec = { hostUsers, volumes: [{ name: "data", emptyDir: {} }] };
    const pod = podOf("writer", "base:1", words, spec);
    const volumeMounts = [{ name: "data", mountPath: "/data" }];
    const container = { ...pod.spec.containers[0], name: "app", image: "base:1", volumeMounts };
    await using running = await host.up({ ...pod, spec: { ...pod.spec, containers: [container] } });
    await eventually(
      () => logOf(running, "app"),
      (text) => text.includes("create /new"),
    );
    expect(await host.pods.commit("writer", "made:1", { comment: "by a test" })).toBe(
      "docker.io/library/made:1",
    );
    const made = await images.get("made:1");
    expect(made.layers).toHaveLength(2);
    expect(made.config.history?.at(-1)).toMatchObject({ comment: "by a test" });
    const found = listTree(made.layers[1]?.path ?? "");
    expect(Object.keys(found)).toEqual([
      ...[".", "etc", "etc/old", "gone", "gone/file", "made", "new"],
    ]);
    expect(found["etc/old"]).toContain("device 0");
    expect(found["new"]).toStartWith("100644 0:0 ");
    // Alive again.
    expect((await running.exec(["/probe", "ids"]).result).exitCode).toBe(0);
    await using again = await host.up(podOf("again", "made:1", ["ls", "/", "read", "/new"]));
    const { app } = await answersOf(again);
    expect(app).toMatchObject({ "read /new": "written" });
    expect(app?.["ls /"]).not.toHaveProperty("data");
  });
}

/** User, passwd, and what is said of them. */
const users: Readonly<Record<string, readonly [user: string, files: TarItem[], said: RegExp]>> = {
  "a name that is nowhere": ["nobody", [], /wants to run as user "nobody"/],
  "a group that is nowhere": ["0:staff", [], /wants to run as group "staff"/],
  "a passwd of two gigabytes": [
    "web",
    [
      {
        name: "etc/passwd",
        pax: {
          "GNU.sparse.map": "0,0",
          "GNU.sparse.size": `${2 ** 31}`,
          "GNU.sparse.name": "etc/passwd",
        },
      },
    ],
    /it has 2147483648 bytes, and 1048576 is the most/,
  ],
  "a passwd that is a pipe": ["web", [{ name: "etc/passwd", flag: "6" }], /not a plain file/],
  "a passwd that leads to the host's": [
    "daemon",
    [{ name: "etc/passwd", flag: "2", link: "../../../../../../etc/passwd" }],
    /its links do not end/,
  ],
  "an id that no machine has": ["4294967295", [], /wants to run as user "4294967295"/],
};

for (const [name, [user, items, said]] of Object.entries(users)) {
  kernelTest(`${name} starts nothing`, async () => {
    const layer = [program(), directory("etc"), ...items];
    const { host } = await openWith("who:1", [layer], { ...run, User: user });
    await using _ = host;
    const failure = await host.up(podOf("who", "who:1", ["ids"])).catch((error: Error) => error);
    expect(failure).toMatchObject({ code: "image.user-unknown" });
    expect(String(failure)).toMatch(said);
  });
}
