// Images of containers before they start: what a failure is called, and what a pod keeps.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync, mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Images } from "../../src/image/images.ts";
import { prepareImages } from "../../src/image/prepare.ts";
import { pullSecretsOf } from "../../src/image/pull-secrets.ts";
import { imageReason, isPullReason } from "../../src/image/reasons.ts";
import { readPodManifest } from "../../src/read/pod-manifest/read.ts";
import type { DataObject } from "../../src/spec/objects.ts";
import { noObjects } from "../../src/spec/objects.ts";
import { ImageFolder } from "../support/images.ts";
import { testOrSkip } from "../support/must-run.ts";
import { imageToolsMissing, pushLayout, TestRegistry } from "../support/registry.ts";

const imageTest = testOrSkip(imageToolsMissing === undefined, imageToolsMissing ?? "");
const folder = mkdtempSync(join(tmpdir(), "peapod-prepare-"));
const user = { name: "alice", password: "secret" };
let registry: TestRegistry;
let guarded: TestRegistry;
let archives: ImageFolder;
let roots = 0;

beforeAll(async () => {
  if (imageToolsMissing !== undefined) return;
  registry = await TestRegistry.start();
  guarded = await TestRegistry.start({ user });
  archives = new ImageFolder();
  for (const tag of ["one", "two"]) {
    archives.push(registry, tag, [archives.archive({ "etc/hello": tag })]);
  }
  const auth = ["--dest-creds", `${user.name}:${user.password}`];
  pushLayout(join(archives.path, "layout:one"), `${guarded.host}/team/app:one`, ...auth);
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  archives[Symbol.dispose]();
  await registry[Symbol.asyncDispose]();
  await guarded[Symbol.asyncDispose]();
});

const newRoot = () => join(folder, `root-${roots++}`);

async function prepare(
  root: string,
  image: string,
  policy?: "Always" | "IfNotPresent" | "Never",
  secrets: readonly DataObject[] = [],
) {
  const app = { name: "app", image, ...(policy !== undefined && { imagePullPolicy: policy }) };
  const spec = {
    ...readPodManifest({ metadata: { name: "p" }, spec: { containers: [app] } }),
    pullSecrets: secrets.map(({ name }) => name),
    objects: { ...noObjects, secrets: new Map(secrets.map((one) => [one.name, one])) },
  };
  const options = { root, mayPull: true, warn: () => {}, hostsDirectories: [] };
  return await prepareImages(spec, spec.containers, options);
}

async function reasonOf(...preparing: Parameters<typeof prepare>): Promise<string> {
  try {
    using _ = await prepare(...preparing);
    return "none";
  } catch (error) {
    const reason = imageReason(error);
    return reason === undefined
      ? String(error)
      : `${reason}${isPullReason(reason) ? ", later" : ""}`;
  }
}

imageTest(
  "what keeps a container from its image has the kubelet's name",
  async () => {
    const name = `${registry.host}/team/app`;
    const root = newRoot();
    expect(await reasonOf(root, "Upper/Case")).toBe("InvalidImageName");
    expect(await reasonOf(root, `${name}:one`, "Never")).toBe("ErrImageNeverPull");
    expect(await reasonOf(root, `${name}:none`)).toBe("ErrImagePull, later");
    expect(await reasonOf(root, "127.0.0.1:1/team/app:one")).toBe("RegistryUnavailable, later");
    expect(await reasonOf(root, `${guarded.host}/team/app:one`)).toBe("ErrImagePull, later");
    expect(await reasonOf(root, `${name}:one`)).toBe("none");
    expect(imageReason(new Error("of something else"))).toBeUndefined();
  },
  30_000,
);

imageTest(
  "an image whose documents are lost is an ImageInspectError until it is gone",
  async () => {
    const name = `${registry.host}/team/app:one`;
    const root = newRoot();
    const images = new Images(root, { hostsDirectories: [] });
    const { id } = await images.pull(name);
    rmSync(images.store.blobPath(id));
    expect(await reasonOf(root, name, "IfNotPresent")).toBe("ImageInspectError");
    expect(await reasonOf(root, name, "Always")).toBe("ImageInspectError");
    await images.remove([name]);
    expect(await reasonOf(root, name, "IfNotPresent")).toBe("none");
  },
);

imageTest("a pod's pull secrets bring its image, whatever else is among them", async () => {
  const auths = { [guarded.host]: { username: user.name, password: user.password } };
  const secret = (name: string, kind: string, value: object): DataObject => ({
    ...{ name, type: `kubernetes.io/${kind}`, binaries: new Map() },
    texts: new Map([[`.${kind}`, JSON.stringify(value)]]),
  });
  const image = `${guarded.host}/team/app:one`;
  const other = secret("other", "tls", auths);
  const empty = { ...other, name: "empty", type: "kubernetes.io/dockercfg" };
  const pull = (...secrets: DataObject[]) => reasonOf(newRoot(), image, "Always", secrets);
  expect(await pull(other, empty)).toBe("ErrImagePull, later");
  expect(await pull(other, secret("new", "dockerconfigjson", { auths }))).toBe("none");
  expect(await pull(empty, secret("old", "dockercfg", auths))).toBe("none");
});

test("a pull secret that cannot be used is told of, and none of it is shown", () => {
  const warnings: string[] = [];
  const wrong = {
    name: "b",
    type: "Opaque",
    texts: new Map([["x", "hidden"]]),
    binaries: new Map(),
  };
  const secrets = new Map([["b", wrong]]);
  const spec = { namespace: "n", pullSecrets: ["a", "b"], objects: { ...noObjects, secrets } };
  expect(pullSecretsOf(spec, (message) => void warnings.push(message))).toEqual([]);
  expect(warnings).toEqual([
    "the image pull secret a is not among the manifests; images are pulled without it",
    'the image pull secret b has type "Opaque"; images are pulled without it',
  ]);
});

imageTest("a container that starts later adds its image to those its pod keeps", async () => {
  const root = newRoot();
  const images = new Images(root, { hostsDirectories: [] });
  const state = join(folder, "state");
  mkdirSync(join(state, "uid"), { recursive: true });
  const one = `${registry.host}/team/app:one`;
  const two = `${registry.host}/team/app:two`;
  {
    using first = await prepare(root, one);
    first.keepFor("uid", state);
  }
  {
    using second = await prepare(root, two);
    second.alsoKeepFor("uid", state);
  }
  const layers = () => readdirSync(join(images.store.path, "layers")).length;
  const used = (await images.list()).flatMap(({ usedBy }) => usedBy);
  expect(used).toEqual(["uid", "uid"]);
  await images.remove([one, two], { force: true });
  expect(layers()).toBe(2);
  rmSync(join(state, "uid"), { recursive: true });
  await images.prune();
  expect(layers()).toBe(0);
});
