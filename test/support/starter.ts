// A process of its own that starts a pod and stays, to be killed by a test at any instant.
//
//     bun starter.ts '{"open": …, "manifest": …, "options": …}'
//
// Says `ready` before it starts the pod, and `up` when that has returned.

import { writeSync } from "node:fs";
import { openPeapod } from "../../src/index.ts";
import type { OpenOptions, PodManifest, UpOptions } from "../../src/index.ts";

interface Wish {
  readonly open: OpenOptions;
  readonly manifest: PodManifest;
  readonly options: UpOptions;
}

const { open, manifest, options } = JSON.parse(process.argv[2] ?? "") as Wish; // A test's own.
const peapod = await openPeapod(open);
writeSync(1, "ready\n");
await peapod.up(manifest, options);
writeSync(1, "up\n");
setInterval(() => {}, 1 << 30);
