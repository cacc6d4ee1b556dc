// What a launch did and when: as text for the terminal, and as a trace file for chrome://tracing
// and Perfetto.

import type { TraceSpan } from "../pod/types.ts";
import type { Paint } from "./paint.ts";
import { cycleColour } from "./paint.ts";
import { clean } from "./text.ts";

const barColumns = 40;

/** One line an operation: plan, operation, where its time lies in the launch, how long it took. */
export function printWaterfall(spans: readonly TraceSpan[], paint: Paint): string {
  const endMs = Math.max(0, ...spans.map((span) => span.endMs));
  const plans = [...new Set(spans.map(({ plan }) => plan))];
  const planWidth = widest(spans.map(({ plan }) => clean(plan)));
  const nameWidth = widest(spans.map(({ operation }) => clean(operation)));
  const lines = spans
    .toSorted((a, b) => a.startMs - b.startMs || a.endMs - b.endMs)
    .map((span) => {
      const colour = cycleColour(plans.indexOf(span.plan));
      const bar = paint(colour, printBar(span, endMs));
      const took = `${((span.endMs - span.startMs) * 1000).toFixed(0)} µs`.padStart(9);
      const name = `${pad(clean(span.plan), planWidth)}  ${pad(clean(span.operation), nameWidth)}`;
      return `${name}  ${bar}  ${took}  ${clean(span.origin)}`.trimEnd();
    });
  const total = `${spans.length} operations in ${endMs.toFixed(2)} ms`;
  return `${[...lines, total].join("\n")}\n`;
}

/** Even the shortest operation shows. */
function printBar({ startMs, endMs }: TraceSpan, totalMs: number): string {
  const scale = totalMs === 0 ? 0 : barColumns / totalMs;
  const start = Math.min(Math.floor(startMs * scale), barColumns - 1);
  const length = Math.max(1, Math.min(Math.round((endMs - startMs) * scale), barColumns - start));
  return (" ".repeat(start) + "█".repeat(length)).padEnd(barColumns);
}

function widest(texts: readonly string[]): number {
  return Math.max(0, ...texts.map((text) => Bun.stringWidth(text)));
}

function pad(text: string, width: number): string {
  return text + " ".repeat(width - Bun.stringWidth(text));
}

/**
 * Trace Event Format: complete events in microseconds, a process for each pod, a thread for each
 * plan.
 */
export function chromeTrace(
  pods: readonly { readonly label: string; readonly spans: readonly TraceSpan[] }[],
): string {
  const events = pods.flatMap(({ label, spans }, index) => {
    const plans = [...new Set(spans.map(({ plan }) => plan))];
    const pid = index + 1;
    const names = plans.map((plan, thread) => ({
      ph: "M",
      name: "thread_name",
      pid,
      tid: thread + 1,
      args: { name: plan },
    }));
    const complete = spans.map((span) => ({
      ph: "X",
      name: span.operation,
      cat: span.stage,
      pid,
      tid: plans.indexOf(span.plan) + 1,
      ts: span.startMs * 1000,
      dur: (span.endMs - span.startMs) * 1000,
      args: { origin: span.origin },
    }));
    return [{ ph: "M", name: "process_name", pid, args: { name: label } }, ...names, ...complete];
  });
  return `${JSON.stringify({ traceEvents: events, displayTimeUnit: "ns" })}\n`;
}
