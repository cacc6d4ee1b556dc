// The files of a pod's containers, as the module offers them. The code for archives is loaded on
// first use.

import type { CopyPlace } from "./copy/place.ts";
import { readContainerFile, writeContainerFile } from "./files.ts";
import type { Pod } from "./types.ts";

interface FilesHost {
  readonly name: string;
  /** Of the pod's user namespace; 0 without one. */
  readonly firstId: number;
  /** Of a running container, the default one unless named. */
  pidOf(container: string | undefined): number;
}

export function podFiles(host: FilesHost): Pod["files"] {
  const placeOf = (container: string | undefined): CopyPlace => ({
    root: `/proc/${host.pidOf(container)}/root`,
    subject: `pod ${host.name}`,
    firstId: host.firstId,
  });
  return {
    write: async (path, bytes, options = {}) => {
      writeContainerFile(host.pidOf(options.container), path, bytes, host.firstId);
    },
    read: async (path, options = {}) =>
      readContainerFile(host.pidOf(options.container), path, options.bytesMax),
    kind: async (path, { container, followLink = true } = {}) => {
      const { kindOf } = await import("./copy/place.ts");
      return kindOf(placeOf(container), path, followLink);
    },
    pack: async function* (path, { container, ...options }) {
      const { packTree } = await import("./copy/pack.ts");
      yield* packTree(placeOf(container), path, options);
    },
    unpack: async (directory, archive, { container, ...options } = {}) => {
      const { unpackTree } = await import("./copy/unpack.ts");
      await unpackTree(placeOf(container), directory, archive, options);
    },
  };
}
