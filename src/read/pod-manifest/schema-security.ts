// The security contexts of a container and of a pod. What their fields demand of each other is in
// rules-security.ts.

import * as z from "zod";
import { isCapability } from "../../spec/capabilities.ts";
import { fields, later, once, refused } from "./fate.ts";
import { between, intMax, listOf } from "./schema-values.ts";

const groupsMax = 1024;
const capabilitiesMax = 128;
const sysctlsMax = 512;
const textMax = 4095;

/** Kubernetes takes numbers up to here, though the kernel has twice as many. */
const Id = once(() => between(0, intMax));
const Truth = once(() => z.boolean());
const linuxOnly = "peapod runs on Linux only";

/** Written with or without `CAP_`, in any case: runtimes take all of them. */
const Capabilities = once(() => {
  const name = z.string().transform((text, context) => {
    const known = text.toUpperCase().replace(/^CAP_/, "");
    if (known === "ALL" || isCapability(known)) return known;
    context.addIssue({ code: "custom", message: "is not a capability of Linux" });
    return z.NEVER;
  });
  return listOf(name, capabilitiesMax);
});

const Profile = once(() =>
  fields({
    type: z.enum(["Localhost", "RuntimeDefault", "Unconfined"]),
    localhostProfile: later(() => z.string().max(textMax, `may not be more than ${textMax} bytes`)),
  }),
);

/** A part of a label: the characters that separate parts and contexts are not for values. */
const LabelPart = once(() =>
  z
    .string()
    .max(255, "may not be more than 255 bytes")
    .regex(/^[A-Za-z0-9_.,:-]*$/, "must consist of letters, digits and '_', '.', ',', ':', '-'"),
);

const SeLinuxOptions = once(() =>
  fields({
    user: later(LabelPart),
    role: later(LabelPart),
    type: later(LabelPart),
    level: later(LabelPart),
  }),
);

const shared = {
  appArmorProfile: later(Profile),
  runAsGroup: later(Id),
  runAsNonRoot: later(Truth),
  runAsUser: later(Id),
  seLinuxOptions: later(SeLinuxOptions),
  seccompProfile: later(Profile),
  windowsOptions: refused(linuxOnly),
};

export const SecurityContext = once(() =>
  fields({
    allowPrivilegeEscalation: later(Truth),
    capabilities: later(() => fields({ add: later(Capabilities), drop: later(Capabilities) })),
    privileged: later(Truth),
    procMount: later(() => z.enum(["Default", "Unmasked"])),
    readOnlyRootFilesystem: later(Truth),
    ...shared,
  }),
);

export const PodSecurityContext = once(() =>
  fields({
    fsGroup: later(Id),
    fsGroupChangePolicy: later(() => z.enum(["Always", "OnRootMismatch"])),
    seLinuxChangePolicy: refused(undefined, () => z.literal("MountOption")),
    supplementalGroups: later(() => listOf(Id(), groupsMax)),
    supplementalGroupsPolicy: later(() => z.enum(["Merge", "Strict"])),
    sysctls: later(() => listOf(fields({ name: z.string(), value: z.string() }), sysctlsMax)),
    ...shared,
  }),
);
