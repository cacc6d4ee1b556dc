// A Job: pods that run until enough of them have succeeded. How many, how often, and what counts as
// failed; when to do what is decided in pod/workload/job.ts.

import type { Origin } from "../errors/pod-error.ts";
import type { PodSpec } from "./pod-spec.ts";

export interface JobSpec {
  readonly name: string;
  readonly namespace: string;
  readonly origin: Origin;
  /** Pods at a time. */
  readonly parallelism: number;
  /** Undefined for a work queue: its pods know when they are done. */
  readonly completions?: number;
  readonly isIndexed: boolean;
  /** Failures that are forgiven, of all pods together. */
  readonly backoffLimit: number;
  /** Of each index by itself; then `backoffLimit` is without bound unless it is written. */
  readonly backoffLimitPerIndex?: number;
  readonly maxFailedIndexes?: number;
  /** From the job's start, all its pods together. */
  readonly activeDeadlineMs?: number;
  readonly failureRules: readonly FailureRule[];
  /** Any of them is enough. */
  readonly successRules: readonly SuccessRule[];
  readonly isSuspended: boolean;
  /** Restarted containers count as failures of their pod, which itself does not fail. */
  readonly restartsInPlace: boolean;
  /** The pod that is made next: `serial` counts all that were made, and is in its name. */
  readonly podFor: (serial: number, index: number | undefined) => PodSpec;
}

export interface FailureRule {
  readonly action: "FailJob" | "FailIndex" | "Ignore" | "Count";
  /** Undefined for a rule about conditions. */
  readonly exitCodes?: {
    /** Undefined: of any container. */
    readonly container?: string;
    readonly operator: "In" | "NotIn";
    readonly values: readonly number[];
  };
  readonly conditions: readonly { readonly type: string; readonly status: string }[];
}

export interface SuccessRule {
  /** Undefined: any indexes. */
  readonly indexes?: ReadonlySet<number>;
  /** Undefined: all of them. */
  readonly count?: number;
}
