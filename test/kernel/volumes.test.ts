// What containers see of volumes, and what they cannot reach through them.

import { afterAll, beforeAll, describe, expect } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { printError } from "../../src/index.ts";
import type { TestHost } from "../support/host.ts";
import {
  answersOf,
  hasUserNamespaces,
  logOf,
  hostMissing,
  noUserNamespaces,
  openTestHost,
} from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";
import type { ContainerInput, Spec } from "../support/pods.ts";
import { errorOf, probe, textOf, up } from "../support/pods.ts";
import { probeAnswers } from "../support/probe.ts";

const test = testOrSkip(hostMissing === undefined, hostMissing ?? "");
const newKernelTest = testOrSkip(
  hostMissing === undefined && hasUserNamespaces,
  hostMissing ?? noUserNamespaces,
);

let host: TestHost;
let folders = 0;

beforeAll(async () => {
  if (hostMissing === undefined) host = await openTestHost();
});

afterAll(() => host?.[Symbol.asyncDispose]());

type Volume = NonNullable<Spec["volumes"]>[number];
type Mount = NonNullable<ContainerInput["volumeMounts"]>[number];

/** A directory of the host, with these files; gone at the end of the scope. */
function hostFolder(files: Readonly<Record<string, string>> = {}) {
  const path = join(host.folder, `source-${folders++}`);
  mkdirSync(path);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

const hostPath = (path: string, type = ""): Volume =>
  ({ name: "v", hostPath: { path, type } }) as Volume;
const emptyDir = (source: object = {}): Volume => ({ name: "v", emptyDir: source }) as Volume;
const at = (mountPath: string, more: Partial<Mount> = {}): Mount => ({
  name: "v",
  mountPath,
  ...more,
});

/** What one container says that has these mounts. */
async function ask(
  words: readonly string[],
  volumes: readonly Volume[],
  volumeMounts: readonly Mount[],
  spec: Partial<Spec> = {},
): Promise<Record<string, unknown>> {
  const container = probe(host, words, { volumeMounts: [...volumeMounts] });
  await using pod = await up(host, [container], { volumes: [...volumes], ...spec });
  return (await answersOf(pod))["main"] ?? {};
}

describe("emptyDir", () => {
  for (const medium of ["", "Memory"]) {
    const kind = medium === "" ? "on disk" : "in memory";

    test(`${kind} is one directory for all containers, open to every user`, async () => {
      const mounts = { volumeMounts: [at("/v")] };
      const writer = probe(host, ["create", "/v/note", "hello", "pause"], mounts);
      const words = ["await", "/v/note", "3000", "read", "/v/note", "stat", "/v"];
      const reader = probe(host, words, { name: "reader", volumeMounts: [at("/v")] });
      await using pod = await up(host, [writer, reader], { volumes: [emptyDir({ medium })] });
      await pod.container("reader").exited;
      const records = await Array.fromAsync(pod.logs({ container: "reader" }));
      const answers = probeAnswers(records.map(({ line }) => textOf(line)).join("\n"));
      expect(answers["read /v/note"]).toBe("hello");
      expect(answers["stat /v"]).toMatchObject({ type: "directory", uid: 0, gid: 0 });
      expect((answers["stat /v"] as { mode: string }).mode).toMatch(/[01]777$/);
    });
  }

  test("in memory holds no more than its limit", async () => {
    const volume = emptyDir({ medium: "Memory", sizeLimit: "64Ki" });
    const big = "x".repeat(60_000);
    const words = ["create", "/v/one", big, "create", "/v/two", big, "create", "/v/three", "x"];
    const answers = await ask(words, [volume], [at("/v")]);
    expect(Object.values(answers)).toEqual([60_000, 4096, "ENOSPC"]);
  });

  test("files are there before anything starts, in the directories that they name", async () => {
    const container = probe(host, ["read", "/v/a/b/c.txt", "stat", "/v/a/b/c.txt"], {
      volumeMounts: [at("/v", { readOnly: true })],
    });
    const files = { v: { "a/b/c.txt": "deep", "raw.bin": Uint8Array.of(0, 255) } };
    await using pod = await up(host, [container], { volumes: [emptyDir()] }, { files });
    const { main = {} } = await answersOf(pod);
    expect(main["read /v/a/b/c.txt"]).toBe("deep");
    expect(main["stat /v/a/b/c.txt"]).toMatchObject({ mode: "0644", uid: 0 });
  });

  test("files that leave the volume are refused", async () => {
    for (const path of ["../up", "/absolute", "a//b", "a/./b", ""]) {
      const files = { v: { [path]: "x" } };
      const start = up(host, [probe(host, ["pause"])], { volumes: [emptyDir()] }, { files });
      expect((await errorOf(start)).code).toBe("manifest.invalid");
    }
    const files = { other: { name: "x" } };
    const error = await errorOf(up(host, [probe(host, ["pause"])], {}, { files }));
    expect(error.message).toContain('"other", which is not an emptyDir of this pod');
  });
});

describe("hostPath", () => {
  test("shows the directory itself, both ways", async () => {
    using folder = hostFolder({ note: "from the host" });
    const words = ["read", "/v/note", "create", "/v/answer", "from inside"];
    expect((await ask(words, [hostPath(folder.path)], [at("/v")]))["read /v/note"]).toBe(
      "from the host",
    );
    expect(readFileSync(join(folder.path, "answer"), "utf8")).toBe("from inside");
  });

  test("a source that is missing is an error that names it", async () => {
    const path = join(host.folder, "nothing");
    const container = probe(host, ["pause"], { volumeMounts: [at("/v")] });
    const error = await errorOf(up(host, [container], { volumes: [hostPath(path)] }));
    expect(printError(error).replace(/(step +).*: /, "$1")).toBe(`\
error[volume.source-missing] ${path} does not exist, and container main wants it
  from   spec.containers[0].volumeMounts[0]
  step   openat failed with ENOENT (no such file or directory)
  hint   make it, or let peapod make it: type: DirectoryOrCreate`);
    expect(existsSync(path)).toBe(false);
  });

  test("what is missing is made where the type says so", async () => {
    using folder = hostFolder();
    const deep = join(folder.path, "a/b");
    await ask(["create", "/v/x", "x"], [hostPath(deep, "DirectoryOrCreate")], [at("/v")]);
    expect([statSync(deep).mode & 0o777, existsSync(join(deep, "x"))]).toEqual([0o755, true]);
    const file = join(folder.path, "file");
    await ask(["write", "/v", "text"], [hostPath(file, "FileOrCreate")], [at("/v")]);
    expect([statSync(file).mode & 0o777, readFileSync(file, "utf8")]).toEqual([0o644, "text"]);
  });

  test("every type accepts what it says and refuses the rest", async () => {
    using folder = hostFolder({ file: "x" });
    const socket = join(folder.path, "socket");
    using listener = Bun.listen({ unix: socket, socket: { data() {} } });
    const sources: Readonly<Record<string, string>> = {
      Directory: folder.path,
      DirectoryOrCreate: folder.path,
      File: join(folder.path, "file"),
      FileOrCreate: join(folder.path, "file"),
      Socket: listener.unix,
      CharDevice: "/dev/null",
    };
    for (const [type, right] of Object.entries(sources)) {
      expect(await ask(["stat", "/v"], [hostPath(right, type)], [at("/v")])).toHaveProperty([
        "stat /v",
        "inode",
      ]);
      const kind = type.replace("OrCreate", "");
      const wrong = kind === "Directory" ? (sources["File"] ?? "") : folder.path;
      const container = probe(host, ["pause"], { volumeMounts: [at("/v")] });
      const error = await errorOf(up(host, [container], { volumes: [hostPath(wrong, type)] }));
      expect([type, error.code]).toEqual([type, "volume.wrong-type"]);
    }
  });

  test("read-only is read-only, and stays so", async () => {
    using folder = hostFolder({ note: "x" });
    const words = ["write", "/v/note", "y", "mkdir", "/v/d", "try", "remount-rw", "/v"];
    const answers = await ask(words, [hostPath(folder.path)], [at("/v", { readOnly: true })]);
    expect(answers).toEqual({
      "write /v/note y": "EROFS",
      "mkdir /v/d": "EROFS",
      "try remount-rw /v": "EPERM",
    });
  });

  test("mounts in the source are shown, and those made on the host afterwards are not", async () => {
    using folder = hostFolder();
    for (const name of ["before", "after"]) mkdirSync(join(folder.path, name));
    const tmpfs = (name: string) => {
      const path = join(folder.path, name);
      Bun.spawnSync(["mount", "-t", "tmpfs", "none", path]);
      writeFileSync(join(path, "inside"), "");
      return { [Symbol.dispose]: () => void Bun.spawnSync(["umount", path]) };
    };
    using _before = tmpfs("before");
    const container = probe(host, ["pause"], { volumeMounts: [at("/v")] });
    await using pod = await up(host, [container], { volumes: [hostPath(folder.path)] });
    using _after = tmpfs("after");
    const { stdout } = await pod.exec(["/probe", "ls", "/v/before", "ls", "/v/after"]).result;
    expect(probeAnswers(textOf(stdout))).toEqual({
      "ls /v/before": { inside: "file" },
      "ls /v/after": {},
    });
  });

  newKernelTest("in a user namespace root's files are root's, and new ones too", async () => {
    using folder = hostFolder({ note: "x" });
    chmodSync(folder.path, 0o700);
    const words = ["stat", "/v/note", "create", "/v/new", "y", "stat", "/v/new"];
    const answers = await ask(words, [hostPath(folder.path)], [at("/v")], { hostUsers: false });
    expect(answers["stat /v/note"]).toMatchObject({ uid: 0, gid: 0 });
    expect(answers["stat /v/new"]).toMatchObject({ uid: 0, gid: 0 });
    const { uid, gid } = statSync(join(folder.path, "new"));
    expect([uid, gid]).toEqual([0, 0]);
  });
});

describe("subPath", () => {
  test("is made when it is missing, with the mode of the volume", async () => {
    using folder = hostFolder();
    chmodSync(folder.path, 0o770);
    const mount = at("/v", { subPath: "a/b" });
    await ask(["create", "/v/x", "x"], [hostPath(folder.path)], [mount]);
    expect(statSync(join(folder.path, "a/b")).mode & 0o777).toBe(0o770);
    expect(existsSync(join(folder.path, "a/b/x"))).toBe(true);
  });

  test("of an emptyDir, on disk and in memory, shows that part alone", async () => {
    for (const medium of ["", "Memory"]) {
      const mounts = [at("/part", { subPath: "part" }), at("/whole")];
      const words = ["create", "/whole/part/x", "1", "read", "/part/x", "ls", "/part"];
      const answers = await ask(words, [emptyDir({ medium })], mounts);
      expect(answers["read /part/x"]).toBe("1");
      expect(answers["ls /part"]).toEqual({ x: "file" });
    }
  });

  test("can be a file", async () => {
    using folder = hostFolder({ "app.conf": "setting" });
    const mount = at("/etc/app.conf", { subPath: "app.conf" });
    const answers = await ask(["read", "/etc/app.conf"], [hostPath(folder.path)], [mount]);
    expect(answers["read /etc/app.conf"]).toBe("setting");
  });

  test("a link in the volume leads nowhere", async () => {
    using folder = hostFolder();
    for (const [name, target] of [
      ["absolute", "/etc"],
      ["relative", "../.."],
      ["deep", "."],
    ] as const) {
      symlinkSync(target, join(folder.path, name));
      for (const subPath of [name, `${name}/x`]) {
        const container = probe(host, ["pause"], { volumeMounts: [at("/v", { subPath })] });
        const start = up(host, [container], { volumes: [hostPath(folder.path)] });
        expect([subPath, (await errorOf(start)).code]).toEqual([subPath, "volume.denied"]);
      }
    }
  });
});

test("the root and the generated files are there for every user", async () => {
  const paths = ["/", "/etc", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf"];
  const answers = await ask(
    paths.flatMap((path) => ["stat", path]),
    [],
    [],
  );
  const modes = Object.values(answers).map((answer) => (answer as { mode: string }).mode);
  expect(modes).toEqual(["0755", "0755", "0644", "0644", "0644"]);
});

describe("places to mount on", () => {
  test("a volume may sit in another, whatever the order in the manifest", async () => {
    using outer = hostFolder({ outer: "" });
    using inner = hostFolder({ inner: "" });
    const volumes = [
      { name: "outer", hostPath: { path: outer.path } },
      { name: "inner", hostPath: { path: inner.path } },
    ];
    const mounts = [
      { name: "inner", mountPath: "/v/in" },
      { name: "outer", mountPath: "/v" },
    ];
    for (const order of [mounts, mounts.toReversed()]) {
      const answers = await ask(["ls", "/v/in", "stat", "/v/outer"], volumes, order);
      expect(answers["ls /v/in"]).toEqual({ inner: "file" });
      expect(answers["stat /v/outer"]).toMatchObject({ type: "file" });
    }
  });

  test("/dev/shm and /etc/hosts are the user's when there is a volume", async () => {
    using folder = hostFolder({ hosts: "10.0.0.1 mine\n" });
    const volumes = [
      hostPath(folder.path),
      { name: "shm", emptyDir: { medium: "Memory" } } as Volume,
    ];
    const mounts = [at("/etc/hosts", { subPath: "hosts" }), { name: "shm", mountPath: "/dev/shm" }];
    const words = ["read", "/etc/hosts", "create", "/dev/shm/x", "1", "read", "/etc/hostname"];
    const answers = await ask(words, volumes, mounts);
    expect(answers["read /etc/hosts"]).toBe("10.0.0.1 mine\n");
    expect(answers["create /dev/shm/x 1"]).toBe(1);
    expect(answers["read /etc/hostname"]).toMatch(/^pod-\d+\n$/);
  });

  test("a link of the image leads nowhere out of it", async () => {
    const rootfs = join(host.folder, "rootfs-with-link");
    mkdirSync(rootfs);
    Bun.spawnSync(["cp", join(host.rootfs, "probe"), rootfs]);
    const outside = join(host.folder, "outside");
    mkdirSync(outside);
    symlinkSync(outside, join(rootfs, "link"));
    const container = probe(host, ["ls", "/link/v"], {
      image: `rootfs:${rootfs}`,
      volumeMounts: [at("/link/v")],
    });
    const started = await up(host, [container], { volumes: [emptyDir()] }).catch(() => undefined);
    await started?.container("main").exited;
    await started?.down({ graceMs: 0 });
    expect(existsSync(join(outside, "v"))).toBe(false);
    for (const path of [rootfs, outside]) rmSync(path, { recursive: true });
  });
});

describe("readOnlyRootFilesystem", () => {
  for (const [where, spec, declare] of [
    ["in the host's user namespace", {}, test],
    ["in a user namespace of its own", { hostUsers: false }, newKernelTest],
  ] as const) {
    declare(
      `${where} leaves volumes and /dev/shm to write to, and nothing of the root`,
      async () => {
        const words = [
          ...["create", "/file", "x", "mkdir", "/new", "create", "/etc/file", "x"],
          ...[
            "create",
            "/data/file",
            "x",
            "create",
            "/dev/shm/file",
            "x",
            "try",
            "remount-rw",
            "/",
          ],
        ];
        const container = probe(host, words, {
          volumeMounts: [{ name: "data", mountPath: "/data" }],
          securityContext: { readOnlyRootFilesystem: true },
        });
        const volumes = [{ name: "data", emptyDir: {} }];
        await using pod = await up(host, [container], { ...spec, restartPolicy: "Never", volumes });
        await pod.container("main").exited;
        expect(probeAnswers(await logOf(pod, "main"))).toEqual({
          "create /file x": "EROFS",
          "mkdir /new": "EROFS",
          "create /etc/file x": "EROFS",
          "create /data/file x": 1,
          "create /dev/shm/file x": 1,
          "try remount-rw /": "EPERM",
        });
      },
    );
  }
});
