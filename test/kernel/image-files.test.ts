// Images as files, and to registries: what others wrote is read, what we write others read, and
// digests stay what they are.

import { afterAll, beforeAll, expect } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Images } from "../../src/image/images.ts";
import { PodError } from "../../src/errors/pod-error.ts";
import { runCli } from "../support/cli.ts";
import { ImageFolder } from "../support/images.ts";
import { testOrSkip } from "../support/must-run.ts";
import { imageToolsMissing, run, TestRegistry } from "../support/registry.ts";
import { listTree } from "../support/trees.ts";

const imageTest = testOrSkip(imageToolsMissing === undefined, imageToolsMissing ?? "");
const folder = mkdtempSync(join(tmpdir(), "peapod-files-"));
let made: ImageFolder;
let image: string;
let roots = 0;

beforeAll(() => {
  if (imageToolsMissing !== undefined) return;
  made = new ImageFolder();
  const layers = [made.archive({ "etc/motd": "low" }), made.archive({ "srv/file": "high" })];
  image = made.layout("one", layers, ["--config.cmd", "/bin/app"]);
});
afterAll(() => {
  made[Symbol.dispose]();
  rmSync(folder, { recursive: true, force: true });
});

const openImages = () => new Images(join(folder, `root-${roots++}`), { hostsDirectories: [] });
const place = (name: string) => join(folder, name);

function digestOf(source: string): string {
  return run(["skopeo", "inspect", "--tls-verify=false", "--format", "{{.Digest}}", source]).trim();
}

/** What a container would see, as umoci sees it. */
function treesOf(images: Images, layers: readonly { readonly path: string | undefined }[]) {
  expect(images.store.path).toContain(folder);
  return layers.map(({ path = "" }) => listTree(path));
}

imageTest("a layout, its archive and Docker's archive are the same image", async () => {
  const images = openImages();
  expect(await images.load(join(made.path, "layout"), { name: "from/layout:1" })).toEqual([
    "docker.io/from/layout:1",
  ]);
  run(["skopeo", "copy", "-q", `oci:${image}`, `oci-archive:${place("oci.tar")}:team/app:1`]);
  expect(await images.load(place("oci.tar"))).toEqual(["docker.io/team/app:1"]);
  run(["skopeo", "copy", "-q", `oci:${image}`, `docker-archive:${place("docker.tar")}:team/app:2`]);
  expect(await images.load(place("docker.tar"))).toEqual(["docker.io/team/app:2"]);
  const [layout, oci, docker] = await Promise.all(
    ["from/layout:1", "team/app:1", "team/app:2"].map((name) => images.get(name)),
  );
  expect(oci?.id).toBe(layout?.id ?? "");
  expect(layout?.digests[0]).toContain(digestOf(`oci:${image}`));
  expect(docker?.layers.map(({ diffId }) => diffId)).toEqual(
    layout?.layers.map(({ diffId }) => diffId) ?? [],
  );
  expect(treesOf(images, docker?.layers ?? [])).toEqual(treesOf(images, layout?.layers ?? []));
  expect(readdirSync(join(images.store.path, "layers"))).toHaveLength(2);
  expect(readdirSync(join(images.store.path, "drafts"))).toEqual([]);
});

imageTest("what was saved is read by skopeo, by umoci and by ourselves", async () => {
  const images = openImages();
  await images.load(join(made.path, "layout"), { name: "team/app:1" });
  const root = join(images.store.path, "..");
  const file = place("saved.tar");
  expect(await runCli(["save", "--root", root, "-f", file, "team/app:1"])).toMatchObject({
    err: "",
    status: 0,
  });
  expect(digestOf(`oci-archive:${file}`)).toBe(digestOf(`oci:${image}`));
  run(["skopeo", "copy", "-q", `docker-archive:${file}`, `oci:${place("again")}:one`]);
  await images.save(["team/app:1"], { directory: place("layout") });
  expect(digestOf(`oci:${place("layout")}`)).toBe(digestOf(`oci:${image}`));
  const theirs = place("theirs");
  run(["umoci", "raw", "unpack", "--image", `${place("layout")}:1`, theirs]);
  expect(Object.keys(listTree(theirs))).toEqual([".", "etc", "etc/motd", "srv", "srv/file"]);
  const other = openImages();
  const piped = Bun.spawnSync(["gzip", "-c", file]);
  const loaded = await other.load(new Blob([piped.stdout]).stream());
  expect(loaded).toEqual(["docker.io/team/app:1"]);
  const [ours, copy] = [await images.get("team/app:1"), await other.get("team/app:1")];
  expect(copy.digests).toEqual(ours.digests);
});

imageTest("the command line loads from a pipe and saves to one", async () => {
  const [from, to] = [openImages(), openImages()];
  await from.load(join(made.path, "layout"), { name: "team/app:1" });
  const rootOf = ({ store }: Images) => join(store.path, "..");
  const program = join(import.meta.dir, "../../pod.ts");
  const command = (words: string) => `${process.execPath} ${program} ${words}`;
  const pipe = `${command(`save --root ${rootOf(from)} team/app:1`)} | ${command(`load --root ${rootOf(to)}`)}`;
  expect(run(["bash", "-c", `set -o pipefail; ${pipe}`])).toBe("loaded docker.io/team/app:1\n");
  expect((await to.get("team/app:1")).id).toBe((await from.get("team/app:1")).id);
});

imageTest("pull, push and pull again leave every digest as it was", async () => {
  await using registry = await TestRegistry.start();
  const images = openImages();
  const first = `${registry.host}/team/app:one`;
  run(["skopeo", "copy", "-q", "--dest-tls-verify=false", `oci:${image}`, `docker://${first}`]);
  const pulled = await images.pull(first);
  const second = `${registry.host}/other/copy:two`;
  const digest = await images.push(first, second);
  expect(digestOf(`docker://${second}`)).toBe(digest);
  expect(digest).toBe(digestOf(`docker://${first}`));
  const raw = (name: string) =>
    run(["skopeo", "inspect", "--raw", "--tls-verify=false", `docker://${name}`]);
  expect(raw(second)).toBe(raw(first));
  const again = await openImages().pull(second);
  expect(again.id).toBe(pulled.id);
  expect(again.layers.map(({ digest: own }) => own)).toEqual(
    pulled.layers.map(({ digest: own }) => own),
  );
});

imageTest("what is no image archive is refused in words", async () => {
  const images = openImages();
  const said = async (source: string) =>
    await images.load(source).then(
      () => "loaded",
      (error: unknown) => (error instanceof PodError ? error.code : String(error)),
    );
  writeFileSync(place("text"), "no archive at all".repeat(100));
  writeFileSync(place("empty"), "");
  run(["tar", "-cf", place("other.tar"), "-C", made.path, "layout/oci-layout"]);
  run(["bash", "-c", `head -c 3000 ${place("oci.tar")} > ${place("cut.tar")}`]);
  for (const name of ["text", "empty", "other.tar", "cut.tar", "nowhere"]) {
    expect([name, await said(place(name))]).toEqual([name, "image.bad-archive"]);
  }
  expect(await images.list()).toEqual([]);
});

imageTest("a layout whose blob is another one is refused", async () => {
  const images = openImages();
  run(["cp", "-r", join(made.path, "layout"), place("forged")]);
  const blobs = join(place("forged"), "blobs/sha256");
  const layer = (await openImages().load(place("forged"), { name: "x:1" })).length;
  expect(layer).toBe(1);
  for (const name of readdirSync(blobs)) {
    const bytes = await Bun.file(join(blobs, name)).bytes();
    if (bytes[0] === 0x1f) writeFileSync(join(blobs, name), Buffer.concat([bytes, bytes]));
  }
  const said = await images
    .load(place("forged"), { name: "x:1" })
    .catch((error: PodError) => error);
  expect(said).toMatchObject({ code: "image.digest-mismatch" });
  expect(await images.list()).toEqual([]);
});

imageTest(
  "a disk that is full is said so, and when there is room the same load works",
  async () => {
    const disk = place("disk");
    const tree = join(made.path, "many");
    mkdirSync(tree);
    for (let index = 0; index < 400; index += 1) writeFileSync(join(tree, `${index}`), "x");
    const many = made.layout("many", [made.pack(tree)]);
    run(["skopeo", "copy", "-q", `oci:${many}`, `oci-archive:${place("many.tar")}:team/many:1`]);
    mkdirSync(disk);
    const program = join(import.meta.dir, "../../pod.ts");
    const load = `${process.execPath} ${program} load --root ${disk}/root ${place("many.tar")}`;
    // In a mount namespace of its own: nothing of it is seen outside.
    const script = `
    mount -t tmpfs -o size=100m none ${disk}; ${load} 2>&1; echo "status $?"
    mount -o remount,size=900m,nr_inodes=200 ${disk}; ${load} 2>&1; echo "status $?"
    echo "layers $(ls ${disk}/root/images/layers | wc -l) drafts $(ls ${disk}/root/images/drafts | wc -l)"
    mount -o remount,nr_inodes=5000 ${disk}; ${load}; echo "status $?"
  `;
    const said = run(["unshare", "-m", "--propagation", "private", "bash", "-c", script]);
    const lines = said
      .split("\n")
      .filter((line) => /^(error|status|layers|loaded|  step)/.test(line));
    expect(lines.map((line) => line.replace(/sha256:\w+/, "DIGEST"))).toEqual([
      "error[image.store-failed] cannot unpack DIGEST",
      "  step   less than 256 MiB are left on the disk",
      "status 125",
      "error[image.store-failed] cannot unpack DIGEST",
      expect.stringMatching(/^ {2}step {3}cannot make "\.\/\d+".*: ENOSPC$/),
      ...["status 125", "layers 0 drafts 0", "loaded docker.io/team/many:1", "status 0"],
    ]);
  },
  20_000,
);

const buildTest = testOrSkip(
  imageToolsMissing === undefined && Bun.which("buildah") !== null,
  imageToolsMissing ?? "needs buildah (npm run test:setup)",
);

buildTest("what buildah makes is loaded as buildah says it is", async () => {
  const buildah = (...words: string[]) =>
    run([
      ...["buildah", "--root", place("buildah"), "--runroot", place("buildah-run")],
      ...["--storage-driver", "vfs", ...words],
    ]).trim();
  writeFileSync(place("motd"), "built");
  const container = buildah("from", "scratch");
  buildah("copy", container, place("motd"), "/etc/motd");
  buildah("config", "--cmd", '["/bin/app"]', "--user", "5:6", "--stop-signal", "QUIT", container);
  const archive = `oci-archive:${place("buildah.tar")}:team/built:1`;
  buildah("commit", "-q", container, archive);
  const images = openImages();
  expect(await images.load(place("buildah.tar"))).toEqual(["docker.io/team/built:1"]);
  const image = await images.get("team/built:1");
  expect(image.config.config).toMatchObject({ Cmd: ["/bin/app"], User: "5:6", StopSignal: "QUIT" });
  expect(image.digests[0]).toContain(digestOf(`oci-archive:${place("buildah.tar")}`));
  expect(Object.keys(listTree(image.layers[0]?.path ?? ""))).toEqual([".", "etc", "etc/motd"]);
});
