// Privileges that a host cannot give, and what others become of it.

import { expect, test } from "bun:test";
import { PodError, printError } from "../../src/errors/pod-error.ts";
import { readPodManifest } from "../../src/read/pod-manifest/read.ts";
import type { ResolvedImage } from "../../src/resolve/image.ts";
import { resolvePod } from "../../src/resolve/pod.ts";
import { privilegesOf } from "../../src/resolve/privileges.ts";
import { capabilityMask } from "../../src/spec/capabilities.ts";
import type { HostFacts, SecurityFacts } from "../../src/spec/host-facts.ts";
import type { GuestPath, HostPath } from "../../src/spec/paths.ts";
import type { PodManifest } from "../../src/read/pod-manifest/read.ts";
import type { PodSpec } from "../../src/spec/pod-spec.ts";
import type { ResolvedContainer } from "../../src/spec/resolved.ts";
import { plainSecurity, rootUser } from "../../src/spec/resolved.ts";
import { someFacts, someUid, specOf } from "../support/specs.ts";

type Spec = NonNullable<PodManifest["spec"]>;
type Context = NonNullable<Spec["containers"][number]["securityContext"]>;

const plain: SecurityFacts = {
  capabilities: capabilityMask(["CHOWN", "NET_ADMIN", "MKNOD"]),
  appArmorProfiles: undefined,
  hasSeLinux: false,
};

function resolve(
  context: Context,
  facts: Partial<SecurityFacts> = {},
  spec: Partial<Spec> = {},
  warn: (message: string) => void = () => {},
): ResolvedContainer {
  const host: HostFacts = { ...someFacts, security: { ...plain, ...facts } };
  const container = {
    ...{ name: "app", image: "rootfs:/usr", command: ["run"] },
    securityContext: context,
  };
  const pod = { metadata: { name: "web" }, spec: { ...spec, containers: [container] } };
  return resolveOne(readPodManifest(pod), host, warn);
}

function resolveOne(
  spec: PodSpec,
  host: HostFacts,
  warn: (message: string) => void = () => {},
): ResolvedContainer {
  const [resolved] = resolvePod(spec, host, {
    ...{ uid: someUid, ids: { firstId: 0, count: 0, claim: "" } },
    places: {
      root: "/nowhere" as HostPath,
      state: "/run/peapod" as HostPath,
      logs: "/var/log/pods" as HostPath,
    },
    ...{ podPidsMax: 4096, deadlineMs: 1, missingControllers: "warn", warn, files: {} },
  }).containers;
  if (!resolved) throw new Error("it has one");
  return resolved;
}

function complaint(...words: Parameters<typeof resolve>): string {
  try {
    resolve(...words);
    return "no error";
  } catch (error) {
    return error instanceof PodError ? printError(error) : String(error);
  }
}

const own = "spec.containers[0].securityContext";

test("a capability that this process lacks cannot be handed on", () => {
  expect(complaint({ capabilities: { add: ["NET_ADMIN", "SYS_TIME"] } })).toBe(
    `error[host.capability-missing] this process has no CAP_SYS_TIME that it could give to container app
  from   ${own}.capabilities.add[1]
  hint   start peapod with all of root's capabilities, or do not add this one`,
  );
  // Root of a user namespace has all of them in it.
  expect(complaint({ capabilities: { add: ["SYS_TIME"] } }, {}, { hostUsers: false })).toBe(
    "no error",
  );
});

test("a privileged container has what there is", () => {
  const { security } = resolve({ privileged: true });
  expect(security).toMatchObject({
    ...{ capabilities: plain.capabilities, noNewPrivileges: false, seccomp: "none" },
    ...{ isPrivileged: true, isUnmasked: true, deviceFilter: undefined },
  });
});

test("a privileged container's seccomp profile is not applied, and that is said", () => {
  const said: string[] = [];
  const context: Context = { privileged: true, seccompProfile: { type: "RuntimeDefault" } };
  resolve(context, {}, {}, (message) => said.push(message));
  expect(said).toContain("container app is privileged, so its seccompProfile is not applied");
});

test("nothing is looked up for a container that says nothing", () => {
  const host = { ...someFacts };
  Object.defineProperty(host, "security", {
    get: () => {
      throw new Error("nobody asked");
    },
  });
  const pod = {
    metadata: { name: "web" },
    spec: { containers: [{ name: "app", image: "rootfs:/usr", command: ["run"] }] },
  };
  expect(resolveOne(readPodManifest(pod), host).security).toBe(plainSecurity);
});

test("AppArmor is used where it is, and asked for in vain where not", () => {
  const profile = (
    type: "Localhost" | "RuntimeDefault" | "Unconfined",
    localhostProfile?: string,
  ) => ({ appArmorProfile: { type, ...(localhostProfile && { localhostProfile }) } }) as Context;
  const loaded = { appArmorProfiles: new Set(["web", "peapod-default"]) };
  expect(resolve(profile("Localhost", "web"), loaded).security.appArmor).toBe("web");
  expect(resolve(profile("RuntimeDefault"), loaded).security.appArmor).toBe("peapod-default");
  expect(resolve(profile("Unconfined"), loaded).security.appArmor).toBe("unconfined");
  expect(resolve(profile("Unconfined")).security.appArmor).toBe("");
  expect(resolve({}, loaded).security.appArmor).toBe("");
  expect(complaint(profile("Localhost", "db"), loaded)).toBe(
    `error[host.security-module-missing] the AppArmor profile "db" is not loaded on this host
  from   ${own}.appArmorProfile
  hint   remove the field, or load what it names`,
  );
  expect(complaint(profile("RuntimeDefault"))).toBe(
    `error[host.security-module-missing] this kernel has no AppArmor for container app
  from   ${own}.appArmorProfile
  hint   remove the field, or load what it names`,
  );
});

test("SELinux options are a label with the parts that they leave open", () => {
  const options = { seLinuxOptions: { type: "spc_t", level: "s0:c1,c2" } };
  expect(resolve(options, { hasSeLinux: true }).security.seLinux).toBe(
    "system_u:system_r:spc_t:s0:c1,c2",
  );
});

test("a container that could make nodes is asked about devices, and others cannot", () => {
  const filter = (context: Context, spec: Partial<Spec> = {}) =>
    resolve(context, {}, spec).security.deviceFilter;
  expect(filter({ capabilities: { add: ["NET_ADMIN"] } })).toBe(undefined);
  expect(filter({ capabilities: { add: ["MKNOD"] } })).toEqual([]);
  expect(filter({ capabilities: { add: ["MKNOD"] } }, { hostUsers: false })).toBe(undefined);
});

test("a user namespace has 65536 ids", () => {
  expect(complaint({ runAsUser: 65_536 }, {}, { hostUsers: false })).toBe(
    `error[manifest.invalid] the user namespace of the pod has ids below 65536, and 65536 is none
  from   ${own}.runAsUser`,
  );
});

test("a volume that receives mounts of the host may bring devices, so they are asked about", () => {
  const image: ResolvedImage = {
    ...{ id: "", entrypoint: [], cmd: [], env: [], home: "/", workingDir: "/" },
    ...{ user: rootUser, userName: "", stopSignal: 15, root: { layers: [], binds: [] } },
  };
  const mount = { name: "v", field: "", mountPath: "/v" as GuestPath, readOnly: false };
  const filterWith = (propagation: "None" | "HostToContainer") => {
    const volumeMounts = [{ ...mount, propagation, recursiveReadOnly: "Disabled" as const }];
    const [container] = specOf({ volumeMounts }).containers;
    if (!container) throw new Error("it has one");
    const options = { places: { root: "/nowhere" }, warn: () => {} };
    const host = { ...someFacts, security: plain };
    return privilegesOf(specOf(), container, image, host, options).security.deviceFilter;
  };
  expect(filterWith("None")).toBe(undefined);
  expect(filterWith("HostToContainer")).toEqual([]);
});
