// The security contexts of a container and of a pod.

import * as z from "zod";
import { fields, refused } from "./fate.ts";

const none = z.tuple([]).readonly();
const RuntimeDefault = z.strictObject({ type: z.literal("RuntimeDefault") });

export const SecurityContext = fields({
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
