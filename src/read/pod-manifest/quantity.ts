// Kubernetes quantities ("500m", "1Gi", "1e3") as exact whole numbers, without floating point.

/** What one unit of the result stands for: a thousandth of a CPU, or a byte. */
export type QuantityUnit = "cpu" | "memory";

export type Quantity = { readonly value: number } | { readonly problem: string };

/** Long enough for every number that a machine can mean, short enough that digits cost nothing. */
const quantityLengthMax = 64;
/**
 * Beyond this the value is too large or rounds to one unit, whatever the digits in front of it say.
 */
const exponentMax = 200;

const regex = "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const formatWrong = `quantities must match the regular expression ${regex}`;
const numericWrong = "unable to parse numeric part of quantity";
const suffixWrong = "unable to parse quantity's suffix";

/**
 * Parse and round up, away from zero, as the API server does: 0.1m of a CPU is 1m, half a byte is
 * one.
 */
export function readQuantity(text: string, unit: QuantityUnit): Quantity {
  if (text.length > quantityLengthMax) {
    return { problem: `must be no more than ${quantityLengthMax} bytes` };
  }
  const parts = /^([+-]?)([0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$/.exec(text);
  if (!parts) return { problem: formatWrong };
  const [, sign = "", digits = "", suffix = ""] = parts;

  const number = /^([0-9]*)(?:\.([0-9]*))?$/.exec(digits);
  const [, whole = "", fraction = ""] = number ?? [];
  if (!number || whole + fraction === "") return { problem: numericWrong };
  const scale = scaleOf(suffix);
  if (!scale) return { problem: suffixWrong };

  const exponent = scale.exponent - fraction.length + (unit === "cpu" ? 3 : 0);
  const rounded = shiftUp(BigInt(whole + fraction) * scale.factor, exponent);
  if (rounded > BigInt(Number.MAX_SAFE_INTEGER)) return { problem: "is too large" };
  return { value: sign === "-" && rounded > 0n ? -Number(rounded) : Number(rounded) };
}

interface Scale {
  readonly factor: bigint;
  /** Power of ten. */
  readonly exponent: number;
}

const decimal: Readonly<Record<string, number>> = {
  n: -9,
  u: -6,
  m: -3,
  "": 0,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
  P: 15,
  E: 18,
};

const binary: Readonly<Record<string, bigint>> = {
  Ki: 2n ** 10n,
  Mi: 2n ** 20n,
  Gi: 2n ** 30n,
  Ti: 2n ** 40n,
  Pi: 2n ** 50n,
  Ei: 2n ** 60n,
};

function scaleOf(suffix: string): Scale | undefined {
  const factor = binary[suffix];
  if (factor !== undefined) return { factor, exponent: 0 };
  const exponent = decimal[suffix];
  if (exponent !== undefined) return { factor: 1n, exponent };
  const power = /^[eE]([-+]?[0-9]+)$/.exec(suffix)?.[1];
  return power === undefined ? undefined : { factor: 1n, exponent: Number(power) };
}

/** `value × 10^exponent`, rounded up to a whole number. */
function shiftUp(value: bigint, exponent: number): bigint {
  const bounded = Math.max(-exponentMax, Math.min(exponentMax, exponent));
  if (bounded >= 0) return value * 10n ** BigInt(bounded);
  const divisor = 10n ** BigInt(-bounded);
  return (value + divisor - 1n) / divisor;
}
