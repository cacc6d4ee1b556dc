// Reading a file of a pod's own volume, for fileKeyRef. Containers write there, so no link takes
// part in the way to it, and nothing but a regular file of a bounded size is read.

import { closeSync, fstatSync, readFileSync } from "node:fs";
import {
  closeFd,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_RDONLY,
  openDirectoryFd,
  SyscallError,
  tryOpenStrictly,
} from "../native/syscalls.ts";

const bytesMax = 1 << 20;
const enoent = 2;

/** Undefined where the file is missing. */
export function readVolumeFile(directory: string, path: string): string | undefined {
  let root = -1;
  try {
    root = openDirectoryFd(directory);
  } catch (error) {
    if (error instanceof SyscallError && error.errno === enoent) return undefined;
    throw error;
  }
  const fd = tryOpenStrictly(root, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  closeFd(root);
  if (fd === -enoent) return undefined;
  if (fd < 0) throw new SyscallError("openat2", -fd);
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw new Error("it is not a regular file");
    if (stat.size > bytesMax) throw new Error(`it has more than the ${bytesMax} bytes allowed`);
    return readFileSync(fd, "utf8").slice(0, bytesMax);
  } finally {
    closeSync(fd);
  }
}
