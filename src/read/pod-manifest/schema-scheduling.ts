// What a cluster's scheduler reads. It means nothing on one machine, and is checked all the same:
// a manifest that a cluster would refuse has a mistake in it.

import * as z from "zod";
import { fields, later, once } from "./fate.ts";
import { Texts, atLeast, between, filledListOf, intMax, listOf } from "./schema-values.ts";
import { QualifiedName } from "./text.ts";

const Words = once(() => listOf(z.string()));

export const LabelSelector = once(() =>
  fields({
    matchLabels: later(Texts),
    matchExpressions: later(() =>
      listOf(
        fields({
          key: QualifiedName(),
          operator: z.enum(["DoesNotExist", "Exists", "In", "NotIn"]),
          values: later(Words),
        }),
      ),
    ),
  }),
);

export const Tolerations = once(() =>
  listOf(
    fields({
      key: later(() => z.union([z.literal(""), QualifiedName()])),
      operator: later(() => z.enum(["", "Equal", "Exists", "Gt", "Lt"])),
      value: later(() => z.string()),
      effect: later(() => z.enum(["", "NoExecute", "NoSchedule", "PreferNoSchedule"])),
      tolerationSeconds: later(() => z.int()),
    }),
  ),
);

const NodeRequirements = once(() =>
  listOf(
    fields({
      key: QualifiedName(),
      operator: z.enum(["DoesNotExist", "Exists", "Gt", "In", "Lt", "NotIn"]),
      values: later(Words),
    }),
  ),
);

const NodeTerm = once(() =>
  fields({ matchExpressions: later(NodeRequirements), matchFields: later(NodeRequirements) }),
);

const PodTerm = once(() =>
  fields({
    topologyKey: QualifiedName(),
    labelSelector: later(LabelSelector),
    namespaceSelector: later(LabelSelector),
    namespaces: later(Words),
    matchLabelKeys: later(Words),
    mismatchLabelKeys: later(Words),
  }),
);

const Weight = () => between(1, 100);

const PodAffinity = once(() =>
  fields({
    requiredDuringSchedulingIgnoredDuringExecution: later(() => listOf(PodTerm())),
    preferredDuringSchedulingIgnoredDuringExecution: later(() =>
      listOf(fields({ weight: Weight(), podAffinityTerm: PodTerm() })),
    ),
  }),
);

export const Affinity = once(() =>
  fields({
    nodeAffinity: later(() =>
      fields({
        requiredDuringSchedulingIgnoredDuringExecution: later(() =>
          fields({ nodeSelectorTerms: filledListOf(NodeTerm()) }),
        ),
        preferredDuringSchedulingIgnoredDuringExecution: later(() =>
          listOf(fields({ weight: Weight(), preference: NodeTerm() })),
        ),
      }),
    ),
    podAffinity: later(PodAffinity),
    podAntiAffinity: later(PodAffinity),
  }),
);

const Policy = once(() => z.enum(["Honor", "Ignore"]));

export const TopologySpreadConstraints = once(() =>
  listOf(
    fields({
      maxSkew: atLeast(1),
      topologyKey: QualifiedName(),
      whenUnsatisfiable: z.enum(["DoNotSchedule", "ScheduleAnyway"]),
      labelSelector: later(LabelSelector),
      minDomains: later(() => atLeast(1)),
      nodeAffinityPolicy: later(Policy),
      nodeTaintsPolicy: later(Policy),
      matchLabelKeys: later(Words),
    }),
  ),
);

export const SchedulingGates = once(() => listOf(fields({ name: QualifiedName() })));

export const Priority = once(() =>
  z
    .int()
    .min(-intMax - 1)
    .max(intMax),
);
