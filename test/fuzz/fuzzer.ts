// A small fuzzer for decoders: inputs are mutated, and those that make a decoder say something new
// join the corpus. It finds what it finds by volume, so a target has to be fast.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface FuzzTarget {
  readonly name: string;
  /** Pieces that mutations put in. */
  readonly words: readonly string[];
  /** Inputs to start from, beside those of the committed corpus. */
  readonly seeds: readonly Uint8Array[];
  /** Repairs what a decoder checks first, or every mutation would only meet that check. */
  readonly repair?: (input: Uint8Array, random: Random) => void;
  /**
   * What the decoder made of the input, as short text: its verdict, not the input. Throws when the
   * decoder breaks its promise.
   */
  readonly decode: (input: Uint8Array) => string | Promise<string>;
}

export interface FuzzReport {
  readonly inputs: number;
  /** Different verdicts seen. */
  readonly verdicts: number;
  readonly failure?: { readonly input: Uint8Array; readonly error: unknown };
}

/** Whole numbers below a bound; the same seed gives the same ones. */
export type Random = (below: number) => number;

const inputBytesMax = 64 << 10;
const poolMax = 2000;
const verdictBytesMax = 200;

/** xorshift32. */
export function randomFrom(seed: number): Random {
  let state = seed | 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % Math.max(1, below);
  };
}

/** The inputs committed for a target: what has ever broken it, and what to start from. */
export function corpusOf(name: string): Uint8Array[] {
  const folder = join(import.meta.dir, "corpus", name);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .toSorted()
    .map((file) => new Uint8Array(readFileSync(join(folder, file))));
}

/** Each of the corpus as it is, then mutations until the time is up or something breaks. */
export async function fuzz(
  target: FuzzTarget,
  options: { readonly seconds: number; readonly seed: number; readonly inputsMax?: number },
): Promise<FuzzReport> {
  const random = randomFrom(options.seed);
  const pool = [...target.seeds, ...corpusOf(target.name)];
  const verdicts = new Set<string>();
  const end = performance.now() + options.seconds * 1000;
  const committed = pool.length;
  let inputs = 0;
  for (; inputs < (options.inputsMax ?? Infinity); inputs++) {
    const isMutated = inputs >= committed;
    if (isMutated && performance.now() > end) break;
    const input = isMutated ? mutate(pool, target, random) : (pool[inputs] ?? new Uint8Array());
    try {
      const verdict = (await target.decode(input)).slice(0, verdictBytesMax);
      const isNew = !verdicts.has(verdict);
      verdicts.add(verdict);
      if (isNew && isMutated && pool.length < poolMax) pool.push(input);
    } catch (error) {
      return { inputs, verdicts: verdicts.size, failure: { input, error } };
    }
  }
  return { inputs, verdicts: verdicts.size };
}

function mutate(pool: readonly Uint8Array[], target: FuzzTarget, random: Random): Uint8Array {
  const chosen = pool[random(pool.length)] ?? new Uint8Array();
  let input: Uint8Array = chosen.slice();
  const changes = 1 + random(6);
  for (let change = 0; change < changes; change++) {
    input = mutateOnce(input, pool, target.words, random);
  }
  input = input.subarray(0, inputBytesMax).slice();
  target.repair?.(input, random);
  return input;
}

/** Ends of ranges, and numbers that overflow when they are added to or multiplied. */
const numbers = [
  0, 1, 7, 8, 0x7f, 0xff, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_fff8, 0xffff_ffff,
];

function mutateOnce(
  input: Uint8Array,
  pool: readonly Uint8Array[],
  words: readonly string[],
  random: Random,
): Uint8Array {
  const at = random(input.length + 1);
  const length = random(Math.min(64, input.length - at) + 1);
  const encoder = new TextEncoder();
  switch (random(8)) {
    case 0:
      return replace(input, at, length, new Uint8Array());
    case 1:
      return replace(input, at, 0, input.slice(at, at + length));
    case 2:
      return replace(input, at, 0, encoder.encode(words[random(words.length)] ?? ""));
    case 3: {
      const word = encoder.encode(words[random(words.length)] ?? "");
      return replace(input, at, word.length, word);
    }
    case 4: {
      const other = pool[random(pool.length)] ?? new Uint8Array();
      const from = random(other.length + 1);
      return replace(input, at, length, other.slice(from, from + random(256)));
    }
    case 5: {
      const number = new Uint8Array(4);
      const value = numbers[random(numbers.length)] ?? 0;
      new DataView(number.buffer).setUint32(0, value, true);
      return replace(input, at - (at % 4), 4, number);
    }
    default:
      return replace(input, at, 1, new Uint8Array([random(256)]));
  }
}

function replace(input: Uint8Array, at: number, removed: number, added: Uint8Array): Uint8Array {
  const tail = input.subarray(Math.min(at + removed, input.length));
  const result = new Uint8Array(at + added.length + tail.length);
  result.set(input.subarray(0, at));
  result.set(added, at);
  result.set(tail, at + added.length);
  return result;
}
