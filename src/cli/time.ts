// Durations and times, read and written as kubectl does.

const unitMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/**
 * `30`, `30s`, `1h30m`, `1.5h`, `2d`: milliseconds. A bare number is seconds. `undefined` when it
 * is none of these.
 */
export function parseDuration(text: string): number | undefined {
  if (/^\d+(\.\d+)?$/.test(text)) return Math.round(Number(text) * 1000);
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(text)) return undefined;
  let totalMs = 0;
  for (const [, value, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) {
    totalMs += Number(value) * (unitMs[unit ?? ""] ?? 0);
  }
  return Math.round(totalMs);
}

/**
 * The AGE column: two units at the most, fewer as time goes by (`HumanDuration` of
 * k8s.io/apimachinery).
 */
export function formatAge(ageMs: number): string {
  const seconds = Math.trunc(ageMs / 1000);
  if (seconds < -1) return "<invalid>";
  if (seconds < 0) return "0s";
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return twoUnits(minutes, "m", seconds % 60, "s");
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  if (hours < 8) return twoUnits(hours, "h", minutes % 60, "m");
  if (hours < 48) return `${hours}h`;
  const days = Math.floor(hours / 24);
  if (days < 8) return twoUnits(days, "d", hours % 24, "h");
  if (days < 2 * 365) return `${days}d`;
  const years = Math.floor(days / 365);
  return years < 8 ? twoUnits(years, "y", days % 365, "d") : `${years}y`;
}

function twoUnits(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large}${largeUnit}` : `${large}${largeUnit}${small}${smallUnit}`;
}

/** How long something took: `3.4 ms`, `1.2 s`, `2m5s`. */
export function formatElapsed(elapsedMs: number): string {
  if (elapsedMs < 1000) return `${elapsedMs.toFixed(elapsedMs < 10 ? 1 : 0)} ms`;
  if (elapsedMs < 120_000) return `${(elapsedMs / 1000).toFixed(1)} s`;
  return formatAge(elapsedMs);
}

/** A grace period or a limit, as short as it can be said: `30s`, `1h30m`, `250ms`. */
export function formatDuration(durationMs: number): string {
  if (durationMs % 1000 !== 0 || durationMs === 0)
    return durationMs === 0 ? "0s" : `${durationMs}ms`;
  let seconds = durationMs / 1000;
  let text = "";
  for (const [unit, size] of [
    ["h", 3600],
    ["m", 60],
    ["s", 1],
  ] as const) {
    const count = Math.floor(seconds / size);
    seconds -= count * size;
    if (count > 0) text += `${count}${unit}`;
  }
  return text;
}

/** RFC 3339 in UTC with all nine decimals, as kubectl's `--timestamps`. */
export function formatTimestamp(timeNs: bigint): string {
  const seconds = timeNs / 1_000_000_000n;
  const date = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
  return `${date}.${(timeNs % 1_000_000_000n).toString().padStart(9, "0")}Z`;
}
