// One launch of peapod operation by operation, from its own trace.
import type { Waterfall } from "../report/schema.ts";
import { fullShape, type Shape, shapeName } from "../shape.ts";
import type { TraceSpan } from "../../src/pod/types.ts";
import { openSite, type Site } from "./site.ts";

const launches = 15;

type Traced = { readonly spans: readonly TraceSpan[]; readonly tookMs: number };

/** The median one of fifteen. */
export async function traceLaunch(directory: string): Promise<Waterfall> {
  const site = await openSite(directory, { isWarm: true });
  try {
    const traced: Traced[] = [];
    for (let launch = 0; launch < launches; launch += 1) {
      traced.push(await traceOnce(site, fullShape));
    }
    const sorted = traced.toSorted((a, b) => a.tookMs - b.tookMs);
    const typical = sorted[Math.floor(launches / 2)];
    return {
      subject: "peapod",
      shape: shapeName(fullShape),
      spans: typical === undefined ? [] : spansOf(typical),
    };
  } finally {
    await site.close();
  }
}

async function traceOnce(site: Site, shape: Shape): Promise<Traced> {
  const manifest = site.manifest(shape);
  const began = performance.now();
  const pod = await site.peapod.up(manifest, { trace: true });
  const tookMs = performance.now() - began;
  const { trace } = pod;
  await pod.down({ graceMs: 0 });
  // Nothing of it may meet the next launch.
  await Bun.sleep(100);
  return { spans: trace, tookMs };
}

/** What lies before and after all operations is JavaScript, the keeper's start, and the answer. */
function spansOf({ spans, tookMs }: Traced): Waterfall["spans"] {
  const startMs = Math.min(...spans.map((span) => span.startMs));
  const endMs = Math.max(...spans.map((span) => span.endMs));
  const around = { lane: "module", stage: "outside the plan" };
  return [
    { ...around, label: "plan, start the keeper", startMs: 0, endMs: startMs },
    ...spans.map((span) => ({
      lane: span.plan,
      label: `${span.operation} ${span.origin}`.trim(),
      stage: span.stage,
      startMs: span.startMs,
      endMs: span.endMs,
    })),
    { ...around, label: "until the call returns", startMs: endMs, endMs: tookMs },
  ];
}
