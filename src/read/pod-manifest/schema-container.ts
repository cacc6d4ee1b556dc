// A container of the manifest.

import * as z from "zod";
import { fields, inert, inertRequired, notYet, refused } from "./fate.ts";
import { SecurityContext } from "./schema-security.ts";
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
