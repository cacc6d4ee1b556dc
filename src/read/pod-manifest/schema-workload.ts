// Workloads: objects with a template of pods. On one machine the pods are made once, by `up`; what
// says how a controller replaces them later is inert.

import * as z from "zod";
import { fields, inert, later, once } from "./fate.ts";
import { ObjectMetadata } from "./schema-metadata.ts";
import { LabelSelector } from "./schema-scheduling.ts";
import { Texts, atLeast, listOf } from "./schema-values.ts";
import { ClaimSpec } from "./schema-volume.ts";
import { PodBody } from "./schema.ts";
import { DnsLabel, DnsSubdomain } from "./text.ts";

const noRollout = "pods are replaced by up, all at once";
const namedAfter = "a pod of a template is called after its workload";
const noApiServer = "there is no API server; nobody keeps it";

const Count = once(() => atLeast(0));
const Text = once(() => z.string());
const Truth = once(() => z.boolean());
const Mapping = once(() => z.record(z.string(), z.unknown()));

export const PodTemplate = once(() =>
  fields({
    metadata: later(() =>
      fields({
        labels: later(Texts),
        annotations: later(Texts),
        name: inert(Text, namedAfter),
        namespace: inert(Text, namedAfter),
        generateName: inert(Text, namedAfter),
        creationTimestamp: inert(Text, noApiServer),
        finalizers: inert(() => z.array(z.string()), noApiServer),
      }),
    ),
    spec: PodBody,
  }),
);

/** `apiVersion` and `kind` were looked at to find this schema. */
export function workload<Shape extends z.core.$ZodShape>(spec: Shape) {
  return fields({
    apiVersion: later(Text),
    kind: later(Text),
    metadata: ObjectMetadata,
    spec: fields(spec),
    status: inert(() => z.unknown(), "the record of what ran elsewhere"),
  });
}

const Replicas = once(() => atLeast(0).max(1000, "too many: must be at most 1000"));

const common = () => ({ selector: LabelSelector(), template: PodTemplate() });

export const Deployment = once(() =>
  workload({
    ...common(),
    replicas: later(Replicas),
    minReadySeconds: inert(Count, noRollout),
    paused: inert(Truth, noRollout),
    progressDeadlineSeconds: inert(Count, noRollout),
    revisionHistoryLimit: inert(Count, noRollout),
    strategy: inert(Mapping, noRollout),
  }),
);

export const ReplicaSet = once(() =>
  workload({
    ...common(),
    replicas: later(Replicas),
    minReadySeconds: inert(Count, noRollout),
  }),
);

const ClaimTemplate = once(() =>
  fields({
    apiVersion: later(() => z.literal("v1")),
    kind: later(() => z.literal("PersistentVolumeClaim")),
    metadata: fields({
      name: DnsLabel,
      labels: inert(Texts, noApiServer),
      annotations: inert(Texts, noApiServer),
      creationTimestamp: inert(Text, noApiServer),
    }),
    spec: ClaimSpec(),
    status: inert(() => z.unknown(), "the record of what ran elsewhere"),
  }),
);

export const StatefulSet = once(() =>
  workload({
    ...common(),
    replicas: later(Replicas),
    serviceName: later(() => z.union([z.literal(""), DnsSubdomain])),
    ordinals: later(() => fields({ start: later(Count) })),
    volumeClaimTemplates: later(() => listOf(ClaimTemplate())),
    minReadySeconds: inert(Count, noRollout),
    persistentVolumeClaimRetentionPolicy: inert(
      Mapping,
      "claims stay until they are removed by name",
    ),
    podManagementPolicy: inert(Text, "pods are started one after another"),
    revisionHistoryLimit: inert(Count, noRollout),
    updateStrategy: inert(Mapping, noRollout),
  }),
);

export const DaemonSet = once(() =>
  workload({
    ...common(),
    minReadySeconds: inert(Count, noRollout),
    revisionHistoryLimit: inert(Count, noRollout),
    updateStrategy: inert(Mapping, noRollout),
  }),
);
