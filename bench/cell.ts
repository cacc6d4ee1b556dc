// What a benchmark runs: cells, once each in every round. Adapters to floor, peers and peapod
// implement `Cell`.

/**
 * Microseconds by metric. A metric has the same name in every cell that has it, so that cells can
 * be compared.
 */
export type Sample = Readonly<Record<string, readonly number[]>>;

export type Cell = {
  readonly name: string;
  /** What is done once and not measured. Says why, if this machine can't run the cell. */
  prepare(): Promise<{ readonly absent: string } | undefined>;
  /** One measurement from nothing to nothing: what it starts it also ends. */
  run(): Promise<Sample>;
  cleanup(): Promise<void>;
};
