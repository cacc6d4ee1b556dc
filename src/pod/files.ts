// Files of a running container, opened beneath its root by descriptor: no name in there leads out.

import { closeSync, fstatSync, readSync, writeSync } from "node:fs";
import { PodError } from "../errors/pod-error.ts";
import {
  closeFd,
  O_CREAT,
  O_NONBLOCK,
  O_RDONLY,
  O_TRUNC,
  O_WRONLY,
  openBeneath,
  openDirectoryFd,
  syscall,
} from "../native/syscalls.ts";
import { cString } from "../native/memory.ts";

const bytesMaxDefault = 16 << 20;

/** More than `bytesMax` is an error, not a cut. */
export function readContainerFile(
  pid: number,
  path: string,
  bytesMax = bytesMaxDefault,
): Uint8Array {
  return withFile(pid, path, O_RDONLY | O_NONBLOCK, 0, "read", (fd) => {
    const { size } = fstatSync(fd);
    if (size > bytesMax) throw new Error(`it has ${size} bytes, more than the ${bytesMax} allowed`);
    const buffer = new Uint8Array(bytesMax + 1);
    let length = 0;
    for (;;) {
      const read = readSync(fd, buffer, length, buffer.length - length, null);
      length += read;
      if (length > bytesMax) throw new Error(`it has more than the ${bytesMax} bytes allowed`);
      if (read === 0) return buffer.slice(0, length);
    }
  });
}

export function writeContainerFile(
  pid: number,
  path: string,
  content: Uint8Array | string,
  ownerId: number,
): void {
  const flags = O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK;
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  withFile(pid, path, flags, 0o644, "written", (fd) => {
    const emptyPath = 0x1000;
    if (ownerId !== 0) syscall("fchownat", fd, cString(""), ownerId, ownerId, emptyPath);
    for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done);
  });
}

/** Only regular files: a FIFO would wait, a device would act. */
function withFile<Result>(
  pid: number,
  path: string,
  flags: number,
  mode: number,
  deed: string,
  act: (fd: number) => Result,
): Result {
  let root = -1;
  let fd = -1;
  try {
    root = openDirectoryFd(`/proc/${pid}/root`);
    fd = openBeneath(root, path, flags, mode);
    if (!fstatSync(fd).isFile()) throw new Error("it is not a regular file");
    return act(fd);
  } catch (error) {
    throw new PodError({
      code: "file.unusable",
      message: `${path} cannot be ${deed} in the container`,
      step: error instanceof Error ? error.message : String(error),
    });
  } finally {
    if (fd >= 0) closeSync(fd);
    closeFd(root);
  }
}
