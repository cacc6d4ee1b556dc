// A process of its own whose pod is started under strace: with all that a launch can be asked for.
//
//     bun traced-starter.ts '{"open": …, "manifest": …}'

import { openPeapod } from "../../src/index.ts";
import type { OpenOptions, PodManifest } from "../../src/index.ts";

const wish = JSON.parse(process.argv[2] ?? "") as { open: OpenOptions; manifest: PodManifest };
await using peapod = await openPeapod(wish.open);
await using pod = await peapod.up(wish.manifest);
await pod.exec(["/probe", "cwd"], { tty: true }).result;
await pod.exec(["/probe", "cwd"]).result;
await pod.down({ graceMs: 0 });
