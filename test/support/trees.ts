// What a directory holds, in every detail that an image can carry.

import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { closeFd } from "../../src/native/syscalls.ts";
import { openDirectory, readXattrs } from "../../src/native/tree.ts";

/** Path → kind, mode, owner, time, links, content and xattrs, each as one line. */
export function listTree(root: string): Record<string, string> {
  const found: Record<string, string> = {};
  const inodes = new Map<bigint, string>();
  const visit = (path: string) => {
    const place = join(root, path);
    const stat = lstatSync(place, { bigint: true });
    const first = inodes.get(stat.ino) ?? path;
    if (!stat.isDirectory()) inodes.set(stat.ino, first);
    found[path] = [
      stat.mode.toString(8),
      `${stat.uid}:${stat.gid}`,
      `${stat.mtimeNs}`,
      ...(stat.isFile() ? [`${stat.size}`, hashOf(place)] : []),
      ...(stat.isSymbolicLink() ? [`-> ${readlinkSync(place)}`] : []),
      ...(stat.isCharacterDevice() || stat.isBlockDevice() ? [`device ${stat.rdev}`] : []),
      ...(first === path ? [] : [`= ${first}`]),
      ...xattrsOf(root, path),
    ].join(" ");
    if (stat.isDirectory()) for (const name of readdirSync(place).sort()) visit(join(path, name));
  };
  visit(".");
  return found;
}

function hashOf(path: string): string {
  return new Bun.CryptoHasher("sha256").update(readFileSync(path)).digest("hex").slice(0, 16);
}

function xattrsOf(root: string, path: string): string[] {
  const parent = openDirectory(root);
  try {
    return [...readXattrs(parent, path)]
      .map(([name, value]) => `${name}=${Buffer.from(value).toString("hex")}`)
      .sort();
  } finally {
    closeFd(parent);
  }
}
