// Layers as files: the same as umoci's, whatever the archive; and nothing of a hostile one.

import { afterAll, expect } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { unpackLayer } from "../../src/image/unpack.ts";
import { closeFd } from "../../src/native/syscalls.ts";
import { openDirectory, trySetXattr } from "../../src/native/tree.ts";
import { digestOf } from "../../src/image/store.ts";
import { ImageFolder } from "../support/images.ts";
import { testOrSkip } from "../support/must-run.ts";
import { imageToolsMissing, run } from "../support/registry.ts";
import type { TarItem } from "../support/tar.ts";
import { tarOf } from "../support/tar.ts";
import { listTree } from "../support/trees.ts";

const imageTest = testOrSkip(imageToolsMissing === undefined, imageToolsMissing ?? "");
const folder = mkdtempSync(join(tmpdir(), "peapod-unpack-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;

async function unpack(archive: Uint8Array): Promise<{ tree: string; implicit: readonly string[] }> {
  const tree = join(folder, `tree-${count}`);
  const blob = join(folder, `blob-${count++}`);
  mkdirSync(tree);
  writeFileSync(blob, archive);
  const options = { compression: "none", blobBytes: archive.length } as const;
  const { implicit } = await unpackLayer(blob, tree, { ...options, diffId: digestOf(archive) });
  return { tree, implicit };
}

async function refusal(items: readonly TarItem[]): Promise<string> {
  return await unpack(tarOf(items)).then(
    () => "accepted",
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
}

/** Everything that a file system can hold, made by the programs that make it. */
function makeTree(tree: string): void {
  mkdirSync(tree);
  const place = (name: string) => join(tree, name);
  writeFileSync(place("plain"), "content");
  run(["ln", place("plain"), place("hard")]);
  run(["ln", "-s", "../nowhere", place("soft")]);
  run(["mknod", place("null"), "c", "1", "3"]);
  run(["mknod", place("disk"), "b", "259", "70000"]);
  run(["mkfifo", "-m", "640", place("fifo")]);
  mkdirSync(place("sticky"));
  chmodSync(place("sticky"), 0o1777);
  writeFileSync(place("setuid"), "x");
  run(["chown", "1234:5678", place("setuid")]);
  chmodSync(place("setuid"), 0o4755);
  writeFileSync(place("capable"), "x");
  const parent = openDirectory(tree);
  const capability = Buffer.from("0100000200040000000000000000000000000000", "hex");
  trySetXattr(parent, "capable", "security.capability", capability);
  trySetXattr(parent, "plain", "user.colour", Buffer.from("green"));
  trySetXattr(parent, "sticky", "trusted.secret", Buffer.from("yes"));
  closeFd(parent);
  const deep = join(tree, ..."abcdefgh".split("").map((letter) => letter.repeat(60)));
  mkdirSync(deep, { recursive: true });
  writeFileSync(join(deep, "n".repeat(255)), "long");
  writeFileSync(place("ünïcödé"), "utf-8");
  run(["truncate", "-s", "64M", place("sparse")]);
  run([
    "dd",
    "if=/dev/urandom",
    `of=${place("sparse")}`,
    "bs=4096",
    "count=3",
    "seek=1000",
    "conv=notrunc",
  ]);
  run(["touch", "-d", "1969-12-31T23:59:58.5Z", place("plain")]);
  run(["touch", "-h", "-d", "2001-02-03T04:05:06.123456789Z", place("soft"), place("sticky")]);
}

const formats = {
  gnu: ["--format=gnu"],
  pax: ["--format=pax", "--xattrs", "--xattrs-include=*"],
  "sparse in GNU's old way": ["--format=gnu", "-S"],
  "sparse 0.0": ["--format=pax", "-S", "--sparse-version=0.0"],
  "sparse 0.1": ["--format=pax", "-S", "--sparse-version=0.1"],
  "sparse 1.0": ["--format=pax", "-S", "--sparse-version=1.0"],
} as const;

for (const [name, flags] of Object.entries<readonly string[]>(formats)) {
  imageTest(`what GNU tar packed as ${name} comes out as GNU tar itself unpacks it`, async () => {
    const source = join(folder, "source");
    if (!readdirSync(folder).includes("source")) makeTree(source);
    const archive = join(folder, "made.tar");
    run(["tar", ...flags, "-cf", archive, "-C", source, "."]);
    const { tree, implicit } = await unpack(await Bun.file(archive).bytes());
    const theirs = join(folder, `theirs-${count}`);
    mkdirSync(theirs);
    const xattrs = ["--xattrs", "--xattrs-include=*"];
    run(["tar", "-xpf", archive, ...xattrs, "--same-owner", "-C", theirs]);
    expect(listTree(tree)).toEqual(listTree(theirs));
    expect(implicit).toEqual([]);
  });
}

imageTest("an image's tree is umoci's, file by file", async () => {
  using images = new ImageFolder();
  const source = join(folder, "source");
  if (!readdirSync(folder).includes("source")) makeTree(source);
  const archive = images.pack(source);
  const image = images.layout("one", [archive]);
  const theirs = join(images.path, "theirs");
  run(["umoci", "raw", "unpack", "--image", image, theirs]);
  const { tree } = await unpack(await Bun.file(archive).bytes());
  expect(listTree(tree)).toEqual(listTree(theirs));
});

const outside = join(folder, "outside");
const dots = "../".repeat(30);
const link = (name: string, target: string): TarItem => ({ name, flag: "2", link: target });
const file = (name: string): TarItem => ({ name, content: "hostile" });

/** What a stranger may send, and what is said of it. */
const hostile: Readonly<Record<string, readonly [items: readonly TarItem[], said: string]>> = {
  "a path that goes up": [[file("../escaped")], 'a path goes up: "../escaped"'],
  "a path that goes up from below": [[file("a/../../escaped")], "a path goes up"],
  "an absolute path": [[file(`${outside}/escaped`)], "a path is absolute"],
  "a path that goes up in a pax header": [
    [{ name: "x", content: "hostile", pax: { path: "../escaped" } }],
    'a path goes up: "../escaped"',
  ],
  "a path with a zero byte": [[{ name: "x", pax: { path: "a\0b" } }], "a path has a zero byte"],
  "a file through a link": [
    [link("way", outside), file("way/escaped")],
    "leads through a link, or through what is no directory",
  ],
  "a file through a link that goes up": [
    [link("way", dots), file("way/tmp/escaped")],
    "leads through a link",
  ],
  "a directory over a link, used": [
    [link("way", outside), { name: "way/", flag: "5" }, file("way/kept")],
    "accepted",
  ],
  "a file over a link": [[link("way", `${outside}/kept`), file("way")], "accepted"],
  "a hard link to the outside": [
    [{ name: "hard", flag: "1", link: `${outside}/kept` }],
    "the target of a hard link is absolute",
  ],
  "a hard link that goes up": [
    [{ name: "hard", flag: "1", link: `${dots}etc/passwd` }],
    "the target of a hard link goes up",
  ],
  "a hard link through a link": [
    [link("way", outside), { name: "hard", flag: "1", link: "way/kept" }],
    "leads through a link",
  ],
  "a file through a hard link to a link": [
    [link("way", `${outside}/kept`), { name: "hard", flag: "1", link: "way" }, file("hard")],
    "accepted",
  ],
  "a hard link to nothing": [
    [{ name: "hard", flag: "1", link: "nowhere" }],
    "which the layer does not hold",
  ],
  "a whiteout of the parent": [[file(".wh...")], "hides no name"],
  "a whiteout of nothing": [[file("a/.wh.")], "hides no name"],
  "a whiteout of the directory itself": [[file("a/.wh..")], "hides no name"],
  "overlayfs's own device": [
    [{ name: "gone", flag: "3", major: 0, minor: 0 }],
    "is a device 0:0, overlayfs's own mark",
  ],
  "overlayfs's own attributes": [
    [{ name: "a", flag: "5", pax: { "SCHILY.xattr.trusted.overlay.redirect": "/etc" } }],
    'has the attribute "trusted.overlay.redirect"',
  ],
  "a device of impossible numbers": [
    [{ name: "a", flag: "4", major: 0o777777, minor: 0 }],
    "is a device 262143:0",
  ],
  "a name longer than names are": [
    [{ name: "x", pax: { path: "n".repeat(256) } }],
    "longer than 255",
  ],
  "a path longer than paths are": [
    [{ name: "x", pax: { path: "n/".repeat(2048) } }],
    "longer than 4095 bytes",
  ],
  "a path deeper than any image's": [
    [{ name: "x", pax: { path: "n/".repeat(300) } }],
    "is deeper than 256 directories",
  ],
  "a link to nothing at all": [[link("empty", "")], "is a link to no possible name"],
  "a link longer than links are": [
    [{ name: "x", flag: "2", pax: { linkpath: "n".repeat(5000) } }],
    "is a link to no possible name",
  ],
  "a header bomb": [[{ name: "x", flag: "x", size: 2 ** 30 }], "an extended header is longer than"],
  "a long name bomb": [[{ name: "x", flag: "L", size: 2 ** 32 }], "an extended header is longer"],
  "a file larger than its disk": [[{ name: "x", size: 2 ** 33 - 1 }], "the archive is cut off"],
  "a sparse file of absurd size": [
    [
      {
        name: "x",
        pax: {
          "GNU.sparse.map": "0,0",
          "GNU.sparse.size": String(2 ** 50),
          "GNU.sparse.name": "x",
        },
      },
    ],
    "says that it has 1125899906842624 bytes",
  ],
  "a sparse file whose pieces overlap": [
    [{ name: "x", content: "ab", pax: { "GNU.sparse.map": "5,1,0,1", "GNU.sparse.size": "9" } }],
    "the pieces of a sparse file overlap",
  ],
  "a size that no number holds": [
    [{ name: "x", pax: { size: "99999999999999999999" } }],
    'a pax header has the size "99999999999999999999"',
  ],
  "an owner that nobody can be": [
    [{ name: "x", pax: { uid: "4294967295" } }],
    "belongs to 4294967295:0, which nobody can be",
  ],
  "a damaged pax header": [
    [{ name: "x", flag: "x", content: "9 a=b\n" }],
    "a pax header is damaged",
  ],
  "a type that nobody knows": [[{ name: "x", flag: "Z" }], 'is of the unknown type "Z"'],
  "a file in the place of a full directory": [
    [file("a/b"), file("a")],
    "takes the place of a directory that is not empty",
  ],
  "an attribute larger than attributes are": [
    [{ name: "x", pax: { "SCHILY.xattr.user.big": "v".repeat(70_000) } }],
    "has an attribute of 70000 bytes",
  ],
};

for (const [name, [items, said]] of Object.entries(hostile)) {
  imageTest(`${name}: ${said === "accepted" ? "stays inside" : "refused"}`, async () => {
    mkdirSync(outside, { recursive: true });
    writeFileSync(join(outside, "kept"), "as it was");
    const before = listTree(outside);
    const etc = Bun.hash(await Bun.file("/etc/passwd").bytes());
    expect(await refusal(items)).toContain(said);
    expect(listTree(outside)).toEqual(before);
    expect(Bun.hash(await Bun.file("/etc/passwd").bytes())).toBe(etc);
    expect(readdirSync(folder).filter((entry) => entry.includes("escaped"))).toEqual([]);
  });
}

imageTest("names that differ by case or by their Unicode form are different files", async () => {
  const names = ["File", "file", "\u00e9", "e\u0301"];
  const items = names.map((path) => ({ name: "x", content: path, pax: { path } }));
  const { tree } = await unpack(tarOf(items));
  expect(readdirSync(tree).sort()).toEqual([...names].sort());
});

imageTest("whiteouts become overlayfs's, and the layer's own files win over them", async () => {
  const { tree, implicit } = await unpack(
    tarOf([
      ...[{ name: "a/", flag: "5" }, file("a/.wh.gone")],
      ...[{ name: "b/", flag: "5" }, file("b/.wh..wh..opq"), file("b/new")],
      ...[file(".wh.c"), { name: "c/", flag: "5" }],
      ...[{ name: "d/", flag: "5" }, file(".wh.d"), file(".wh.e"), file("e")],
      file("walked/through"),
    ]),
  );
  const found = listTree(tree);
  const marks = (path: string) => found[path]?.match(/device 0|trusted.overlay.opaque=79/)?.[0];
  expect(["a/gone", "a", "b", "c", "d", "e"].map(marks)).toEqual([
    ...["device 0", undefined, "trusted.overlay.opaque=79", "trusted.overlay.opaque=79"],
    ...["trusted.overlay.opaque=79", undefined],
  ]);
  expect(implicit).toEqual(["walked"]);
});

imageTest("a tree as deep as trees may be is made, and can be removed again", async () => {
  const path = "n/".repeat(255);
  const { tree } = await unpack(tarOf([{ name: "x", content: "deep", pax: { path: `${path}x` } }]));
  rmSync(tree, { recursive: true });
  expect(readdirSync(folder)).not.toContain(tree.slice(folder.length + 1));
});

const bombs = {
  gzip: (bytes: Uint8Array<ArrayBuffer>) => Bun.gzipSync(bytes),
  zstd: (bytes: Uint8Array<ArrayBuffer>) => Bun.zstdCompressSync(bytes),
} as const;

for (const compression of ["gzip", "zstd"] as const) {
  imageTest(`a decompression bomb of ${compression} is stopped, in bounded memory`, async () => {
    const blob = join(folder, "bomb");
    const pack = bombs[compression];
    // A file of zeros: some hundred bytes for each mebibyte.
    const head = tarOf([{ name: "zeros", size: 2 ** 33 - 1 }]).slice(0, 512);
    const zeros = pack(new Uint8Array(64 << 20));
    const frames = [pack(Uint8Array.from(head)), ...Array.from({ length: 40 }, () => zeros)];
    writeFileSync(blob, Buffer.concat(frames));
    const tree = join(folder, "bombed");
    mkdirSync(tree);
    Bun.gc(true);
    const before = process.memoryUsage.rss();
    let most = 0;
    const watch = setInterval(() => (most = Math.max(most, process.memoryUsage.rss())), 10);
    const options = { compression, blobBytes: 100_000, diffId: digestOf("") };
    const said = await unpackLayer(blob, tree, options).catch(String);
    clearInterval(watch);
    expect(said).toContain("a decompression bomb");
    // More than a gibibyte came out of it.
    expect(most - before).toBeLessThan(192 << 20);
    rmSync(tree, { recursive: true });
  });
}
