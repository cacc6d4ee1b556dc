// A container of the manifest, and the security contexts of a container and of a pod.

import * as z from "zod";
import { fields, inert, inertRequired, notYet, refused } from "./fate.ts";
import {
  DnsLabel,
  EnvName,
  GuestPathText,
  Image,
  PortName,
  SubPath,
  WorkingDir,
  quantity,
} from "./text.ts";

/** Entries of command, args and env together are bounded again once they are expanded. */
const entriesMax = 4096;
const mountsMax = 1000;
const tooMany = (max: number) => `too many: must have at most ${max} items`;

const none = z.tuple([]).readonly();
const noPublishing = "ports are not published on the host yet";
const documentation = "documentation: every port of the pod is open to whoever reaches the pod";
const portRange = "must be between 1 and 65535, inclusive";
const RuntimeDefault = z.strictObject({ type: z.literal("RuntimeDefault") });

const Arguments = z.array(z.string()).max(entriesMax, tooMany(entriesMax)).readonly().optional();

const ResourceList = fields({
  cpu: quantity("cpu").optional(),
  memory: quantity("memory").optional(),
  "ephemeral-storage": refused(),
  "hugepages-*": refused(),
  "*/*": refused("extended resources are not supported yet"),
}).optional();

const Port = fields({
  containerPort: inertRequired(z.int().min(1, portRange).max(65535, portRange), documentation),
  name: inert(PortName, documentation),
  protocol: inert(z.enum(["SCTP", "TCP", "UDP"]), documentation),
  hostIP: refused(noPublishing),
  hostPort: refused(noPublishing, () => z.literal(0)),
});

const VolumeMount = fields({
  name: z.string().min(1, "required value"),
  mountPath: GuestPathText,
  readOnly: z.boolean().optional(),
  subPath: SubPath.optional(),
  bindMountOptions: refused(undefined, () => none),
  mountPropagation: refused(undefined, () => z.literal("None")),
  recursiveReadOnly: refused(undefined, () => z.literal("Disabled")),
  subPathExpr: refused(undefined, () => z.literal("")),
});

const SecurityContext = fields({
  allowPrivilegeEscalation: refused(
    "not supported yet; no_new_privs is set for every container",
    () => z.literal(false),
  ),
  appArmorProfile: refused(),
  capabilities: fields({
    add: refused(undefined, () => none),
    drop: refused(undefined, () => none),
  }).optional(),
  privileged: refused(undefined, () => z.literal(false)),
  procMount: refused(undefined, () => z.literal("Default")),
  readOnlyRootFilesystem: z.boolean().optional(),
  runAsGroup: refused(),
  runAsNonRoot: refused(undefined, () => z.literal(false)),
  runAsUser: refused(),
  seLinuxOptions: refused(),
  seccompProfile: refused(
    "not supported yet; every container has the RuntimeDefault filter",
    () => RuntimeDefault,
  ),
  windowsOptions: refused("peapod runs on Linux only"),
}).optional();

export const PodSecurityContext = fields({
  appArmorProfile: refused(),
  fsGroup: refused(),
  fsGroupChangePolicy: refused(undefined, () => z.literal("Always")),
  runAsGroup: refused(),
  runAsNonRoot: refused(undefined, () => z.literal(false)),
  runAsUser: refused(),
  seLinuxChangePolicy: refused(undefined, () => z.literal("MountOption")),
  seLinuxOptions: refused(),
  seccompProfile: refused(
    "not supported yet; every container has the RuntimeDefault filter",
    () => RuntimeDefault,
  ),
  supplementalGroups: refused(undefined, () => none),
  supplementalGroupsPolicy: refused(undefined, () => z.literal("Merge")),
  sysctls: refused(undefined, () => none),
  windowsOptions: refused("peapod runs on Linux only"),
}).optional();

export const Container = fields({
  name: DnsLabel,
  image: Image,
  command: Arguments,
  args: Arguments,
  workingDir: WorkingDir.optional(),
  env: z
    .array(
      fields({
        name: EnvName,
        value: z.string().optional(),
        valueFrom: refused("only a literal value is supported yet"),
      }),
    )
    .max(entriesMax, tooMany(entriesMax))
    .readonly()
    .optional(),
  resources: fields({
    requests: ResourceList,
    limits: ResourceList,
    claims: refused(undefined, () => none),
  }).optional(),
  volumeMounts: z.array(VolumeMount).max(mountsMax, tooMany(mountsMax)).readonly().optional(),
  tty: z.boolean().optional(),
  stdin: z.boolean().optional(),
  stdinOnce: z.boolean().optional(),
  ports: z.array(Port).max(entriesMax, tooMany(entriesMax)).readonly().optional(),
  imagePullPolicy: z.enum(["Always", "IfNotPresent", "Never"]).optional(),
  securityContext: SecurityContext,

  envFrom: refused(undefined, () => none),
  lifecycle: fields({ postStart: refused(), preStop: refused(), stopSignal: refused() }).optional(),
  livenessProbe: refused(),
  readinessProbe: refused(),
  resizePolicy: refused(undefined, () => none),
  restartPolicy: refused(),
  restartPolicyRules: refused(undefined, () => none),
  startupProbe: refused(),
  terminationMessagePath: refused(undefined, () => z.literal("/dev/termination-log")),
  terminationMessagePolicy: refused(undefined, () => z.literal("File")),
  volumeDevices: refused(notYet, () => none),
});
