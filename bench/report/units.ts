// Numbers as people read them.
import type { Unit } from "../metric.ts";
import type { Interval } from "../statistics.ts";

/** Three significant digits, or all of a whole number. */
export function number(value: number): string {
  if (!Number.isFinite(value)) return "–";
  if (Math.abs(value) >= 100) return grouped(Math.round(value));
  return value.toPrecision(3);
}

/** A blank between thousands from five digits on. */
function grouped(value: number): string {
  const digits = String(value);
  return digits.length < 5 ? digits : digits.replaceAll(/\B(?=(\d{3})+$)/g, " ");
}

export const quantity = (value: number, unit: Unit): string => `${number(value)} ${unit}`;

export const interval = ({ low, high }: Interval): string => `${ratio(low)}–${ratio(high)}`;

export function ratio(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
