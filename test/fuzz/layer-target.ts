// The unpacker of layers: whatever an archive says, nothing beside its own directory changes, and
// it is unpacked or refused in words. Real files of real owners and devices, so it needs root.

import { lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LayerWriter, WriteFailed } from "../../src/image/layer-writer.ts";
import { BadArchive } from "../../src/image/tar-header.ts";
import { TarReader } from "../../src/image/tar-reader.ts";
import { closeFd } from "../../src/native/syscalls.ts";
import { openDirectory } from "../../src/native/tree.ts";
import { tarOf } from "../support/tar.ts";
import type { FuzzTarget } from "./fuzzer.ts";

const words = [
  ...["..", "../outside/kept", "/", "/etc/passwd", "\0", "way", "way/", ".wh.", ".wh..wh..opq"],
  ...[".wh...", "9999999999", "77777777777", "\xff", "ustar\0", "././@LongLink", "\x80\xff\xff"],
  ...["20 GNU.sparse.map=0,9\n", "12 path=../a\n", "30 SCHILY.xattr.user.a=b\n", "12 size=9999\n"],
  ...["0", "1", "2", "3", "5", "6", "L", "K", "x", "g", "S"],
];

/** Of every type and format, so that mutations begin where the code is. */
const seeds = [
  tarOf([
    { name: "a/b", content: "text" },
    { name: "way", flag: "2", link: "../outside" },
    { name: "hard", flag: "1", link: "a/b" },
    { name: "way/through", content: "x" },
  ]),
  tarOf([
    { name: "x", content: "y", pax: { path: "long/".repeat(40), mtime: "1.5" } },
    { name: "x", content: "z", pax: { "SCHILY.xattr.user.a": "b", uid: "7" } },
  ]),
  tarOf([
    { name: "d/", flag: "5", mode: 0o1777 },
    { name: "d/.wh.c", content: "" },
    { name: "d/.wh..wh..opq", content: "" },
    { name: "dev", flag: "3", major: 1, minor: 3 },
    { name: "pipe", flag: "6" },
    { name: "L", flag: "L", content: "name/".repeat(30) },
    { name: "short", content: "1" },
  ]),
  tarOf([
    { name: "s", content: "ab", pax: { "GNU.sparse.map": "5,1,9,1", "GNU.sparse.size": "12" } },
  ]),
];

export function layerTarget(): FuzzTarget & Disposable {
  const folder = mkdtempSync(join(tmpdir(), "peapod-fuzz-layer-"));
  const outside = join(folder, "outside");
  mkdirSync(outside);
  writeFileSync(join(outside, "kept"), "as it was");
  const look = () => {
    const { ino, mode, uid, nlink, size, mtimeMs, ctimeMs } = lstatSync(join(outside, "kept"));
    const around = [...readdirSync(folder).toSorted(), ...readdirSync(outside).toSorted()];
    return [ino, mode, uid, nlink, size, mtimeMs, ctimeMs, ...around].join(" ");
  };
  mkdirSync(join(folder, "tree"));
  const before = look();
  return {
    name: "layer",
    words,
    seeds,
    repair: fixSums,
    decode: (input) => {
      const verdict = unpack(input, join(folder, "tree"));
      if (look() !== before) throw new Error(`outside changed: ${before} became ${look()}`);
      rmSync(join(folder, "tree"), { recursive: true });
      mkdirSync(join(folder, "tree"));
      return verdict;
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true }),
  };
}

function unpack(input: Uint8Array, tree: string): string {
  const root = openDirectory(tree);
  try {
    using writer = new LayerWriter(root);
    const reader = new TarReader(writer);
    reader.push(input);
    reader.finish();
    writer.finish();
    return `unpacked ${readdirSync(tree).length}`;
  } catch (error) {
    // What is refused is refused in words; what the disk refuses too.
    if (!(error instanceof BadArchive || error instanceof WriteFailed)) throw error;
    return error.message.replaceAll(/"[^"]*"|\d+/g, "…");
  } finally {
    closeFd(root);
  }
}

/** Or every change would only meet the checksum. */
function fixSums(input: Uint8Array): void {
  const archive = Buffer.from(input.buffer, input.byteOffset, input.length);
  for (let at = 0; at + 512 <= archive.length; at += 512) {
    if (!archive.toString("latin1", at + 257, at + 262).startsWith("ustar")) continue;
    archive.fill(" ", at + 148, at + 156);
    const sum = archive.subarray(at, at + 512).reduce((total, byte) => total + byte, 0);
    archive.write(sum.toString(8).padStart(6, "0"), at + 148, "latin1");
  }
}
