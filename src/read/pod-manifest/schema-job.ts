// A Job of the manifest.

import * as z from "zod";
import { fields, inert, later, once, refused } from "./fate.ts";
import { LabelSelector } from "./schema-scheduling.ts";
import { atLeast, filledListOf, listOf } from "./schema-values.ts";
import { PodTemplate, workload } from "./schema-workload.ts";
import { DnsLabel, QualifiedName, text } from "./text.ts";

const Count = once(() => atLeast(0));
const made = "the pods are told apart by their names";

const FailurePolicy = once(() =>
  fields({
    rules: filledListOf(
      fields({
        action: z.enum(["Count", "FailIndex", "FailJob", "Ignore"]),
        onExitCodes: later(() =>
          fields({
            containerName: later(() => DnsLabel),
            operator: z.enum(["In", "NotIn"]),
            values: filledListOf(z.int().min(0, "must be greater than or equal to 0"), 255),
          }),
        ),
        onPodConditions: later(() =>
          listOf(
            fields({
              type: QualifiedName(),
              status: later(() => z.enum(["False", "True", "Unknown"])),
            }),
            20,
          ),
        ),
      }),
      20,
    ),
  }),
);

const SuccessPolicy = once(() =>
  fields({
    rules: filledListOf(
      fields({
        succeededIndexes: later(() => text(checkIndexes)),
        succeededCount: later(() => atLeast(1)),
      }),
      20,
    ),
  }),
);

/** `0,2-4`, in their order. */
function checkIndexes(value: string): string | undefined {
  const parts = value.split(",").map((part) => /^([0-9]{1,9})(?:-([0-9]{1,9}))?$/.exec(part));
  let last = -1;
  for (const part of parts) {
    const first = Number(part?.[1] ?? Number.NaN);
    const end = part?.[2] === undefined ? first : Number(part[2]);
    if (!(first > last) || !(end > first || part?.[2] === undefined)) {
      return "must be indexes and ranges in their order, such as 0,2-4";
    }
    last = end;
  }
  return undefined;
}

export const Job = once(() =>
  workload({
    template: PodTemplate(),
    parallelism: later(Count),
    completions: later(Count),
    completionMode: later(() => z.enum(["Indexed", "NonIndexed"])),
    backoffLimit: later(Count),
    backoffLimitPerIndex: later(Count),
    maxFailedIndexes: later(Count),
    activeDeadlineSeconds: later(() => atLeast(1)),
    ttlSecondsAfterFinished: inert(Count, "a pod goes when its output has been shown"),
    podFailurePolicy: later(FailurePolicy),
    successPolicy: later(SuccessPolicy),
    suspend: later(() => z.boolean()),
    manualSelector: inert(() => z.boolean(), made),
    selector: inert(LabelSelector, made),
    podReplacementPolicy: inert(
      () => z.enum(["Failed", "TerminatingOrFailed"]),
      "a pod is replaced when it has ended",
    ),
    managedBy: refused("there are no other controllers", () =>
      z.literal("kubernetes.io/job-controller"),
    ),
  }),
);
