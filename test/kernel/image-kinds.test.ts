// The kinds of image that registries hold: Docker's and OCI's, one platform or several, layers
// packed in each way. They come as they are, and show the same files.

import { afterAll, beforeAll, expect } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PodError } from "../../src/errors/pod-error.ts";
import { Images } from "../../src/image/images.ts";
import { hostPlatform, mediaTypes } from "../../src/image/manifest.ts";
import { ImageFolder } from "../support/images.ts";
import { testOrSkip } from "../support/must-run.ts";
import { imageToolsMissing, run, TestRegistry } from "../support/registry.ts";
import { listTree } from "../support/trees.ts";

const imageTest = testOrSkip(imageToolsMissing === undefined, imageToolsMissing ?? "");
const folder = mkdtempSync(join(tmpdir(), "peapod-kinds-"));
const other = hostPlatform.architecture === "amd64" ? "arm64" : "amd64";
let registry: TestRegistry;
let archives: ImageFolder;
let roots = 0;

beforeAll(async () => {
  if (imageToolsMissing !== undefined) return;
  registry = await TestRegistry.start();
  archives = new ImageFolder();
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  archives[Symbol.dispose]();
  await registry[Symbol.asyncDispose]();
});

const openImages = () => new Images(join(folder, `root-${roots++}`), { hostsDirectories: [] });
const nameOf = (tag: string, where = registry) => `${where.host}/team/app:${tag}`;

/** With what skopeo is told about how to pack it. */
function push(name: string, source: string, ...flags: readonly string[]): string {
  run(["skopeo", "copy", "-q", "--dest-tls-verify=false", ...flags, source, `docker://${name}`]);
  return name;
}

function rawOf(name: string): string {
  return run(["skopeo", "inspect", "--raw", "--tls-verify=false", `docker://${name}`]);
}

const digestOf = (text: string) =>
  `sha256:${new Bun.CryptoHasher("sha256").update(text).digest("hex")}`;

imageTest("Docker's manifests, OCI's, gzip and zstd are one image's files", async () => {
  const layers = [archives.archive({ "a/b": "low" }), archives.archive({ "a/c": "high" })];
  const layout = archives.layout("kinds", layers);
  // Where skopeo knows of no other packing that would do.
  await using apart = await TestRegistry.start();
  // skopeo packs only what it finds unpacked.
  const plain = `dir:${join(folder, "plain")}`;
  run(["skopeo", "copy", "-q", "--dest-decompress", `oci:${layout}`, plain]);
  const zstd = `oci:${join(folder, "zstd")}:1`;
  const packing = ["--format", "oci", "--dest-compress", "--dest-compress-format", "zstd"];
  run(["skopeo", "copy", "-q", ...packing, plain, zstd]);
  const names = {
    docker: push(nameOf("docker"), `oci:${layout}`, "--format", "v2s2"),
    gzip: push(nameOf("gzip"), `oci:${layout}`),
    zstd: push(nameOf("zstd", apart), zstd),
  };
  const trees: unknown[] = [];
  const types: string[] = [];
  for (const name of Object.values<string>(names)) {
    const image = await openImages().pull(name);
    expect(image.digests).toEqual([name.replace(/:\w+$/, `@${digestOf(rawOf(name))}`)]);
    trees.push(image.layers.map(({ path = "" }) => listTree(path)));
    types.push(image.layers[0]?.mediaType ?? "");
  }
  expect(types).toEqual([
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd",
  ]);
  expect(trees[1]).toEqual(trees[0]);
  expect(trees[2]).toEqual(trees[0]);
});

for (const [kind, listType, format] of [
  ["an OCI index", "application/vnd.oci.image.index.v1+json", "oci"],
  ["a list of Docker's", "application/vnd.docker.distribution.manifest.list.v2+json", "v2s2"],
] as const) {
  imageTest(`of ${kind} the manifest for this machine is taken`, async () => {
    const manifests = [other, hostPlatform.architecture].map((architecture) => {
      const tag = `${format}-${architecture}`;
      const archive = archives.archive({ "etc/arch": architecture });
      const settings = ["--architecture", architecture, "--os", "linux"];
      const source = `oci:${archives.layout(tag, [archive], settings)}`;
      const raw = rawOf(push(nameOf(tag), source, "--format", format));
      // umoci leaves it out.
      const { mediaType = mediaTypes.ociManifest } = JSON.parse(raw) as { mediaType?: string };
      const platform = { os: "linux", architecture };
      return { mediaType, digest: digestOf(raw), size: raw.length, platform };
    });
    // What builders add beside images: it is for no platform, and never chosen.
    const [first] = manifests;
    const attestation = { ...first, platform: { os: "unknown", architecture: "unknown" } };
    const index = JSON.stringify({
      ...{ schemaVersion: 2, mediaType: listType },
      manifests: [attestation, ...manifests],
    });
    const sent = await fetch(`${registry.url}/v2/team/app/manifests/${format}-list`, {
      method: "PUT",
      headers: { "content-type": listType },
      body: index,
    });
    expect(sent.status).toBe(201);
    const name = nameOf(`${format}-list`);
    const images = openImages();
    const contentOf = async (platform?: string) => {
      const image = await images.pull(name, platform === undefined ? {} : { platform });
      expect(image.digests).toEqual([`${registry.host}/team/app@${digestOf(index)}`]);
      return readFileSync(join(image.layers[0]?.path ?? "", "etc/arch"), "utf8");
    };
    expect(await contentOf()).toBe(hostPlatform.architecture);
    expect(await contentOf(`linux/${other}`)).toBe(other);
    const failure = await images.pull(name, { platform: "linux/s390x" }).catch(String);
    expect(String(failure)).toContain(`it has no image for linux/s390x, only`);
    const byDigest = `${registry.host}/team/app@${digestOf(index)}`;
    expect((await openImages().pull(byDigest)).layers).toHaveLength(1);
  });
}

imageTest("what is no image, or none for containers, is refused by name", async () => {
  const images = openImages();
  const bodies = {
    "a list that leads to itself": { schemaVersion: 2, manifests: [] },
    "an old manifest": { schemaVersion: 1, name: "team/app", tag: "old", fsLayers: [] },
  };
  const types = ["application/vnd.oci.image.index.v1+json", "application/json"];
  for (const [index, [what, body]] of Object.entries<object>(bodies).entries()) {
    using server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: () => Response.json(body, { headers: { "content-type": types[index] ?? "" } }),
    });
    const failure = await images
      .pull(`127.0.0.1:${server.port}/team/app:1`)
      .catch((error: unknown) => error);
    expect([what, failure instanceof PodError && failure.code]).toEqual([
      what,
      "image.unsupported",
    ]);
  }
});
