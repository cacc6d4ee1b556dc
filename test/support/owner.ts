// Owns a pod until it is killed: `bun owner.ts WISH`, where the wish names a manifest to start a
// detached pod from, or the pod to take over.

import type { OpenOptions } from "../../src/pod/types.ts";
import { PodHost } from "../../src/pod/peapod.ts";
import type { PodManifest } from "../../src/read/pod-manifest/read.ts";
import { readPodManifest } from "../../src/read/pod-manifest/read.ts";

export interface OwnerWish {
  readonly open: OpenOptions;
  readonly manifest?: PodManifest;
  readonly uid?: string;
  /** Ends the pod as soon as it is owned. */
  readonly isEnding?: boolean;
}

const wish = JSON.parse(process.argv[2] ?? "") as OwnerWish;
const host = new PodHost(wish.open, (manifest) =>
  readPodManifest(manifest as unknown as PodManifest),
);
console.log("open");
if (wish.manifest) await host.up(readPodManifest(wish.manifest), { lifetime: "detached" });
else if (wish.isEnding) await host.down(wish.uid ?? "", {});
else
  while ((await host.own(wish.uid ?? "", new AbortController().signal)) !== "done")
    await Bun.sleep(5);
console.log("owned");
if (!wish.isEnding) await new Promise(() => setInterval(() => {}, 1 << 30));
