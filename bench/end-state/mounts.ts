// A container's mounts as fields, one for each place: type, options and propagation, without what
// differs from run to run.
import type { EndState } from "./questions.ts";

/** A line of mountinfo as zig/guest/files.zig prints it. */
export type MountAnswer = {
  readonly root: string;
  readonly target: string;
  readonly options: string;
  readonly propagation: string;
  readonly fstype: string;
  readonly superOptions: string;
};

/** Several mounts on one place are listed from the lowest to the topmost. */
export function describeMounts(mounts: readonly MountAnswer[] | undefined): EndState {
  const fields: Record<string, string> = {};
  for (const mount of mounts ?? []) {
    const field = `mount ${mount.target}`;
    const below = fields[field];
    fields[field] = below === undefined ? describe(mount) : `${below}; ${describe(mount)}`;
  }
  return fields;
}

function describe({ fstype, options, superOptions, propagation, root }: MountAnswer): string {
  const own = words(options);
  const shared = words(superOptions).filter((word) => !isChance(word));
  const whole = root === "/" || !isDisk(fstype) ? "" : ", a part of it";
  const [mine, its] = [own.join(","), shared.join(",")];
  return `${fstype}${whole}, ${mine}, of ${its}, ${describePeers(propagation)}`;
}

const words = (text: string): string[] => text.split(",").filter(Boolean).sort();

/** For file systems of the kernel's own, what is shown is the file system or a mask of it. */
const isDisk = (fstype: string): boolean => fstype !== "tmpfs";

/** Paths of one run, and what an overlay derives from the file system below it. */
const isChance = (option: string): boolean =>
  /^(lowerdir|upperdir|workdir|uuid|xino|redirect_dir|index|metacopy|nr_inodes|inode64)\b/.test(
    option,
  );

/** man 5 proc_pid_mountinfo: the numbers of peer groups mean nothing outside. */
function describePeers(propagation: string): string {
  const kinds = propagation.split(" ").map((field) => field.replace(/:.*/, ""));
  if (kinds.includes("shared") && kinds.includes("master")) return "shared slave";
  if (kinds.includes("shared")) return "shared";
  return kinds.includes("master") ? "slave" : "private";
}
