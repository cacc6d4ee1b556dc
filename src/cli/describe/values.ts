// Values of a v1 Pod as a page shows them. Another version of peapod may have written them, so
// nothing is taken for granted.

export type Json = Readonly<Record<string, unknown>>;

export function object(value: unknown): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Json)
    : {};
}

export function list(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.map(object) : [];
}

export function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(text) : [];
}

export function text(value: unknown): string {
  if (value === undefined || value === null || value === "") return "<none>";
  return typeof value === "object" ? JSON.stringify(value) : `${value as string | number}`;
}

/** `app=web`, one line each, by name. */
export function formatQuantityList(value: unknown, between: string): string[] {
  return Object.entries(object(value))
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, one]) => `${name}${between}${text(one)}`);
}

/** `Sat, 21 Nov 2026 12:00:00 +0000`, as kubectl. */
export function formatTime(value: unknown): string {
  const timeMs = typeof value === "string" ? Date.parse(value) : NaN;
  return Number.isNaN(timeMs) ? "<none>" : new Date(timeMs).toUTCString().replace("GMT", "+0000");
}
