// Medians, percentiles, seeded randomness and bootstrap intervals. Pure; knows nothing of what is
// measured.

/** A generator of numbers in [0, 1) that gives the same sequence for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const left = [...items];
  const order: T[] = [];
  while (left.length > 0) order.push(...left.splice(Math.floor(random() * left.length), 1));
  return order;
}

/** Linear between the two nearest ranks; NaN of nothing. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const rank = part * (sorted.length - 1);
  const below = sorted[Math.floor(rank)] ?? Number.NaN;
  const above = sorted[Math.ceil(rank)] ?? Number.NaN;
  return below + (above - below) * (rank - Math.floor(rank));
}

export const median = (values: readonly number[]): number => quantile(values, 0.5);

export type Interval = { readonly low: number; readonly middle: number; readonly high: number };

/**
 * The median of per-round ratios with its 95 % bootstrap interval. The round is what is resampled,
 * because whatever disturbed the machine disturbed both members of a pair.
 */
export function ratioInterval(
  pairs: readonly { readonly of: number; readonly to: number }[],
  random: () => number,
  resamples = 2000,
): Interval {
  const ratios = pairs.map((pair) => pair.of / pair.to);
  const medians = Array.from({ length: resamples }, () =>
    median(ratios.map(() => ratios[Math.floor(random() * ratios.length)] ?? Number.NaN)),
  );
  return { low: quantile(medians, 0.025), middle: median(ratios), high: quantile(medians, 0.975) };
}
