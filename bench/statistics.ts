// Medians, percentiles, slopes, seeded randomness and bootstrap intervals. Pure; knows nothing of
// what is measured.

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
  return quantileOfSorted(Float64Array.from(values).sort(), part);
}

export function quantileOfSorted(sorted: ArrayLike<number>, part: number): number {
  const rank = part * (sorted.length - 1);
  const below = sorted[Math.floor(rank)] ?? Number.NaN;
  const above = sorted[Math.ceil(rank)] ?? Number.NaN;
  return below + (above - below) * (rank - Math.floor(rank));
}

export const median = (values: readonly number[]): number => quantile(values, 0.5);

export type Interval = { readonly low: number; readonly middle: number; readonly high: number };

const resamplesDefault = 1000;

/**
 * A statistic of rounds with its 95 % bootstrap interval. The round is what is resampled, because
 * whatever disturbed the machine disturbed all of a round.
 */
export function intervalOfRounds<Round>(
  rounds: readonly Round[],
  statistic: (rounds: readonly Round[]) => number,
  random: () => number,
  resamples = resamplesDefault,
): Interval {
  const draw = () => rounds.map((own) => rounds[Math.floor(random() * rounds.length)] ?? own);
  const drawn = Array.from({ length: resamples }, () => statistic(draw()));
  return { low: quantile(drawn, 0.025), middle: statistic(rounds), high: quantile(drawn, 0.975) };
}

/** The median of all values of all rounds. */
export function medianInterval(
  rounds: readonly (readonly number[])[],
  random: () => number,
): Interval {
  return intervalOfRounds(rounds, (drawn) => median(drawn.flat()), random);
}

/** The median of the ratios that each round gave. */
export function ratioInterval(
  pairs: readonly { readonly of: number; readonly to: number }[],
  random: () => number,
): Interval {
  return intervalOfRounds(
    pairs.map((pair) => pair.of / pair.to),
    median,
    random,
  );
}

/** Theil and Sen: the median of the slopes of all pairs. One outlier does not move it. */
export function medianSlope(points: readonly { readonly x: number; readonly y: number }[]): number {
  const slopes: number[] = [];
  for (const [index, from] of points.entries())
    for (const to of points.slice(index + 1)) slopes.push((to.y - from.y) / (to.x - from.x));
  return median(slopes);
}

/** Neighbours taken together: the middle of their places, and the median of their values. */
export function binned(
  values: readonly number[],
  size: number,
): { readonly x: number; readonly y: number }[] {
  return Array.from({ length: Math.ceil(values.length / size) }, (_, bin) => {
    const part = values.slice(bin * size, (bin + 1) * size);
    return { x: bin * size + (part.length + 1) / 2, y: median(part) };
  });
}
