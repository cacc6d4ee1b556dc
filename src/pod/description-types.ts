// The public shape of what a pod says about itself.

export interface PodDescription {
  /** A v1 Pod with its status. */
  readonly pod: Readonly<Record<string, unknown>>;
  /** v1 Events, the oldest first: the last 200 different ones. */
  readonly events: readonly Readonly<Record<string, unknown>>[];
  /** By container: when its back-off ends. */
  readonly retries: ReadonlyMap<string, Date>;
}
