// Pods of images: pulled from a real registry, stacked, and run as the image says.

import { expect } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Images } from "../../src/image/images.ts";
import { openPeapod, readPodManifests } from "../../src/index.ts";
import { answersOf, hostMissing, openTestHost } from "../support/host.ts";
import { ImageFolder } from "../support/images.ts";
import { testOrSkip } from "../support/must-run.ts";
import { imageToolsMissing, pushLayout, run, TestRegistry } from "../support/registry.ts";
import { listTree } from "../support/trees.ts";

const missing = hostMissing ?? imageToolsMissing;
const imageTest = testOrSkip(missing === undefined, missing ?? "");
const images = { hostsDirectories: [] };

/** Connections to a registry stay open for a while: they are the runtime's, not peapod's. */
async function openImageHost() {
  const host = await openTestHost({ images });
  host.opensItself = false;
  return host;
}

const podOfImage = (name: string, image: string, more: object = {}) => ({
  metadata: { name },
  spec: { containers: [{ name: "app", image, ...more }] },
});

imageTest("a pod runs what its image says, as the user it names", async () => {
  await using registry = await TestRegistry.start();
  using folder = new ImageFolder();
  const passwd = "root:x:0:0::/root:/bin/sh\nweb:x:1002:1003::/srv/home:/bin/sh\n";
  const group = "root:x:0:\nweb:x:1003:\nmedia:x:1500:web,other\n";
  const archives = [
    folder.archive({ "etc/passwd": passwd, "etc/group": group, "srv/low": "low" }, true),
    folder.archive({ "srv/high": "high" }),
  ];
  const name = folder.push(registry, "one", archives, [
    ...["--config.entrypoint", "/probe", "--config.cmd", "ids"],
    ...["--config.env", "COLOUR=green", "--config.user", "web"],
  ]);
  await using host = await openImageHost();
  await using pod = await host.up(podOfImage("web", name));
  const answers = await answersOf(pod);
  expect(answers).toMatchObject({
    app: { ids: { uid: [1002, 1002, 1002], gid: [1003, 1003, 1003], groups: [1003, 1500] } },
  });
  await pod.down();
});

/** A registry with TLS and a password, and what both we and skopeo need to be let in. */
async function openGuarded(): Promise<
  AsyncDisposable & {
    readonly registry: TestRegistry;
    readonly hosts: string;
    readonly flags: readonly string[];
  }
> {
  const user = { name: "alice", password: "se:cret" };
  const registry = await TestRegistry.start({ user, tls: true });
  const folder = mkdtempSync(join(tmpdir(), "peapod-guarded-"));
  const hosts = join(folder, "hosts");
  mkdirSync(join(hosts, registry.host), { recursive: true });
  const text = `server = "${registry.url}"\nca = "${registry.certificate}"\n`;
  writeFileSync(join(hosts, registry.host, "hosts.toml"), text);
  const auth = Buffer.from(`${user.name}:${user.password}`).toString("base64");
  const config = join(folder, "config.json");
  writeFileSync(config, JSON.stringify({ auths: { [registry.host]: { auth } } }));
  process.env["DOCKER_CONFIG"] = folder;
  return {
    ...{ registry, hosts, flags: ["--authfile", config, "--tls-verify=false"] },
    [Symbol.asyncDispose]: async () => {
      delete process.env["DOCKER_CONFIG"];
      rmSync(folder, { recursive: true });
      await registry[Symbol.asyncDispose]();
    },
  };
}

imageTest(
  "pulled, run, committed, pushed and pulled again it is one image for all tools",
  async () => {
    await using guarded = await openGuarded();
    const { registry, hosts, flags } = guarded;
    using folder = new ImageFolder();
    const layers = [
      folder.archive({ "etc/gone": "gone", "etc/kept": "kept", "srv/old": "old" }, true),
      folder.archive({ "srv/new": "new" }),
    ];
    const base = `${registry.host}/team/app:base`;
    const entry = ["--config.entrypoint", "/probe"];
    const creds = ["--dest-creds", "alice:se:cret"];
    pushLayout(folder.layout("base", layers, entry), base, ...creds);

    await using host = await openTestHost({ images: { hostsDirectories: [hosts] } });
    host.opensItself = false;
    const words = ["unlink", "/etc/gone", "create", "/srv/made", "made", "pause"];
    const pod = await host.up(podOfImage("web", base, { args: words }));
    await using peapod = await openPeapod({
      ...host.places,
      images: { hostsDirectories: [hosts] },
    });
    const changes = ["deleted /etc/gone", "added /srv/made"];
    const told = async () =>
      (await peapod.diff("web")).map(({ change, path }) => `${change} ${path}`);
    for (let tries = 0; tries < 100 && (await told()).length < 2; tries += 1) await Bun.sleep(20);
    expect(await told()).toEqual(changes);
    const name = `${registry.host}/team/app:patched`;
    expect(await peapod.commit("web", name)).toBe(name);
    await pod.down();
    const digest = await peapod.images.push(name);

    const inspect = run(["skopeo", "inspect", ...flags, `docker://${name}`]);
    const theirs = JSON.parse(inspect) as { Digest: string; Layers: string[] };
    const other = new Images(join(folder.path, "other"), { hostsDirectories: [hosts] });
    const image = await other.pull(name);
    expect(theirs.Digest).toBe(digest);
    expect(image.digests).toEqual([`${registry.host}/team/app@${digest}`]);
    expect(image.layers.map((layer) => layer.digest)).toEqual(theirs.Layers);

    // umoci unpacks what skopeo fetched; overlayfs shows what we did.
    const layout = `${join(folder.path, "theirs")}:one`;
    const from = flags.map((flag) =>
      flag.replace("--tls", "--src-tls").replace("--authfile", "--src-authfile"),
    );
    run(["skopeo", "copy", "-q", ...from, `docker://${name}`, `oci:${layout}`]);
    const bundle = join(folder.path, "bundle");
    run(["umoci", "raw", "unpack", "--image", layout, bundle]);
    const merged = mergedTree(image.layers.map(({ path = "" }) => path));
    // The top is the writable layer's in a container, whatever layers say of it.
    expect({ ...merged, ".": "" }).toEqual({ ...listTree(bundle), ".": "" });

    const again = podOfImage("again", name, { args: ["ls", "/etc", "read", "/srv/made"] });
    await using next = await host.up({ ...again, spec: { ...again.spec } });
    const { app } = await answersOf(next);
    expect(app).toMatchObject({ "read /srv/made": "made" });
    expect(Object.keys(app?.["ls /etc"] ?? {})).not.toContain("gone");
    await next.down();
  },
  30_000,
);

imageTest("a Secret beside the pod is what its image is pulled with", async () => {
  const user = { name: "alice", password: "se:cret" };
  await using registry = await TestRegistry.start({ user });
  using folder = new ImageFolder();
  const name = `${registry.host}/team/app:one`;
  const layout = folder.layout("one", [folder.archive({}, true)]);
  pushLayout(layout, name, "--dest-creds", `${user.name}:${user.password}`);
  const auths = { [registry.host]: { username: user.name, password: user.password } };
  const secret = {
    ...{ apiVersion: "v1", kind: "Secret", metadata: { name: "registry" } },
    type: "kubernetes.io/dockerconfigjson",
    stringData: { ".dockerconfigjson": JSON.stringify({ auths }) },
  };
  const pod = podOfImage("web", name, { command: ["/probe", "cwd"] });
  const imagePullSecrets = [{ name: "registry" }];
  const spec = { ...pod.spec, imagePullSecrets, restartPolicy: "Never" };
  const documents = [secret, { apiVersion: "v1", kind: "Pod", ...pod, spec }];
  const text = documents.map((document) => JSON.stringify(document)).join("\n---\n");
  await using host = await openImageHost();
  const [read] = readPodManifests(text, "web.yaml");
  if (!read) throw new Error("one pod was written");
  await using running = await host.pods.up(read, {});
  expect(await answersOf(running)).toMatchObject({ app: { cwd: "/" } });
  await running.down();
});

/** As overlayfs stacks them, in a mount namespace that goes at once; the lowest first. */
function mergedTree(layers: readonly string[]): Record<string, string> {
  const place = mkdtempSync(join(tmpdir(), "peapod-merged-"));
  const trees = join(import.meta.dir, "../support/trees.ts");
  const script = join(place, "list.ts");
  const result = join(place, "result.json");
  writeFileSync(
    script,
    `import { listTree } from ${JSON.stringify(trees)};
     await Bun.write(${JSON.stringify(result)}, JSON.stringify(listTree(${JSON.stringify(join(place, "all"))})));`,
  );
  mkdirSync(join(place, "all"));
  const lower = layers.toReversed().join(":");
  const mount = `mount -t overlay none -o lowerdir=${lower} ${join(place, "all")}`;
  const words = ["unshare", "-m", "--propagation", "private", "sh", "-c"];
  run([...words, `${mount} && ${process.execPath} ${script}`]);
  const found: Record<string, string> = JSON.parse(readFileSync(result, "utf8"));
  rmSync(place, { recursive: true });
  return found;
}
