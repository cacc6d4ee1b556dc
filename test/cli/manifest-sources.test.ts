import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { imageMap } from "../../src/cli/image-map.ts";
import { readManifests } from "../../src/cli/manifests.ts";
import type { ManifestFlags } from "../../src/cli/manifests.ts";
import { PodError, printError } from "../../src/errors/pod-error.ts";

const directory = mkdtempSync(`${tmpdir()}/peapod-manifests-`);
afterAll(() => rmSync(directory, { recursive: true }));

const flags: ManifestFlags = {
  file: [],
  recursive: false,
  configmap: [],
  "image-map": [],
  lenient: false,
};

const pod = (name: string, more = "") =>
  `{apiVersion: v1, kind: Pod, metadata: {name: ${name}}, spec: {containers: [{name: a, image: host${more}}]}}`;

function write(files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(`${directory}/${name}`.replace(/\/[^/]*$/, ""), { recursive: true });
    writeFileSync(`${directory}/${name}`, text);
  }
}

const namesIn = async (names: readonly string[], more: Partial<ManifestFlags> = {}) =>
  (await readManifests(names, { ...flags, ...more })).pods.map(({ name }) => name);

async function complaint(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "";
  } catch (error) {
    if (error instanceof PodError) return printError(error);
    throw error;
  }
}

test("a directory is its manifests in the order of their names", async () => {
  write({
    "all/b.yml": pod("b"),
    "all/a.yaml": pod("a"),
    "all/c.json": JSON.stringify({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "c" },
      spec: { containers: [{ name: "a", image: "host" }] },
    }),
    "all/README.md": "no manifest",
    "all/more/d.yaml": pod("d"),
  });
  const all = `${directory}/all`;
  expect(await namesIn([all])).toEqual(["a", "b", "c"]);
  expect(await namesIn([`${all}/`], { recursive: true })).toEqual(["a", "b", "c", "d"]);
  symlinkSync(all, `${all}/more/loop`);
  expect(await namesIn([`${all}/more`, `${all}/b.yml`], { recursive: true })).toEqual(["d", "b"]);
});

test("a directory without manifests, and a link to nothing, are said to be that", async () => {
  mkdirSync(`${directory}/empty`);
  expect(await complaint(namesIn([`${directory}/empty`])))
    .toBe(`error[manifest.unreadable] cannot read ${directory}/empty: it is a directory without manifests
  hint   manifests end in .yaml, .yml or .json; --recursive looks into the directories below`);
  symlinkSync("nowhere", `${directory}/empty/a.yaml`);
  expect(await complaint(namesIn([`${directory}/empty`])))
    .toBe(`error[manifest.unreadable] cannot read ${directory}/empty/a.yaml: there is no such file
  hint   check the name; - reads from stdin`);
});

test("an address is fetched, its credentials are sent and not shown", async () => {
  using server = Bun.serve({
    port: 0,
    fetch: (request) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/moved") return Response.redirect("/web.yaml");
      if (pathname !== "/web.yaml") return new Response("", { status: 404 });
      return new Response(pod("web"));
    },
  });
  const { port } = server;
  expect(await namesIn([`http://127.0.0.1:${port}/moved`])).toEqual(["web"]);
  expect(await complaint(namesIn([`http://me:secret@127.0.0.1:${port}/no`]))).toBe(
    `error[manifest.unreadable] cannot read http://127.0.0.1:${port}/no: the server answered 404 Not Found`,
  );
  expect(await complaint(namesIn(["http://127.0.0.1:1/web.yaml"]))).toBe(
    "error[manifest.unreadable] cannot read http://127.0.0.1:1/web.yaml: nobody listens there",
  );
});

test("an answer without an end is cut, and too large", async () => {
  const block = new Uint8Array(1024 * 1024).fill(0x20);
  using server = Bun.serve({
    port: 0,
    fetch: () =>
      new Response(new ReadableStream({ pull: (controller) => controller.enqueue(block) })),
  });
  expect(await complaint(namesIn([`http://127.0.0.1:${server.port}/`]))).toStartWith(
    `error[manifest.too-large] http://127.0.0.1:${server.port}/ is larger than 10485760 bytes`,
  );
});

test("objects of one file are for the pods of another", async () => {
  write({
    "site.yaml": "{apiVersion: v1, kind: ConfigMap, metadata: {name: site}, data: {a: b}}",
    "web.yaml": pod("web", ", envFrom: [{configMapRef: {name: site}}]"),
  });
  const web = `${directory}/web.yaml`;
  const set = await readManifests([web], { ...flags, configmap: [`${directory}/site.yaml`] });
  expect([...set.pods[0]!.objects.configMaps.keys()]).toEqual(["site"]);
  expect(await complaint(namesIn([web])))
    .toBe(`error[object.not-found] spec.containers[0].envFrom[0]: configmap "site" not found
  from   ${web}:1:105  spec.containers[0].envFrom[0]
  hint   give the object's manifest together with the pod's, or write optional: true`);
  expect(await complaint(namesIn([`${directory}/site.yaml`])))
    .toBe(`error[manifest.no-pod] no Pod in ${directory}/site.yaml
  hint   a Pod starts with apiVersion: v1 and kind: Pod; see examples/hello.yaml`);
});

test("an image map says what runs in an image's place", async () => {
  write({ "images.map": "# what we have here\n\nbusybox = rootfs:/srv/busybox\n" });
  const map = await imageMap([
    "nginx=host",
    `${directory}/images.map`,
    "quay.io/*=rootfs:/srv/any",
  ]);
  const images = [
    "nginx",
    "nginx:latest",
    "docker.io/library/nginx",
    "nginx:1.27",
    "busybox:latest",
    "quay.io/team/app:v1",
    "rootfs:/srv/own",
  ];
  expect(images.map(map)).toEqual([
    "host",
    "host",
    "host",
    "nginx:1.27",
    "rootfs:/srv/busybox",
    "rootfs:/srv/any",
    "rootfs:/srv/own",
  ]);
  expect(await complaint(imageMap(["=x"]))).toBe(
    'error[cli.usage] "=x" is not FROM=TO\n  hint   for example nginx=rootfs:/srv/nginx',
  );
  write({ "mapped.yaml": pod("web").replace("image: host", "image: nginx") });
  const set = await readManifests([`${directory}/mapped.yaml`], {
    ...flags,
    "image-map": ["*=rootfs:/srv/any"],
  });
  expect(set.pods[0]!.containers[0]!.image).toBe("rootfs:/srv/any");
  // Whoever takes over the pod reads its manifest again.
  expect(JSON.stringify(set.pods[0]!.manifest)).not.toContain("nginx");
});
