// A directory tree that files are copied from or to: the root of a container, or the host's.

import { fstatSync } from "node:fs";
import { PodError } from "../../errors/pod-error.ts";
import { describeErrno } from "../../native/errno.ts";
import type { SyscallError } from "../../native/syscalls.ts";
import {
  closeFd,
  O_NOFOLLOW,
  O_PATH,
  openBeneath,
  openDirectoryFd,
} from "../../native/syscalls.ts";

export interface CopyPlace {
  /** A path that leads to its root: `/proc/PID/root`, or `/`. */
  readonly root: string;
  /** For errors: `container app`, `this host`. */
  readonly subject: string;
  /** What the tree calls id 0 on the host; its user namespace's first. */
  readonly firstId: number;
}

export type FileKind = "file" | "directory" | "symlink" | "other";

/** The host as its user sees it. */
export const hostPlace: CopyPlace = { root: "/", subject: "this host", firstId: 0 };

/** Undefined where there is no such name. Links are followed, and never lead out of the root. */
export function kindOf(place: CopyPlace, path: string, followLink = true): FileKind | undefined {
  try {
    return withOpened(place, path, followLink, (fd) => {
      const stat = fstatSync(fd);
      if (stat.isDirectory()) return "directory";
      if (stat.isSymbolicLink()) return "symlink";
      return stat.isFile() ? "file" : "other";
    });
  } catch (error) {
    const noEntry = 2;
    if (isSyscallError(error) && error.errno === noEntry) return undefined;
    throw asPodError(place, path, error);
  }
}

/** Opened as a process with that root would find it, only to be named. */
export function openPlace(place: CopyPlace, path: string, followLink: boolean): number {
  const root = openDirectoryFd(place.root);
  try {
    return openBeneath(root, path, O_PATH | (followLink ? 0 : O_NOFOLLOW), 0);
  } finally {
    closeFd(root);
  }
}

function withOpened<Result>(
  place: CopyPlace,
  path: string,
  followLink: boolean,
  act: (fd: number) => Result,
): Result {
  const fd = openPlace(place, path, followLink);
  try {
    return act(fd);
  } finally {
    closeFd(fd);
  }
}

export function asPodError({ subject }: CopyPlace, path: string, error: unknown): unknown {
  if (error instanceof PodError) return error;
  const step = isSyscallError(error) ? describeErrno(error.errno) : String(messageOf(error));
  return new PodError({
    code: "file.unusable",
    message: `${path} cannot be copied, on ${subject}`,
    step,
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function isSyscallError(error: unknown): error is SyscallError {
  return error instanceof Error && error.name === "SyscallError";
}
