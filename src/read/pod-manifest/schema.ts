// The Pod of the manifest: metadata and the fields of the pod itself. Its containers and volumes
// have files of their own. Every field of the Pod API is named here: supported, inert with the
// reason, or refused.

import * as z from "zod";
import { fields, inert, later, once, refused } from "./fate.ts";
import { Container } from "./schema-container.ts";
import { RestartPolicy } from "./schema-life.ts";
import { Metadata } from "./schema-metadata.ts";
import { DnsConfig, DnsPolicy, HostAliases } from "./schema-names.ts";
import { ResourceList, Resources } from "./schema-resources.ts";
import {
  Affinity,
  Priority,
  SchedulingGates,
  Tolerations,
  TopologySpreadConstraints,
} from "./schema-scheduling.ts";
import { PodSecurityContext } from "./schema-security.ts";
import { Texts, between, filledListOf, intMax, listOf, none } from "./schema-values.ts";
import { Volume } from "./schema-volume.ts";
import { DnsSubdomain, Hostname, HostnameOverride, QualifiedName } from "./text.ts";

const noScheduler = "there is one host; nothing is scheduled";
const noServiceAccount = "there is no API server for the pod to talk to";

const Text = once(() => z.string());
const Truth = once(() => z.boolean());
const Anything = once(() => z.record(z.string(), z.unknown()));

export const PodBody = fields({
  containers: filledListOf(Container),
  initContainers: later(() => listOf(Container)),
  volumes: later(() => listOf(Volume())),
  restartPolicy: later(RestartPolicy),
  terminationGracePeriodSeconds: later(() =>
    z.int().max(intMax, `must be less than or equal to ${intMax}`),
  ),
  activeDeadlineSeconds: later(() => between(1, intMax)),
  hostname: later(Hostname),
  subdomain: later(Hostname),
  hostnameOverride: later(HostnameOverride),
  setHostnameAsFQDN: later(Truth),
  hostAliases: later(HostAliases),
  dnsPolicy: later(DnsPolicy),
  dnsConfig: later(DnsConfig),
  hostNetwork: later(Truth),
  hostIPC: later(Truth),
  hostPID: later(Truth),
  shareProcessNamespace: later(Truth),
  hostUsers: later(Truth),
  securityContext: later(PodSecurityContext),
  resources: later(Resources),
  overhead: later(ResourceList),
  imagePullSecrets: later(() => listOf(fields({ name: later(() => DnsSubdomain) }))),
  readinessGates: later(() => listOf(fields({ conditionType: QualifiedName() }))),
  os: later(() => fields({ name: z.enum(["linux", "windows"]) })),

  affinity: inert(Affinity, noScheduler),
  automountServiceAccountToken: inert(Truth, noServiceAccount),
  enableServiceLinks: inert(Truth, "there are no Services to link to"),
  evictionResponders: inert(() => listOf(Anything()), "nothing is evicted"),
  nodeName: inert(Text, noScheduler),
  nodeSelector: inert(Texts, noScheduler),
  preemptionPolicy: inert(() => z.enum(["Never", "PreemptLowerPriority"]), noScheduler),
  priority: inert(Priority, noScheduler),
  priorityClassName: inert(() => DnsSubdomain, noScheduler),
  schedulerName: inert(Text, noScheduler),
  schedulingGates: inert(SchedulingGates, noScheduler),
  schedulingGroup: inert(Anything, noScheduler),
  serviceAccount: inert(Text, noServiceAccount),
  serviceAccountName: inert(Text, noServiceAccount),
  tolerations: inert(Tolerations, noScheduler),
  topologySpreadConstraints: inert(TopologySpreadConstraints, noScheduler),
  workloadRef: inert(Anything, noScheduler),

  ephemeralContainers: refused("cannot be in a new pod, by Kubernetes' own rule", none),
  resourceClaims: refused("there are no devices to claim on this machine", none),
  runtimeClassName: refused("there are no runtime handlers; every pod runs as peapod runs it"),
});

export const Pod = fields({
  apiVersion: later(() => z.literal("v1")),
  kind: later(() => z.literal("Pod")),
  metadata: Metadata,
  spec: PodBody,
  status: inert(() => z.unknown(), "the record of a pod that ran elsewhere"),
});

/** A Pod as the module takes it: what a manifest says, as an object. */
export type PodManifest = z.input<typeof Pod>;
/** A manifest whose every field has been checked; quantities are numbers and paths are clean. */
export type CheckedPod = z.output<typeof Pod>;
export type CheckedContainer = CheckedPod["spec"]["containers"][number];
export type CheckedVolume = NonNullable<CheckedPod["spec"]["volumes"]>[number];
