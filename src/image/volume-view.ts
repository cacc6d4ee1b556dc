// What a subPath of an image volume shows: the directories that overlayfs would merge there, found
// as overlayfs finds them. Layers never change and are root's alone, so what was looked at stays.

import type { Stats } from "node:fs";
import { lstatSync } from "node:fs";
import { join } from "node:path";
import { PodError } from "../errors/pod-error.ts";
import { closeFd } from "../native/syscalls.ts";
import * as tree from "../native/tree.ts";

/** What a volume takes from its image. */
export interface PreparedVolume {
  readonly id: string;
  /** Directories, the topmost first. */
  readonly layers: readonly string[];
  /** The directories to stack, the topmost first, or one file. `subPath` is relative and clean. */
  readonly view: (subPath: string) => readonly string[];
}

export function prepareVolume(
  id: string,
  layers: readonly string[],
  subject: string,
): PreparedVolume {
  return { id, layers, view: (subPath) => viewOf(layers, subPath, subject) };
}

function viewOf(layers: readonly string[], subPath: string, subject: string): readonly string[] {
  const missing = (why: string) =>
    new PodError({
      code: "volume.subpath-missing",
      message: `${JSON.stringify(subPath)} ${why} in the image ${subject}`,
    });
  let places: readonly string[] = layers;
  let isFile = false;
  for (const name of subPath.split("/").filter((part) => part !== "" && part !== ".")) {
    if (isFile) throw missing("leads through a file");
    const found = stackOf(places, name);
    const [top] = found;
    if (top === undefined) throw missing("does not exist");
    if (top.stat.isSymbolicLink()) throw missing("leads over a symbolic link");
    isFile = !top.stat.isDirectory();
    places = found.map(({ path }) => path);
  }
  return places;
}

interface Place {
  readonly path: string;
  readonly stat: Stats;
}

/** Of the directories `above` the same one: what `name` is in them, merged. */
function stackOf(above: readonly string[], name: string): readonly Place[] {
  const found: Place[] = [];
  for (const directory of above) {
    const path = join(directory, name);
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat === undefined) continue;
    // A whiteout, or whatever else is no directory, ends a stack; alone it is what there is.
    const isWhiteout = stat.isCharacterDevice() && stat.rdev === 0;
    if (isWhiteout || (!stat.isDirectory() && found.length > 0)) break;
    found.push({ path, stat });
    if (!stat.isDirectory() || isOpaque(path)) break;
  }
  return found;
}

function isOpaque(path: string): boolean {
  const fd = tree.openDirectory(path);
  try {
    return tree.readXattr(fd, ".", "trusted.overlay.opaque")?.[0] === 0x79;
  } finally {
    closeFd(fd);
  }
}
