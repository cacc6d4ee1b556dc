// One launch of the floor call by call, from what it writes down itself.
import { type Answer, startFloor } from "../floor.ts";
import type { Waterfall } from "../report/schema.ts";
import { fullShape, shapeName } from "../shape.ts";

const launches = 15;

type Span = Answer["spans"][number];

/** The median one of fifteen. What nobody is at work in (`wait`) is left blank. */
export async function traceFloor(directory: string): Promise<Waterfall> {
  const floor = await startFloor("best", fullShape, { directory, calls: true });
  try {
    const traced: Span[] = [];
    for (let launch = 0; launch < launches; launch += 1) {
      const { spans } = await floor.ask("launch");
      traced.push(...spans.filter(({ span }) => span === "up"));
    }
    const sorted = traced.toSorted((a, b) => a.wallNs - b.wallNs);
    const typical = sorted[Math.floor(sorted.length / 2)];
    return {
      subject: "floor",
      shape: shapeName(fullShape),
      spans: typical === undefined ? [] : spansOf(typical),
    };
  } finally {
    await floor.end();
  }
}

function spansOf({ wallNs, calls }: Span): Waterfall["spans"] {
  const lanes = laneNames(calls);
  return calls.flatMap(([process, step, call, , , start, end], index) => {
    // A call without an end lasts until its process writes down the next one.
    const next = calls.slice(index + 1).find(([number]) => number === process)?.[5];
    const [startNs, endNs] = [Math.max(0, start), Math.min(end ?? next ?? wallNs, wallNs)];
    if (step === "wait" || call.startsWith("exit") || endNs <= startNs) return [];
    const lane = lanes.get(process) ?? "";
    return [{ lane, label: call, stage: step, startMs: startNs / 1e6, endMs: endNs / 1e6 }];
  });
}

/** By number: the launcher, its keeper, then helpers, and containers, which exec a program. */
function laneNames(calls: Span["calls"]): Map<number, string> {
  const names = new Map<number, string>();
  let containers = 0;
  for (const process of [...new Set(calls.map(([number]) => number))].toSorted((a, b) => a - b)) {
    const execs = calls.some(([number, , call]) => number === process && call === "execve");
    const name = ["launcher", "keeper"][process] ?? (execs ? `c${containers++}` : "helper");
    names.set(process, name);
  }
  return names;
}
