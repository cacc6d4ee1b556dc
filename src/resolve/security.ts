// What a manifest says of privileges → numbers, names and programs; or the reason why this host
// cannot give them. Loaded for pods that say anything of it.

import type { ErrorCode } from "../errors/catalog.ts";
import { PodError } from "../errors/pod-error.ts";
import { allCapabilities, capabilityMask, defaultCapabilities } from "../spec/capabilities.ts";
import type { HostFacts } from "../spec/host-facts.ts";
import type { ContainerSpec, PodSpec } from "../spec/pod-spec.ts";
import { originOf } from "../spec/pod-spec.ts";
import type { AllowedDevice, ResolvedSecurity, ResolvedUser } from "../spec/resolved.ts";
import type { ContainerSecuritySpec, ProfileSpec, Said } from "../spec/security.ts";
import type { ResolvedImage } from "./image.ts";
import type { DeviceEdits } from "./cdi.ts";
import { readDevice, readHostDevices } from "./host-devices.ts";
import type { Privileges, PrivilegeOptions } from "./privileges.ts";
import { receivesMounts } from "./privileges.ts";

/** Ids that a pod's user namespace has. */
const mappedIds = 65_536;
/** What a labelled process is where the manifest leaves parts open: containers-common's default. */
const seLinuxDefault = { user: "system_u", role: "system_r", type: "container_t", level: "s0" };

export function resolvePrivileges(
  spec: PodSpec,
  container: ContainerSpec,
  image: ResolvedImage,
  facts: HostFacts,
  options: PrivilegeOptions,
): Privileges {
  const wish: Wish = { spec, container, security: container.security };
  const { user: named, home } = resolveIds(wish, image);
  const { privileged, procMount } = wish.security;
  const capabilities = resolveCapabilities(wish, facts);
  const edits = resolveDevices(wish, options);
  const hosts = privileged ? readHostDevices(`${container.field}.securityContext.privileged`) : [];
  const own = new Set<string>(edits.devices.map(({ path }) => path));
  return {
    user: { ...named, groups: [...new Set([...named.groups, ...edits.groups])] },
    home,
    security: {
      capabilities,
      noNewPrivileges: !wish.security.allowPrivilegeEscalation,
      seccomp: resolveSeccomp(wish, capabilities, facts, options),
      isPrivileged: privileged,
      isUnmasked: privileged || procMount === "Unmasked",
      appArmor: resolveAppArmor(wish, facts),
      seLinux: resolveSeLinux(wish, facts),
      devices: [...hosts.filter(({ path }) => !own.has(path)), ...edits.devices],
      deviceFilter: resolveDeviceFilter(wish, capabilities, edits.allowed),
    },
    env: edits.env,
    binds: edits.binds,
  };
}

interface Wish {
  readonly spec: PodSpec;
  readonly container: ContainerSpec;
  readonly security: ContainerSecuritySpec;
}

function fault({ spec }: Wish, code: ErrorCode, field: string, message: string): PodError {
  return new PodError({ code, message, origin: originOf(spec, field) });
}

function resolveIds(
  wish: Wish,
  image: ResolvedImage,
): { readonly user: ResolvedUser; readonly home: string } {
  const { runAsUser, runAsGroup, groups, groupsPolicy } = wish.security;
  refuseRoot(wish, image);
  const isOther = runAsUser !== undefined || runAsGroup !== undefined;
  const own = isOther ? lookUp(wish, image) : { ...image.user, home: image.home };
  const { uid, gid, home } = own;
  refuseUnmapped(wish, uid, gid);
  // The primary group is one of them, or a file that denies it its access would let it in.
  const fromImage = groupsPolicy === "Merge" ? own.groups : [];
  const all = groups.length + fromImage.length === 0 ? [] : [gid, ...fromImage, ...groups];
  return { user: { uid, gid, groups: [...new Set(all)] }, home };
}

/** A user by number and its groups, as the image's own files have them. */
function lookUp({ container, security }: Wish, image: ResolvedImage) {
  const { resolveUser }: typeof import("../image/user.ts") = require("../image/user.ts");
  const uid = String(security.runAsUser?.value ?? image.user.uid);
  const group = security.runAsGroup === undefined ? "" : `:${security.runAsGroup.value}`;
  return resolveUser(`${uid}${group}`, image.root.layers, container.image);
}

/** The kubelet's verifyRunAsNonRoot, and its words. */
function refuseRoot(wish: Wish, image: ResolvedImage): void {
  const { runAsNonRoot, runAsUser } = wish.security;
  if (!runAsNonRoot?.value) return;
  const refuse = (field: string, why: string) =>
    fault(wish, "container.runs-as-root", field, `${why} (container: ${wish.container.name})`);
  if (runAsUser?.value === 0) {
    throw refuse(runAsUser.field, "container's runAsUser breaks non-root policy");
  }
  if (runAsUser !== undefined) return;
  if (image.user.uid === 0) {
    throw refuse(runAsNonRoot.field, "container has runAsNonRoot and image will run as root");
  }
  if (image.userName === "") return;
  const why = `container has runAsNonRoot and image has non-numeric user (${image.userName})`;
  throw refuse(runAsNonRoot.field, `${why}, cannot verify user is non-root`);
}

function refuseUnmapped(wish: Wish, uid: number, gid: number): void {
  if (wish.spec.namespaces.user !== "POD") return;
  const { runAsUser, runAsGroup, groups } = wish.security;
  const { field } = wish.container;
  const ids = [
    { id: uid, field: runAsUser?.field ?? `${field}.image` },
    { id: gid, field: runAsGroup?.field ?? `${field}.image` },
    ...groups.map((id) => ({ id, field: "spec.securityContext" })),
  ];
  const wrong = ids.find(({ id }) => id >= mappedIds);
  if (wrong === undefined) return;
  const why = `the user namespace of the pod has ids below ${mappedIds}, and ${wrong.id} is none`;
  throw fault(wish, "manifest.invalid", wrong.field, why);
}

/** Drops go from the default set, then additions come, then what is dropped by name goes. */
function resolveCapabilities(wish: Wish, facts: HostFacts): bigint {
  const { addCapabilities, dropCapabilities, privileged } = wish.security;
  // A user namespace gives its root all of them.
  const own = wish.spec.namespaces.user === "POD" ? allCapabilities : facts.security.capabilities;
  const has = (list: readonly Said<string>[]) => list.some(({ value }) => value === "ALL");
  const maskOf = (list: readonly Said<string>[]) =>
    capabilityMask(list.map(({ value }) => value).filter((name) => name !== "ALL"));
  if (privileged) return own;
  const missing = addCapabilities.find((one) => (maskOf([one]) & ~own) !== 0n);
  if (missing !== undefined) {
    const why = `this process has no CAP_${missing.value} that it could give to container ${wish.container.name}`;
    throw fault(wish, "host.capability-missing", missing.field, why);
  }
  const base = has(dropCapabilities) ? 0n : capabilityMask(defaultCapabilities);
  const start = has(addCapabilities) ? own : base;
  return (start | maskOf(addCapabilities)) & ~maskOf(dropCapabilities);
}

function resolveSeccomp(
  wish: Wish,
  capabilities: bigint,
  facts: HostFacts,
  options: PrivilegeOptions,
): ResolvedSecurity["seccomp"] {
  const { seccomp, privileged } = wish.security;
  const { value, field } = seccomp;
  if (privileged) {
    if (field !== "" && value.type !== "Unconfined") {
      options.warn(
        `container ${wish.container.name} is privileged, so its seccompProfile is not applied`,
      );
    }
    return "none";
  }
  if (value.type !== "Localhost") return value.type === "Unconfined" ? "none" : "default";
  const reader: typeof import("./seccomp-profile.ts") = require("./seccomp-profile.ts");
  const origin = originOf(wish.spec, `${field}.localhostProfile`);
  return reader.readSeccompProfile(options.places.root, value.name, origin, {
    arch: facts.arch,
    kernel: facts.kernel,
    capabilities,
  });
}

/** mknod, or a mount of what has nodes: both ask for the host's own user namespace. */
const nodeMakers = capabilityMask(["MKNOD", "SYS_ADMIN"]);

function resolveDeviceFilter(
  { spec, container, security }: Wish,
  capabilities: bigint,
  described: readonly AllowedDevice[],
): readonly AllowedDevice[] | undefined {
  // Root passes by the mode of a node.
  const isPartial = described.some(({ access }) => !/r.*w|w.*r/.test(access));
  const couldMakeNodes = (capabilities & nodeMakers) !== 0n && spec.namespaces.user === "NODE";
  const isNeeded = couldMakeNodes || isPartial || receivesMounts(container);
  if (security.privileged || !isNeeded) return undefined;
  const names = new Set(container.volumeMounts.map(({ name }) => name));
  const named = spec.volumes.flatMap((volume) => {
    const isDevice =
      volume.kind === "hostPath" &&
      (volume.type === "CharDevice" || volume.type === "BlockDevice") &&
      names.has(volume.name);
    return isDevice ? readDevice(volume.path) : [];
  });
  return [...named, ...described];
}

const noEdits: DeviceEdits = { env: [], groups: [], devices: [], allowed: [], binds: [] };

function resolveDevices({ spec, security }: Wish, options: PrivilegeOptions): DeviceEdits {
  if (security.devices.length === 0) return noEdits;
  const { resolveCdiDevices, cdiDirectories }: typeof import("./cdi.ts") = require("./cdi.ts");
  const directories = options.cdiDirectories ?? cdiDirectories;
  return resolveCdiDevices(security.devices, directories, (field) => originOf(spec, field));
}

/** Loaded by the host's administrator: the policy compiler is no part of peapod. */
const appArmorDefault = "peapod-default";

function resolveAppArmor(wish: Wish, { security }: HostFacts): string {
  const { appArmor, privileged } = wish.security;
  if (appArmor === undefined || privileged) return "";
  const { value, field } = appArmor;
  const loaded = security.appArmorProfiles;
  if (value.type === "Unconfined") return loaded === undefined ? "" : "unconfined";
  const refuse = (why: string) => fault(wish, "host.security-module-missing", field, why);
  if (loaded === undefined) {
    throw refuse(`this kernel has no AppArmor for container ${wish.container.name}`);
  }
  const name = profileName(value);
  if (loaded.has(name)) return name;
  throw refuse(`the AppArmor profile ${JSON.stringify(name)} is not loaded on this host`);
}

function profileName(profile: Exclude<ProfileSpec, { readonly type: "Unconfined" }>): string {
  return "name" in profile ? profile.name : appArmorDefault;
}

function resolveSeLinux(wish: Wish, { security }: HostFacts): string {
  const { seLinux, privileged } = wish.security;
  if (seLinux === undefined || privileged) return "";
  if (!security.hasSeLinux) {
    const why = `this kernel has no SELinux for container ${wish.container.name}`;
    throw fault(wish, "host.security-module-missing", seLinux.field, why);
  }
  const { user, role, type, level } = seLinux.value;
  return [
    user || seLinuxDefault.user,
    role || seLinuxDefault.role,
    type || seLinuxDefault.type,
    level || seLinuxDefault.level,
  ].join(":");
}
