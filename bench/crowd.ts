// A host with more mounts than usual, without touching the host: a private mount namespace that the
// measured program is started in.

import { rmdir } from "node:fs/promises";

/**
 * The command, run in a mount namespace with `mounts` further mounts. Below `directory.mounts`,
 * which must not hold anything; the mounts are gone with the namespace's last process, and the
 * directory with `leaveCrowd`.
 */
export function inCrowd(
  command: readonly string[],
  options: { readonly mounts: number; readonly directory: string },
): string[] {
  if (options.mounts === 0) return [...command];
  const script =
    'd=$1; n=$2; shift 2; mkdir -p "$d"; mount -t tmpfs none "$d"; i=0; ' +
    'while [ $i -lt $n ]; do mkdir "$d/$i"; mount -t tmpfs none "$d/$i"; i=$((i+1)); done; ' +
    'exec "$@"';
  const words = [`${options.directory}.mounts`, String(options.mounts), ...command];
  return ["unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh", ...words];
}

/** When the command has ended; a crowd of none has left nothing. */
export async function leaveCrowd(directory: string): Promise<void> {
  await rmdir(`${directory}.mounts`).catch(() => {});
}
