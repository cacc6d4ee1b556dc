// Claims: directories that outlive pods; and whose the files of volumes are.

import { afterAll, beforeAll, describe, expect } from "bun:test";
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { TestHost } from "../support/host.ts";
import {
  answersOf,
  hasUserNamespaces,
  hostMissing,
  noUserNamespaces,
  openTestHost,
} from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";
import type { Spec } from "../support/pods.ts";
import { errorOf, probe, up } from "../support/pods.ts";

const test = testOrSkip(hostMissing === undefined, hostMissing ?? "");
const userTest = testOrSkip(
  hostMissing === undefined && hasUserNamespaces,
  hostMissing ?? noUserNamespaces,
);

let host: TestHost;
const told: string[] = [];

beforeAll(async () => {
  if (hostMissing !== undefined) return;
  host = await openTestHost({ onWarning: (message) => void told.push(message) });
  mkdirSync(outside());
});

afterAll(async () => {
  if (hostMissing !== undefined) return;
  // What outlives pods, and what the tests made beside it.
  for (const path of [join(host.places.root, "volumes"), outside()]) {
    rmSync(path, { recursive: true, force: true });
  }
  await host[Symbol.asyncDispose]();
});

/** For files of the host that no pod makes. */
const outside = () => join(host.folder, "outside");

type Volume = NonNullable<Spec["volumes"]>[number];

let claims = 0;
const newClaim = () => `data-${claims++}`;
const pathOf = (claim: string) => join(host.places.root, "volumes", `default_${claim}`);

async function ask(
  words: readonly string[],
  volume: object,
  spec: Partial<Spec> = {},
  mount: object = {},
): Promise<Record<string, unknown>> {
  const volumes = [{ name: "v", ...volume } as Volume];
  const volumeMounts = [{ name: "v", mountPath: "/v", ...mount }];
  await using pod = await up(host, [probe(host, words, { volumeMounts })], { ...spec, volumes });
  return (await answersOf(pod))["main"] ?? {};
}

const claimOf = (claimName: string, readOnly = false) => ({
  persistentVolumeClaim: { claimName, readOnly },
});

describe("a claim", () => {
  for (const [where, spec, declare] of [
    ["in the host's user namespace", {}, test],
    ["in a user namespace of its own", { hostUsers: false }, userTest],
  ] as const) {
    declare(`${where} is made on first use, and kept when the pod goes`, async () => {
      const claim = newClaim();
      const words = ["stat", "/v", "create", "/v/file", "kept"];
      const first = await ask(words, claimOf(claim), spec);
      expect(first["stat /v"]).toMatchObject({ mode: "0777", uid: 0, gid: 0 });
      expect(statSync(pathOf(claim)).mode & 0o7777).toBe(0o777);
      expect(statSync(join(pathOf(claim), "..")).mode & 0o7777).toBe(0o711);
      expect(told.at(-1)).toContain(`claim default/${claim} is in no manifest`);
      const again = await ask(["read", "/v/file", "stat", "/v/file"], claimOf(claim), spec);
      expect(again["read /v/file"]).toBe("kept");
      expect(again["stat /v/file"]).toMatchObject({ uid: 0, gid: 0 });
    });
  }

  test("that is read-only cannot be written through any mount", async () => {
    const claim = newClaim();
    await ask(["create", "/v/file", "x"], claimOf(claim));
    const answers = await ask(["create", "/v/new", "x"], claimOf(claim, true));
    expect(Object.values(answers)).toEqual(["EROFS"]);
  });

  test("shows a part of it by subPath", async () => {
    const claim = newClaim();
    const answers = await ask(["create", "/v/x", "1"], claimOf(claim), {}, { subPath: "a/b" });
    expect(Object.values(answers)).toEqual([1]);
    expect(existsSync(join(pathOf(claim), "a/b/x"))).toBe(true);
  });
});

describe("fsGroup", () => {
  const group = (more: object = {}): Partial<Spec> => ({
    securityContext: { fsGroup: 2000, runAsUser: 1000, runAsGroup: 1000, ...more },
  });

  for (const [kind, volume] of [
    ["an emptyDir on disk", { emptyDir: {} }],
    ["an emptyDir in memory", { emptyDir: { medium: "Memory" } }],
  ] as const) {
    for (const [where, spec, declare] of [
      ["", {}, test],
      [" in a user namespace", { hostUsers: false }, userTest],
    ] as const) {
      declare(`owns ${kind}${where}, and what is made in it`, async () => {
        const words = ["stat", "/v", "create", "/v/file", "x", "stat", "/v/file", "ids"];
        const answers = await ask(words, volume, { ...spec, ...group() });
        expect(answers["stat /v"]).toMatchObject({ uid: 0, gid: 2000 });
        expect((answers["stat /v"] as { mode: string }).mode).toMatch(/^[23]777$/);
        expect(answers["stat /v/file"]).toMatchObject({ uid: 1000, gid: 2000 });
        expect((answers["ids"] as { groups: number[] }).groups).toContain(2000);
      });
    }
  }

  /** A claim with a tree in it that is root's alone. */
  function makeTree(): { claim: string; path: string; target: string } {
    const claim = newClaim();
    const path = pathOf(claim);
    mkdirSync(join(path, "deep/er"), { recursive: true });
    writeFileSync(join(path, "deep/er/file"), "x", { mode: 0o600 });
    writeFileSync(join(path, "plain"), "x", { mode: 0o644 });
    const target = join(outside(), claim);
    writeFileSync(target, "x", { mode: 0o600 });
    symlinkSync(target, join(path, "link"));
    return { claim, path, target };
  }

  const look = (path: string) => {
    const { mode, gid, uid } = lstatSync(path);
    return [(mode & 0o7777).toString(8), uid, gid];
  };

  test("is given all of a claim, and nothing that a link leads to", async () => {
    const { claim, path, target } = makeTree();
    const answers = await ask(["read", "/v/deep/er/file"], claimOf(claim), group());
    expect(Object.values(answers)).toEqual(["x"]);
    expect(look(path)).toEqual(["2775", 0, 2000]);
    expect(look(join(path, "deep"))).toEqual(["2775", 0, 2000]);
    expect(look(join(path, "deep/er/file"))).toEqual(["660", 0, 2000]);
    expect(look(join(path, "plain"))).toEqual(["664", 0, 2000]);
    expect(look(join(path, "link"))[2]).toBe(2000);
    expect(look(target)).toEqual(["600", 0, 0]);
  });

  userTest("is the pod's id where ids are mapped", async () => {
    const { claim, path } = makeTree();
    const words = ["stat", "/v/plain", "create", "/v/deep/new", "y"];
    const answers = await ask(words, claimOf(claim), { hostUsers: false, ...group() });
    expect(answers["stat /v/plain"]).toMatchObject({ uid: 0, gid: 2000 });
    expect(answers["create /v/deep/new y"]).toBe(1);
    expect(look(join(path, "deep/new"))).toEqual(["644", 1000, 2000]);
  });

  test("may only read where the claim is read-only", async () => {
    const { claim, path } = makeTree();
    await ask(["ls", "/v"], claimOf(claim, true), group());
    expect(look(join(path, "deep/er/file"))).toEqual(["640", 0, 2000]);
    expect(look(join(path, "deep"))).toEqual(["2755", 0, 2000]);
  });

  test("leaves a claim alone that is its own, where OnRootMismatch says so", async () => {
    const { claim, path } = makeTree();
    const policy = group({ fsGroupChangePolicy: "OnRootMismatch" });
    await ask(["ls", "/v"], claimOf(claim), policy);
    expect(look(join(path, "plain"))).toEqual(["664", 0, 2000]);
    lchownSync(join(path, "plain"), 0, 7);
    await ask(["ls", "/v"], claimOf(claim), policy);
    expect(look(join(path, "plain"))).toEqual(["664", 0, 7]);
    // Any difference of the directory itself is a mismatch.
    chmodSync(path, 0o755);
    chownSync(path, 0, 2000);
    await ask(["ls", "/v"], claimOf(claim), policy);
    expect(look(join(path, "plain"))).toEqual(["664", 0, 2000]);
  });

  test("goes deep, and over many entries of one directory", async () => {
    const { claim, path } = makeTree();
    const deep = join(path, ...Array(100).fill("d"));
    mkdirSync(deep, { recursive: true });
    writeFileSync(join(deep, "bottom"), "");
    for (let index = 0; index < 500; index++) {
      mkdirSync(join(path, "deep", `directory-with-a-long-name-${index}`));
      writeFileSync(join(path, "deep", `directory-with-a-long-name-${index}`, "f"), "");
    }
    await ask(["ls", "/v/deep/er"], claimOf(claim), group());
    expect(look(join(deep, "bottom"))[2]).toBe(2000);
    const groups = Array.from({ length: 500 }, (_, index) =>
      look(join(path, "deep", `directory-with-a-long-name-${index}`, "f")).at(2),
    );
    expect(new Set(groups)).toEqual(new Set([2000]));
  });

  test("refuses a tree that is deeper than any path", async () => {
    const { claim, path } = makeTree();
    mkdirSync(join(path, ...Array(140).fill("d")), { recursive: true });
    const error = await errorOf(ask(["ls", "/v"], claimOf(claim), group()));
    expect(error.origin?.field).toBe("spec.securityContext.fsGroup");
    expect(error.message).toBe(`cannot give ${path} to the group 2000 for container main`);
  });

  test("does nothing to a hostPath", async () => {
    const path = join(outside(), "host-path");
    mkdirSync(path);
    await ask(["stat", "/v"], { hostPath: { path } }, group());
    expect(look(path)).toEqual(["755", 0, 0]);
  });
});

describe("readOnly", () => {
  /** A directory of the host with a tmpfs in it. */
  function withSubmount() {
    const path = join(outside(), `tree-${claims++}`);
    mkdirSync(join(path, "sub"), { recursive: true });
    Bun.spawnSync(["mount", "-t", "tmpfs", "none", join(path, "sub")]);
    return { path, [Symbol.dispose]: () => void Bun.spawnSync(["umount", join(path, "sub")]) };
  }

  const words = ["create", "/v/top", "x", "create", "/v/sub/below", "x"];

  test("holds for the topmost mount, as in Kubernetes", async () => {
    using tree = withSubmount();
    const mount = { readOnly: true };
    const answers = await ask(words, { hostPath: { path: tree.path } }, {}, mount);
    expect(Object.values(answers)).toEqual(["EROFS", 1]);
  });

  for (const recursiveReadOnly of ["IfPossible", "Enabled"]) {
    test(`holds for all with recursiveReadOnly: ${recursiveReadOnly}`, async () => {
      using tree = withSubmount();
      const mount = { readOnly: true, recursiveReadOnly };
      const answers = await ask(words, { hostPath: { path: tree.path } }, {}, mount);
      expect(Object.values(answers)).toEqual(["EROFS", "EROFS"]);
    });
  }
});
