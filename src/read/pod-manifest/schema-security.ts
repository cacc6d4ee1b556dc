// The security contexts of a container and of a pod. What their fields demand of each other is in
// rules-security.ts.

import * as z from "zod";
import { isCapability } from "../../spec/capabilities.ts";
import { fields, refused } from "./fate.ts";

/** Kubernetes takes numbers up to here, though the kernel has twice as many. */
const idMax = 2_147_483_647;
const idRange = `must be between 0 and ${idMax}, inclusive`;
const groupsMax = 1024;
const capabilitiesMax = 128;
const sysctlsMax = 512;
const textMax = 4095;

const Id = z.int().min(0, idRange).max(idMax, idRange);
const linuxOnly = "peapod runs on Linux only";

/** Written with or without `CAP_`, in any case: runtimes take all of them. */
const CapabilityName = z.string().transform((text, context) => {
  const name = text.toUpperCase().replace(/^CAP_/, "");
  if (name === "ALL" || isCapability(name)) return name;
  context.addIssue({ code: "custom", message: "is not a capability of Linux" });
  return z.NEVER;
});

const Capabilities = z
  .array(CapabilityName)
  .max(capabilitiesMax, `too many: must have at most ${capabilitiesMax} items`)
  .readonly()
  .optional();

const Profile = fields({
  type: z.enum(["Localhost", "RuntimeDefault", "Unconfined"]),
  localhostProfile: z.string().max(textMax, `may not be more than ${textMax} bytes`).optional(),
}).optional();

/** A part of a label: the characters that separate parts and contexts are not for values. */
const LabelPart = z
  .string()
  .max(255, "may not be more than 255 bytes")
  .regex(/^[A-Za-z0-9_.,:-]*$/, "must consist of letters, digits and '_', '.', ',', ':', '-'")
  .optional();

const SeLinuxOptions = fields({
  user: LabelPart,
  role: LabelPart,
  type: LabelPart,
  level: LabelPart,
}).optional();

const shared = {
  appArmorProfile: Profile,
  runAsGroup: Id.optional(),
  runAsNonRoot: z.boolean().optional(),
  runAsUser: Id.optional(),
  seLinuxOptions: SeLinuxOptions,
  seccompProfile: Profile,
  windowsOptions: refused(linuxOnly),
};

export const SecurityContext = fields({
  allowPrivilegeEscalation: z.boolean().optional(),
  capabilities: fields({ add: Capabilities, drop: Capabilities }).optional(),
  privileged: z.boolean().optional(),
  procMount: z.enum(["Default", "Unmasked"]).optional(),
  readOnlyRootFilesystem: z.boolean().optional(),
  ...shared,
}).optional();

const Sysctl = fields({ name: z.string(), value: z.string() });

export const PodSecurityContext = fields({
  fsGroup: Id.optional(),
  fsGroupChangePolicy: z.enum(["Always", "OnRootMismatch"]).optional(),
  seLinuxChangePolicy: refused(undefined, () => z.literal("MountOption")),
  supplementalGroups: z
    .array(Id)
    .max(groupsMax, `too many: must have at most ${groupsMax} items`)
    .readonly()
    .optional(),
  supplementalGroupsPolicy: z.enum(["Merge", "Strict"]).optional(),
  sysctls: z
    .array(Sysctl)
    .max(sysctlsMax, `too many: must have at most ${sysctlsMax} items`)
    .readonly()
    .optional(),
  ...shared,
}).optional();
