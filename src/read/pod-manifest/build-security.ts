// Security contexts, checked → what they say of each container. A container's own word goes before
// the pod's.

import type {
  ContainerSecuritySpec,
  PodSecuritySpec,
  ProfileSpec,
  Said,
  SeLinuxSpec,
} from "../../spec/security.ts";
import { plainContainerSecurity, plainPodSecurity } from "../../spec/security.ts";
import type { CheckedContainer, CheckedPod } from "./schema.ts";
import { fieldOf } from "./tree.ts";

type PodContext = CheckedPod["spec"]["securityContext"];
type Context = CheckedContainer["securityContext"];
type Shared = NonNullable<PodContext> | NonNullable<Context>;

const podField = "spec.securityContext";

export function buildPodSecurity(context: PodContext): PodSecuritySpec {
  if (context === undefined) return plainPodSecurity;
  return {
    ...(context.fsGroup !== undefined && { fsGroup: context.fsGroup }),
    fsGroupChangePolicy: context.fsGroupChangePolicy ?? "Always",
    sysctls: (context.sysctls ?? []).map(({ name, value }, index) => ({
      field: `${podField}.sysctls[${index}]`,
      name: dotted(name),
      value,
    })),
  };
}

export function buildContainerSecurity(
  { securityContext: own, resources }: CheckedContainer,
  pod: PodContext,
  containerField: string,
): ContainerSecuritySpec {
  const devices = devicesOf(resources, `${containerField}.resources`);
  if (own === undefined && pod === undefined && devices.length === 0) return plainContainerSecurity;
  const field = `${containerField}.securityContext`;
  const say = <Value>(key: keyof Shared, mine: Value, all: Value): Said<Value & {}> | undefined => {
    if (mine != null) return { value: mine, field: `${field}.${key}` };
    return all != null ? { value: all, field: `${podField}.${key}` } : undefined;
  };
  const runAsUser = say("runAsUser", own?.runAsUser, pod?.runAsUser);
  const runAsGroup = say("runAsGroup", own?.runAsGroup, pod?.runAsGroup);
  const runAsNonRoot = say("runAsNonRoot", own?.runAsNonRoot, pod?.runAsNonRoot);
  const profile = (key: "seccompProfile" | "appArmorProfile") =>
    say(key, profileOf(own?.[key]), profileOf(pod?.[key]));
  const appArmor = profile("appArmorProfile");
  const seLinux = say(
    "seLinuxOptions",
    seLinuxOf(own?.seLinuxOptions),
    seLinuxOf(pod?.seLinuxOptions),
  );
  const add = listOf(own?.capabilities?.add, `${field}.capabilities.add`);
  const privileged = own?.privileged ?? false;
  const isAdministrator = add.some(({ value }) => value === "SYS_ADMIN" || value === "ALL");
  return {
    ...(runAsUser && { runAsUser }),
    ...(runAsGroup && { runAsGroup }),
    ...(runAsNonRoot && { runAsNonRoot }),
    groups: [
      ...(pod?.fsGroup === undefined ? [] : [pod.fsGroup]),
      ...(pod?.supplementalGroups ?? []),
    ],
    groupsPolicy: pod?.supplementalGroupsPolicy ?? "Merge",
    addCapabilities: add,
    dropCapabilities: listOf(own?.capabilities?.drop, `${field}.capabilities.drop`),
    devices,
    privileged,
    // Who may do everything already is not kept from more, by the API's own words.
    allowPrivilegeEscalation: own?.allowPrivilegeEscalation ?? (privileged || isAdministrator),
    procMount: own?.procMount ?? "Default",
    seccomp: profile("seccompProfile") ?? plainContainerSecurity.seccomp,
    ...(appArmor && { appArmor }),
    ...(seLinux && { seLinux }),
  };
}

function profileOf(profile: Shared["seccompProfile"]): ProfileSpec | undefined {
  if (profile?.type !== "Localhost") return profile && { type: profile.type };
  return { type: profile.type, name: profile.localhostProfile ?? "" };
}

function seLinuxOf(options: Shared["seLinuxOptions"]): SeLinuxSpec | undefined {
  if (options === undefined) return undefined;
  const { user = "", role = "", type = "", level = "" } = options;
  return { user, role, type, level };
}

/** podman's way: an amount of one of a device, named as no other resource can be. */
function devicesOf(resources: CheckedContainer["resources"], field: string): Said<string>[] {
  return Object.keys(resources?.limits ?? {})
    .filter((key) => key.includes("="))
    .map((value) => ({ value, field: fieldOf(`${field}.limits`, value) }));
}

function listOf(names: readonly string[] | undefined, field: string): Said<string>[] {
  return (names ?? []).map((value, index) => ({ value, field: `${field}[${index}]` }));
}

/**
 * `net/ipv4/conf/eth0.7/forwarding` is `net.ipv4.conf.eth0/7.forwarding`: the first separator says
 * which of the two it is (man 5 sysctl.d).
 */
export function dotted(name: string): string {
  const [first] = /[./]/.exec(name) ?? [];
  if (first !== "/") return name;
  return name.replace(/[./]/g, (separator) => (separator === "/" ? "." : "/"));
}
