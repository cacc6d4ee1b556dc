// The one place where time is scaled. Rules are never changed for a test: ten seconds of back-off
// stay ten seconds in what is said and kept, and only the waiting for them is shortened.

/** What a duration of the manifest, or of a rule, takes on this host. */
export interface Clock {
  nowMs(): number;
  /** Milliseconds of a rule → milliseconds to wait. */
  scaled(durationMs: number): number;
  /** Milliseconds that have passed → milliseconds by the rules. */
  unscaled(elapsedMs: number): number;
}

export function makeClock(scale: number): Clock {
  return {
    nowMs: () => Date.now(),
    scaled: (durationMs) => durationMs * scale,
    unscaled: (elapsedMs) => elapsedMs / scale,
  };
}

/** `$PEAPOD_TIME_SCALE`: 0.01 makes a minute 0.6 seconds. 1 unless it says otherwise. */
export function timeScale(text = process.env["PEAPOD_TIME_SCALE"]): number {
  const scale = Number(text ?? 1);
  return scale > 0 && Number.isFinite(scale) ? scale : 1;
}
