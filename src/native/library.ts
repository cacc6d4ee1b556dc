// Opening libpeapod.so: which file, for which processor, and whether it speaks our format. Nothing
// else imports bun:ffi but memory.ts.

import { dlopen, FFIType } from "bun:ffi";
import { existsSync, readFileSync, writeSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { PodError } from "../errors/pod-error.ts";
import { layoutHash } from "./layout.gen.ts";

const signatures = {
  peapod_layout: { args: [], returns: "u64" },
  peapod_syscall: {
    args: ["u64", "u64", "u64", "u64", "u64", "u64", "u64"],
    returns: FFIType.i64_fast,
  },
  peapod_spawn: { args: ["ptr"], returns: "i32" },
  peapod_describe: { args: ["ptr", "u64", "ptr", "u64"], returns: FFIType.i64_fast },
} as const;

/** What `engines` in package.json says; a test holds the two equal. */
export const oldestBun = "1.4.5";

export type Library = ReturnType<typeof dlopen<typeof signatures>>["symbols"];

let opened: Library | undefined;

/** Opens on first use, so that `--help` needs no library. */
export function library(): Library {
  opened ??= open();
  return opened;
}

function open(): Library {
  if (process.platform !== "linux") {
    throw new PodError({
      code: "host.not-linux",
      message: `peapod needs Linux and this is ${process.platform}`,
    });
  }
  if (Bun.semver.order(Bun.version, oldestBun) < 0) {
    throw new PodError({
      code: "host.bun-too-old",
      message: `this is Bun ${Bun.version} and peapod needs ${oldestBun}`,
    });
  }
  const path = libraryPath();
  if (!existsSync(path)) {
    throw new PodError({
      code: "host.library-missing",
      message: `the library ${path} does not exist`,
    });
  }
  const stale = (step?: string): PodError =>
    new PodError({
      code: "host.library-stale",
      message: `the library ${path} was built from other sources than this program`,
      ...(step !== undefined && { step }),
    });
  let symbols: Library;
  try {
    ({ symbols } = dlopen(loadablePath(path), signatures));
  } catch (error) {
    throw stale(error instanceof Error ? error.message : String(error));
  }
  if (symbols.peapod_layout() !== layoutHash) throw stale();
  return symbols;
}

/**
 * A compiled executable names its embedded copy here before anything else runs (scripts/build.ts).
 */
declare global {
  var peapodEmbeddedLibrary: string | undefined;
}

function libraryPath(): string {
  return (
    globalThis.peapodEmbeddedLibrary ??
    fileURLToPath(new URL(`../../lib/linux-${process.arch}/libpeapod.so`, import.meta.url))
  );
}

/**
 * An embedded file is loaded from memory: Bun would extract it to a temporary folder without
 * checking what a file there holds, and fails where that folder is mounted noexec.
 */
function loadablePath(path: string): string {
  if (!path.startsWith("/$bunfs/")) return path;
  const { symbols: libc } = dlopen("libc.so.6", {
    memfd_create: { args: ["cstring", "u32"], returns: "i32" },
  });
  const closeOnExec = 1;
  const name = Buffer.from("libpeapod.so\0");
  const fd = libc.memfd_create(name, closeOnExec);
  writeSync(fd, readFileSync(path));
  return `/proc/self/fd/${fd}`;
}
