// The Pod of the manifest: metadata and the fields of the pod itself. Its containers and volumes
// have files of their own. Every field of the Pod API is named here: supported, inert with the
// reason, or refused.

import * as z from "zod";
import { Container } from "./schema-container.ts";
import { PodSecurityContext } from "./schema-security.ts";
import { Volume } from "./schema-volume.ts";
import { fields, inert, refused } from "./fate.ts";
import { DnsLabel, DnsSubdomain, Hostname } from "./text.ts";

const noScheduler = "there is one host; nothing is scheduled";
const noApiServer = "there is no API server; nobody keeps it";
const noServiceAccount = "there is no API server for the pod to talk to";
const noSecrets = "there are no Secrets; credentials come from Docker's config.json";

/** 68 years: as milliseconds it still is an exact number. */
const graceSecondsMax = 2_147_483_647;

const Texts = z.record(z.string(), z.string()).readonly();

const Metadata = fields({
  name: DnsSubdomain,
  namespace: DnsLabel.optional(),
  labels: Texts.optional(),
  annotations: Texts.optional(),
  generateName: refused(),
  uid: inert(z.string(), "every launch gives the pod an id of its own"),
  creationTimestamp: inert(z.string(), noApiServer),
  deletionTimestamp: inert(z.string(), noApiServer),
  deletionGracePeriodSeconds: inert(z.number(), noApiServer),
  resourceVersion: inert(z.string(), noApiServer),
  generation: inert(z.number(), noApiServer),
  selfLink: inert(z.string(), noApiServer),
  managedFields: inert(z.array(z.unknown()).readonly(), noApiServer),
  ownerReferences: inert(z.array(z.unknown()).readonly(), noApiServer),
  finalizers: inert(z.array(z.string()).readonly(), noApiServer),
});

const none = z.tuple([]).readonly();
const Objects = z.array(z.looseObject({})).readonly();

const Spec = fields({
  containers: z
    .array(Container)
    .min(1, "required value")
    .max(1000, "too many: must have at most 1000 items")
    .readonly(),
  volumes: z
    .array(Volume)
    .max(1000, "too many: must have at most 1000 items")
    .readonly()
    .optional(),
  hostname: Hostname.optional(),
  hostNetwork: z.boolean().optional(),
  hostIPC: z.boolean().optional(),
  hostPID: z.boolean().optional(),
  shareProcessNamespace: z.boolean().optional(),
  hostUsers: z.boolean().optional(),
  terminationGracePeriodSeconds: z
    .int()
    .min(0, "must be greater than or equal to 0")
    .max(graceSecondsMax, `must be less than or equal to ${graceSecondsMax}`)
    .optional(),
  restartPolicy: inert(
    z.enum(["Always", "Never", "OnFailure"]),
    "containers are not restarted yet; every pod runs as with Never",
    z.literal("Never"),
  ),
  securityContext: PodSecurityContext,

  affinity: inert(z.looseObject({}), noScheduler),
  automountServiceAccountToken: inert(z.boolean(), noServiceAccount),
  enableServiceLinks: inert(z.boolean(), "there are no Services to link to"),
  evictionResponders: inert(Objects, "nothing is evicted"),
  imagePullSecrets: inert(Objects, noSecrets),
  nodeName: inert(z.string(), noScheduler),
  nodeSelector: inert(Texts, noScheduler),
  preemptionPolicy: inert(z.string(), noScheduler),
  priority: inert(z.number(), noScheduler),
  priorityClassName: inert(z.string(), noScheduler),
  schedulerName: inert(z.string(), noScheduler),
  schedulingGates: inert(Objects, noScheduler),
  schedulingGroup: inert(z.looseObject({}), noScheduler),
  serviceAccount: inert(z.string(), noServiceAccount),
  serviceAccountName: inert(z.string(), noServiceAccount),
  tolerations: inert(Objects, noScheduler),
  topologySpreadConstraints: inert(Objects, noScheduler),
  workloadRef: inert(z.looseObject({}), noScheduler),

  activeDeadlineSeconds: refused(),
  dnsConfig: refused(),
  dnsPolicy: refused("not supported yet; the pod resolves names as the host does", () =>
    z.enum(["ClusterFirst", "ClusterFirstWithHostNet", "Default"]),
  ),
  ephemeralContainers: refused("cannot be in a new pod, by Kubernetes' own rule", () => none),
  hostAliases: refused(undefined, () => none),
  hostnameOverride: refused(),
  initContainers: refused(undefined, () => none),
  os: refused("peapod runs on Linux only", () => z.strictObject({ name: z.literal("linux") })),
  overhead: refused(),
  readinessGates: refused(undefined, () => none),
  resourceClaims: refused(undefined, () => none),
  resources: refused(undefined, () => z.strictObject({})),
  runtimeClassName: refused(),
  setHostnameAsFQDN: refused(undefined, () => z.literal(false)),
  subdomain: refused(),
});

export const Pod = fields({
  apiVersion: z.literal("v1").optional(),
  kind: z.literal("Pod").optional(),
  metadata: Metadata,
  spec: Spec,
  status: inert(z.unknown(), "the record of a pod that ran elsewhere"),
});

/** A Pod as the module takes it: what a manifest says, as an object. */
export type PodManifest = z.input<typeof Pod>;
/** A manifest whose every field has been checked; quantities are numbers and paths are clean. */
export type CheckedPod = z.output<typeof Pod>;
export type CheckedContainer = CheckedPod["spec"]["containers"][number];
export type CheckedVolume = NonNullable<CheckedPod["spec"]["volumes"]>[number];
