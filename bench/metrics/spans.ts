// Timing of one span: wall time, and the CPU time of all that worked for it.
import type { Sample } from "../cell.ts";
import type { SpanName } from "../metric.ts";
import { monotonicNs } from "../../src/native/syscalls.ts";

export type Span<T> = {
  readonly value: T;
  readonly beganNs: bigint;
  readonly wallUs: number;
  readonly cpuUs: number;
};

/** The CPU time is read outside the wall time. */
export async function timed<T>(cpu: () => number, work: () => Promise<T>): Promise<Span<T>> {
  const before = cpu();
  const beganNs = monotonicNs();
  const value = await work();
  const wallUs = sinceUs(beganNs, monotonicNs());
  return { value, beganNs, wallUs, cpuUs: cpu() - before };
}

export function sinceUs(fromNs: bigint, toNs: bigint): number {
  return Number(toNs - fromNs) / 1000;
}

/** `up` and `up-cpu`, and so on. */
export function sampleOf(name: SpanName, spans: readonly Span<unknown>[]): Sample {
  return {
    [name]: spans.map(({ wallUs }) => wallUs),
    [`${name}-cpu`]: spans.map(({ cpuUs }) => cpuUs),
  };
}

/** The last of the stamps, counted from when the span began. */
export function lastStampUs(span: Span<unknown>, stamps: readonly bigint[]): number {
  const last = stamps.reduce((latest, stamp) => (stamp > latest ? stamp : latest), 0n);
  if (last < span.beganNs) throw new Error("a container's first instruction was before its start");
  return sinceUs(span.beganNs, last);
}
