// Error numbers by name and meaning (include/uapi/asm-generic/errno-base.h, errno.h; the same on
// x86-64 and arm64).

import { constants } from "node:os";
import { getSystemErrorMap } from "node:util";

const byNumber = new Map<number, string>(
  Object.entries(constants.errno).map(([name, number]: [string, number]) => [number, name]),
);

/** `ENOENT`, or `errno 999` for one that this system does not know. */
export function errnoName(errno: number): string {
  return byNumber.get(errno) ?? `errno ${errno}`;
}

/** `connection refused`, in lower case. */
export function errnoText(errno: number): string {
  return textOf(errno) ?? errnoName(errno);
}

/** `ENOENT (no such file or directory)`. */
export function describeErrno(errno: number): string {
  const text = textOf(errno);
  return text === undefined ? errnoName(errno) : `${errnoName(errno)} (${text})`;
}

function textOf(errno: number): string | undefined {
  return getSystemErrorMap().get(-errno)?.[1] ?? extra[errno];
}

/** Those that node:util leaves out. */
const extra: Readonly<Record<number, string>> = {
  8: "not an executable format",
  22: "invalid argument",
  40: "too many symbolic links",
};
