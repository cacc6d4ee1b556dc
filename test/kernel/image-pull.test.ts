// Pulling from a real registry: names, credentials, TLS, breaks, others who pull the same.

import { afterAll, beforeAll, expect } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PodError } from "../../src/errors/pod-error.ts";
import { Images } from "../../src/image/images.ts";
import type { PullProgress, PullSecret } from "../../src/image/types.ts";
import { runCli } from "../support/cli.ts";
import { ImageFolder } from "../support/images.ts";
import { testOrSkip } from "../support/must-run.ts";
import { imageToolsMissing, pushLayout, run, TestRegistry } from "../support/registry.ts";
import { listTree } from "../support/trees.ts";

const imageTest = testOrSkip(imageToolsMissing === undefined, imageToolsMissing ?? "");
const folder = mkdtempSync(join(tmpdir(), "peapod-pull-"));
let registry: TestRegistry;
let archives: ImageFolder;
let name: string;
let roots = 0;

const user = { name: "alice", password: "se:cret" };
const randomText = (bytes: number) => {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(bytes))).toString("base64");
};

beforeAll(async () => {
  if (imageToolsMissing !== undefined) return;
  registry = await TestRegistry.start();
  archives = new ImageFolder();
  const layers = [
    archives.archive({
      "etc/passwd": "root:x:0:0::/root:/bin/sh\n",
      "data/big": randomText(60_000),
    }),
    archives.archive({ "data/more": randomText(60_000) }),
  ];
  name = archives.push(registry, "one", layers);
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  archives[Symbol.dispose]();
  await registry[Symbol.asyncDispose]();
});

/** An empty store. Hosts of this machine's own configuration are not looked at. */
function openImages(hosts: Readonly<Record<string, string>> = {}): Images {
  const root = join(folder, `root-${roots++}`);
  for (const [host, text] of Object.entries<string>(hosts)) {
    mkdirSync(join(root, "hosts", host), { recursive: true });
    writeFileSync(join(root, "hosts", host, "hosts.toml"), text);
  }
  return new Images(root, { hostsDirectories: [join(root, "hosts")] });
}

async function codeOf(attempt: Promise<unknown>): Promise<string> {
  return await attempt.then(
    () => "no error",
    (error: unknown) => (error instanceof PodError ? error.code : String(error)),
  );
}

const blobsOf = (images: Images) => readdirSync(join(images.store.path, "blobs/sha256")).sort();

imageTest("a pull brings what skopeo sees, under the same digests", async () => {
  const images = openImages();
  const states: string[] = [];
  const onProgress = ({ state }: PullProgress) => void states.push(state);
  const image = await images.pull(name, { onProgress });
  const theirs = run(["skopeo", "inspect", "--tls-verify=false", `docker://${name}`]);
  const { Digest, Layers } = JSON.parse(theirs) as { Digest: string; Layers: string[] };
  expect(image.digests).toEqual([`${registry.host}/team/app@${Digest}`]);
  expect(image.layers.map(({ digest }) => digest)).toEqual(Layers);
  expect(new Set(states)).toEqual(new Set(["waiting", "downloading", "unpacking", "done"]));
  const raw = run(["skopeo", "inspect", "--raw", "--tls-verify=false", `docker://${name}`]);
  const hex = Digest.replace("sha256:", "");
  expect(await Bun.file(join(images.store.path, "blobs/sha256", hex)).text()).toBe(raw);
});

imageTest("by its digest it is the same image, and nothing is fetched again", async () => {
  const images = openImages();
  const first = await images.pull(name);
  const digest = first.digests[0] ?? "";
  const asked: string[] = [];
  const second = await images.pull(digest, { onProgress: ({ state }) => void asked.push(state) });
  expect(second.id).toBe(first.id);
  expect(asked).not.toContain("unpacking");
  expect((await images.list()).map(({ names }) => names)).toEqual([[digest, name].sort()]);
});

imageTest("a registry that wants credentials gets them from Docker's file", async () => {
  await using guarded = await TestRegistry.start({ user });
  const target = `${guarded.host}/team/app:one`;
  pushLayout(join(archives.path, "layout:one"), target, "--dest-creds", `alice:${user.password}`);
  const docker = join(folder, "docker");
  mkdirSync(docker, { recursive: true });
  const images = openImages();
  const withAuth = async (auth: object) => {
    writeFileSync(join(docker, "config.json"), JSON.stringify(auth));
    process.env["DOCKER_CONFIG"] = docker;
    try {
      return await codeOf(images.pull(target));
    } finally {
      delete process.env["DOCKER_CONFIG"];
    }
  };
  const auth = (password: string) => Buffer.from(`alice:${password}`).toString("base64");
  const entry = (password: string) => ({ auths: { [guarded.host]: { auth: auth(password) } } });
  expect(await withAuth({})).toBe("image.denied");
  expect(await withAuth(entry("wrong"))).toBe("image.denied");
  expect(await withAuth({ auths: { "127.0.0.1:1": { auth: auth("x") } } })).toBe("image.denied");
  expect(await withAuth(entry(user.password))).toBe("no error");
});

imageTest("pull secrets are tried in turn, each at its own registry alone", async () => {
  await using guarded = await TestRegistry.start({ user });
  const target = `${guarded.host}/team/app:one`;
  pushLayout(join(archives.path, "layout:one"), target, "--dest-creds", `alice:${user.password}`);
  const secret = (host: string, password: string): PullSecret => ({
    name: "default/registry",
    type: "kubernetes.io/dockerconfigjson",
    data: Buffer.from(JSON.stringify({ auths: { [host]: { username: "alice", password } } })),
  });
  const pullWith = (...pullSecrets: PullSecret[]) =>
    codeOf(openImages().pull(target, { pullSecrets }));
  expect(await pullWith()).toBe("image.denied");
  expect(await pullWith(secret(guarded.host, "wrong"))).toBe("image.denied");
  expect(await pullWith(secret("127.0.0.1:1", user.password))).toBe("image.denied");
  const right = secret(guarded.host, user.password);
  expect(await pullWith(secret(guarded.host, "wrong"), right)).toBe("no error");
});

imageTest(
  "a registry with a token server is pulled from and pushed to with its tokens",
  async () => {
    await using guarded = await TestRegistry.start({ user, token: true });
    const target = `${guarded.host}/team/app`;
    // Not at once: the token server answers in this process.
    const skopeo = ["skopeo", "copy", "-q", "--dest-tls-verify=false", "--dest-creds"];
    const from = `oci:${join(archives.path, "layout:one")}`;
    const words = [...skopeo, `alice:${user.password}`, from, `docker://${target}:one`];
    expect(await Bun.spawn(words).exited).toBe(0);
    const images = openImages();
    expect(await codeOf(images.pull(`${target}:one`))).toBe("image.denied");
    expect(guarded.tokens?.asked.at(-1)).toBe("repository:team/app:pull?");
    const docker = join(folder, "docker-token");
    mkdirSync(docker);
    process.env["DOCKER_CONFIG"] = docker;
    const auth = (password: string) => Buffer.from(`alice:${password}`).toString("base64");
    const write = (password: string) => {
      const auths = { [guarded.host]: { auth: auth(password) } };
      writeFileSync(join(docker, "config.json"), JSON.stringify({ auths }));
    };
    try {
      write("wrong");
      expect(await codeOf(images.pull(`${target}:one`))).toBe("image.denied");
      write(user.password);
      const pulled = await images.pull(`${target}:one`);
      guarded.tokens?.asked.splice(0);
      const digest = await images.push(`${target}:one`, `${target}:two`);
      expect(new Set(guarded.tokens?.asked)).toEqual(new Set(["repository:team/app:pull,push"]));
      const again = await openImages().pull(`${target}:two`);
      expect([again.id, again.digests]).toEqual([pulled.id, [`${target}@${digest}`]]);
    } finally {
      delete process.env["DOCKER_CONFIG"];
    }
  },
);

imageTest("a registry with TLS is believed by its certificate, or not at all", async () => {
  await using secure = await TestRegistry.start({ tls: true });
  const target = `${secure.host}/team/app:one`;
  pushLayout(join(archives.path, "layout:one"), target);
  const server = `server = "${secure.url}"\n`;
  const pullWith = (more: string) =>
    codeOf(openImages({ [secure.host]: server + more }).pull(target));
  expect(await pullWith("")).toBe("image.unreachable");
  expect(await pullWith(`ca = "${secure.certificate}"\n`)).toBe("no error");
  expect(await pullWith("skip_verify = true\n")).toBe("no error");
});

imageTest(
  "a mirror is asked first, and passed over when it fails",
  async () => {
    const hosts = (mirror: string) => ({
      "docker.io": `server = "http://${registry.host}"\n[host."${mirror}"]\ncapabilities = ["pull", "resolve"]\n`,
    });
    const short = "team/app:one";
    const images = openImages(hosts(`http://${registry.host}`));
    expect((await images.pull(short)).names).toEqual([`docker.io/${short}`]);
    expect(await codeOf(openImages(hosts("http://127.0.0.1:1")).pull(short))).toBe("no error");
  },
  20_000,
);

imageTest("what is not there, or not for this machine, is said so", async () => {
  const images = openImages();
  expect(await codeOf(images.pull(`${registry.host}/team/app:other`))).toBe("image.not-found");
  expect(await codeOf(images.pull(`${registry.host}/nobody/app`))).toBe("image.not-found");
  expect(await codeOf(images.pull(name, { platform: "linux/s390x" }))).toBe("image.unsupported");
  expect(await codeOf(images.get("nothing"))).toBe("image.not-found");
  expect(await images.list()).toEqual([]);
});

imageTest("a blob that is not what its digest says is not kept", async () => {
  await using broken = await TestRegistry.start();
  const target = `${broken.host}/team/app:one`;
  pushLayout(join(archives.path, "layout:one"), target);
  const raw = run(["skopeo", "inspect", "--tls-verify=false", `docker://${target}`]);
  const [layer = ""] = (JSON.parse(raw) as { Layers: string[] }).Layers;
  const hex = layer.replace("sha256:", "");
  const blobs = join(broken.folder, "storage/docker/registry/v2/blobs/sha256");
  const blob = join(blobs, hex.slice(0, 2), hex, "data");
  const { size } = statSync(blob);
  writeFileSync(blob, Buffer.alloc(size, 1));
  const images = openImages();
  expect(await codeOf(images.pull(target))).toBe("image.digest-mismatch");
  expect(blobsOf(images)).not.toContain(hex);
  expect(await images.list()).toEqual([]);
});

imageTest(
  "two processes that pull the same image both have it, and it was unpacked once",
  async () => {
    const images = openImages();
    const root = join(images.store.path, "..");
    const pulls = [1, 2, 3].map(() => runCli(["pull", "--root", root, name]));
    const results = await Promise.all(pulls);
    expect(results.map(({ status, err }) => (status === 0 ? 0 : err))).toEqual([0, 0, 0]);
    const unpacked = results.flatMap(({ err }) => err.match(/unpacking/g) ?? []);
    expect(unpacked.length).toBeGreaterThanOrEqual(2);
    expect(readdirSync(join(images.store.path, "layers"))).toHaveLength(2);
    expect(readdirSync(join(images.store.path, "drafts"))).toEqual([]);
  },
  30_000,
);

imageTest(
  "pulls that are killed at any point leave a store that the next one finishes",
  async () => {
    const many = Object.fromEntries(
      Array.from({ length: 1000 }, (_, index) => [`data/${index % 30}/${index}`, `${index}`]),
    );
    const layers = [archives.archive(many), archives.archive({ "data/big": randomText(9 << 20) })];
    const target = archives.push(registry, "killed", layers);
    const program = join(import.meta.dir, "../../pod.ts");
    const pull = ({ store }: Images) =>
      Bun.spawn([process.execPath, program, "pull", "--root", join(store.path, ".."), target], {
        stdio: ["ignore", "ignore", "ignore"],
      });
    const whole = openImages();
    const start = performance.now();
    expect(await pull(whole).exited).toBe(0);
    const wholeMs = performance.now() - start;
    const wanted = await whole.get(target);
    const treeOf = ({ store }: Images, layer: string) =>
      listTree(join(store.layerPath(layer), "root"));
    let images = openImages();
    let interrupted = 0;
    for (let round = 0; round < 12; round += 1) {
      const child = pull(images);
      await Bun.sleep(wholeMs * (0.1 + 0.9 * Math.random()));
      child.kill("SIGKILL");
      await child.exited;
      // Whatever is named is whole, and whatever is a layer is complete.
      const names = (await images.list()).flatMap((image) => image.names);
      const kept = readdirSync(join(images.store.path, "layers"));
      for (const layer of kept) expect(treeOf(images, layer)).toEqual(treeOf(whole, layer));
      if (images.store.names("drafts").length + images.store.names("partial").length > 0) {
        interrupted += 1;
      }
      if (names.length === 0) continue;
      expect([names, kept.length]).toEqual([[target], 2]);
      images = openImages();
    }
    // A test that never met a pull at work would say nothing.
    expect(interrupted).toBeGreaterThan(0);
    expect((await images.pull(target)).id).toBe(wanted.id);
    await images.prune();
    expect(images.store.names("drafts")).toEqual([]);
    expect(blobsOf(images)).toEqual(blobsOf(whole));
  },
  90_000,
);

imageTest(
  "a registry that dies in the middle is an error, and the rest comes later",
  async () => {
    await using mortal = await TestRegistry.start();
    const big = archives.archive({ "data/huge": randomText(24 << 20) });
    const target = archives.push(mortal, "huge", [big]);
    const images = openImages();
    let isDead: Promise<void> | undefined;
    const onProgress = ({ state, bytes }: PullProgress) => {
      if (state === "downloading" && bytes > 1 << 20) isDead ??= mortal.kill();
    };
    expect(await codeOf(images.pull(target, { onProgress }))).toBe("image.unreachable");
    await isDead;
    const partial = readdirSync(join(images.store.path, "partial"));
    expect(partial).toHaveLength(1);
    await mortal.resume();
    const starts: number[] = [];
    const note = ({ state, bytes }: PullProgress) =>
      void (state === "downloading" && starts.push(bytes));
    await images.pull(target, { onProgress: note });
    expect(starts[0]).toBeGreaterThan(1 << 20);
  },
  60_000,
);

imageTest("a pull that is given up ends at once", async () => {
  const images = openImages();
  const stop = new AbortController();
  const onProgress = () => stop.abort(new Error("enough"));
  const said = await codeOf(images.pull(name, { onProgress, signal: stop.signal }));
  expect(said).toBe("Error: enough");
  expect(await images.list()).toEqual([]);
  expect((await images.pull(name)).names).toEqual([name]);
});

imageTest("names are given and taken, and what nothing names goes", async () => {
  const images = openImages();
  const { id } = await images.pull(name);
  await images.tag(name, "mine:1");
  expect((await images.list()).map(({ names }) => names.length)).toEqual([2]);
  const first = await images.remove([name]);
  expect({ names: first.names, layers: first.layers }).toEqual({ names: [name], layers: 0 });
  expect((await images.get("mine:1")).id).toBe(id);
  expect(await codeOf(images.remove(["mine:2"]))).toBe("image.not-found");
  const last = await images.remove([id.slice(7, 19)]);
  expect({ layers: last.layers, blobs: last.blobs }).toEqual({ layers: 2, blobs: 4 });
  expect(blobsOf(images)).toEqual([]);
});
