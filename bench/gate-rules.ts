// What the gate decides, from what was measured and what is allowed. Pure.
import { Type, type Static } from "typebox";
import { Value } from "typebox/value";
import type { Interval } from "./statistics.ts";

const Numbers = Type.Record(Type.String(), Type.Number());

/** `bench/limits.json`. Numbers there may be lowered, and new ones added; nothing else. */
const Limits = Type.Object(
  {
    /** By metric: times the floor's. */
    ratios: Numbers,
    /** By occasion, then by role: system calls until the answer. */
    systemCalls: Type.Record(Type.String(), Numbers),
  },
  { additionalProperties: false },
);

export type Limits = Static<typeof Limits>;

export function parseLimits(text: string): Limits {
  return Value.Parse(Limits, JSON.parse(text));
}

export type Verdict = {
  readonly name: string;
  readonly result: "passed" | "failed" | "skipped";
  readonly why: string;
};

/** Fails only when the interval's lower end is above the limit: noise does not fail a change. */
export function judgeRatios(
  limits: Limits["ratios"],
  measured: ReadonlyMap<string, Interval>,
): Verdict[] {
  return Object.entries<number>(limits).map(([metric, limit]) => {
    const name = `${metric} is at most ${limit} × the floor's`;
    const ratio = measured.get(metric);
    if (ratio === undefined) return { name, result: "failed", why: "it was not measured" };
    const { low, middle, high } = ratio;
    const shown = [middle, low, high].map((value) => value.toFixed(2));
    const why = `${shown[0]} (${shown[1]}–${shown[2]})`;
    // A comparison with NaN is false: what is no number must not pass.
    return { name, result: low <= limit ? "passed" : "failed", why };
  });
}

export type Counts = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** A role that nobody has limited fails: work must not hide in a process that is not counted. */
export function judgeCounts(limits: Limits["systemCalls"], measured: Counts): Verdict[] {
  const occasions = [...new Set([...Object.keys(limits), ...Object.keys(measured)])];
  return occasions.flatMap((occasion) => {
    const [allowed, counted] = [limits[occasion] ?? {}, measured[occasion]];
    const roles = [...new Set([...Object.keys(allowed), ...Object.keys(counted ?? {})])];
    return roles.map((role): Verdict => {
      const limit = allowed[role] ?? 0;
      const name = `${occasion}: ${role} makes at most ${limit} system calls`;
      if (counted === undefined) return { name, result: "failed", why: "it was not counted" };
      const count = counted[role] ?? 0;
      return { name, result: count <= limit ? "passed" : "failed", why: `${count}` };
    });
  });
}

/** What of the younger limits is laxer than the older, or gone. */
export function raisedLimits(older: Limits, younger: Limits): string[] {
  return flatten(older).flatMap(([name, before]) => {
    const after = new Map(flatten(younger)).get(name);
    if (after === undefined) return [`${name}: ${before} → gone`];
    return after > before ? [`${name}: ${before} → ${after}`] : [];
  });
}

function flatten({ ratios, systemCalls }: Limits): (readonly [string, number])[] {
  return [
    ...Object.entries<number>(ratios).map(([name, limit]) => [`ratio of ${name}`, limit] as const),
    ...Object.entries(systemCalls).flatMap(([occasion, roles]) =>
      Object.entries<number>(roles).map(
        ([role, limit]) => [`system calls of ${role} in ${occasion}`, limit] as const,
      ),
    ),
  ];
}
