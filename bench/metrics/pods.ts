// Whole pods through peapod's module: their start, their end, their whole life.
import type { Sample } from "../cell.ts";
import type { Shape } from "../shape.ts";
import type { Pod } from "../../src/pod/types.ts";
import { firstInstructions, type Site, startExisting } from "./site.ts";
import { lastStampUs, sampleOf, timed } from "./spans.ts";

export async function launchOnce(site: Site, shape: Shape): Promise<Sample> {
  await using _ = await startExisting(site, shape);
  const manifest = site.manifest(shape);
  const up = await timed(site.cpu, () => site.peapod.up(manifest));
  const pod = up.value;
  const first = lastStampUs(up, await firstInstructions(pod));
  const down = await timed(site.cpu, () => pod.down({ graceMs: 0 }));
  return { ...sampleOf("up", [up]), first: [first], ...sampleOf("down", [down]) };
}

export async function liveOnce(site: Site, shape: Shape): Promise<Sample> {
  await using _ = await startExisting(site, shape);
  const manifest = site.manifest({ ...shape, containers: 1 }, ["/stamp", "exit"]);
  const life = await timed(site.cpu, async () => {
    const pod = await site.peapod.up(manifest);
    await pod.container("c0").exited;
    await pod.down({ graceMs: 0 });
  });
  return sampleOf("lifecycle", [life]);
}

export async function execInOne(site: Site, shape: Shape, count: number): Promise<Sample> {
  await using _ = await startExisting(site, shape);
  await using pod = await site.peapod.up(site.manifest(shape));
  const spans = [];
  const firsts = [];
  for (let index = 0; index < count; index += 1) {
    const span = await timed(site.cpu, () => pod.exec(["/stamp", "exit"]).result);
    const { exitCode, stdout } = span.value;
    if (exitCode !== 0 || stdout.length !== 8)
      throw new Error(`the command ended with ${exitCode}`);
    spans.push(span);
    firsts.push(lastStampUs(span, [Buffer.from(stdout).readBigUInt64LE()]));
  }
  return { ...sampleOf("exec", spans), "exec-first": firsts };
}

/** So many started at a time: a launch for each CPU would leave none for what answers them. */
const batch = 10;

export async function endMany(site: Site, shape: Shape, count: number): Promise<Sample> {
  const pods: Pod[] = [];
  for (let started = 0; started < count; started += batch) {
    const next = Array.from({ length: Math.min(batch, count - started) }, () =>
      site.peapod.up(site.manifest(shape)),
    );
    pods.push(...(await Promise.all(next)));
  }
  const down = await timed(site.cpu, () =>
    Promise.all(pods.map((pod) => pod.down({ graceMs: 0 }))),
  );
  return sampleOf("mass-down", [down]);
}

/** Each loop makes the next pod when its last one is gone. */
export async function makeMany(
  site: Site,
  shape: Shape,
  { concurrency, durationMs }: { readonly concurrency: number; readonly durationMs: number },
): Promise<Sample> {
  const cycles: number[] = [];
  const ends: number[] = [];
  const began = performance.now();
  const cpuBefore = site.cpu();
  const loop = async () => {
    while (performance.now() - began < durationMs) {
      const start = performance.now();
      const pod = await site.peapod.up(site.manifest(shape));
      await pod.down({ graceMs: 0 });
      const end = performance.now();
      cycles.push((end - start) * 1000);
      ends.push((end - began) * 1000);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, loop));
  const seconds = (performance.now() - began) / 1000;
  return {
    rate: [cycles.length / seconds],
    cycle: cycles,
    "cycle-cpu": [(site.cpu() - cpuBefore) / cycles.length],
    "cycle-end": ends,
  };
}
