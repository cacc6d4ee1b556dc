// The Pod Security Standards: what baseline and restricted forbid, read off the manifest as it was
// written. What peapod does by default anyway still has to be said, so that its verdict is that of
// a cluster.

import type { ErrorCode } from "../errors/catalog.ts";
import { PodError, throwTogether } from "../errors/pod-error.ts";
import type { PolicyLevel } from "../spec/policy.ts";
import type { PodSpec } from "../spec/pod-spec.ts";
import { originOf } from "../spec/pod-spec.ts";
import { safeSysctls } from "./sysctls.ts";

interface Violation {
  readonly field: string;
  readonly message: string;
}

type Map = Readonly<Record<string, unknown>>;

/** A part of the manifest with its field path. */
interface Part {
  readonly map: Map;
  readonly field: string;
}

/** All violations at once, each with its line. */
export function refuseViolations(spec: PodSpec, level: Exclude<PolicyLevel, "privileged">): void {
  const code: ErrorCode = "pod.policy-violated";
  const errors = violationsOf(spec.manifest, level).map(
    ({ field, message }) =>
      new PodError({
        code,
        message: `${field}: ${message} (policy ${level})`,
        origin: originOf(spec, field),
      }),
  );
  throwTogether(errors);
}

export function violationsOf(
  manifest: Map,
  level: Exclude<PolicyLevel, "privileged">,
): readonly Violation[] {
  const pod: Pod = {
    metadata: mapAt(manifest, "metadata"),
    spec: { map: mapAt(manifest, "spec"), field: "spec" },
    containers: ["initContainers", "containers", "ephemeralContainers"].flatMap((key) =>
      partsOf({ map: mapAt(manifest, "spec"), field: "spec" }, key),
    ),
  };
  const baseline = baselineChecks.flatMap((check) => check(pod));
  if (level === "baseline") return baseline;
  const restricted = restrictedChecks.flatMap((check) => check(pod));
  // Where both forbid one thing, the stricter says what is wanted.
  const covered = new Set(restricted.map(({ field }) => field));
  return [...baseline.filter(({ field }) => !covered.has(field)), ...restricted];
}

interface Pod {
  readonly metadata: Map;
  readonly spec: Part;
  readonly containers: readonly Part[];
}

type Check = (pod: Pod) => readonly Violation[];

function isMap(value: unknown): value is Map {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function mapAt(map: Map, ...keys: readonly string[]): Map {
  let at: Map = map;
  for (const key of keys) {
    const next = at[key];
    if (!isMap(next)) return {};
    at = next;
  }
  return at;
}

function partsOf({ map, field }: Part, key: string): Part[] {
  const list: unknown = map[key];
  if (!Array.isArray(list)) return [];
  return list.map((item: unknown, index) => ({
    map: isMap(item) ? item : {},
    field: `${field}.${key}[${index}]`,
  }));
}

/** The pod's own and those of its containers. */
function contextsOf({ spec, containers }: Pod): Part[] {
  return [spec, ...containers].map(contextOf);
}

function contextOf({ map, field }: Part): Part {
  return { map: mapAt(map, "securityContext"), field: `${field}.securityContext` };
}

function quoted(value: unknown): string {
  return JSON.stringify(value) ?? "nothing";
}

/** With a user namespace root in it is nobody on the host: Kubernetes relaxes these rules. */
function isUserNamespaced({ spec }: Pod): boolean {
  return spec.map["hostUsers"] === false;
}

const hostNamespaces: Check = ({ spec }) =>
  ["hostNetwork", "hostPID", "hostIPC"]
    .filter((key) => spec.map[key] === true)
    .map((key) => ({ field: `spec.${key}`, message: "must not share a namespace of the host" }));

const hostProcess: Check = (pod) =>
  contextsOf(pod).flatMap(({ map, field }) =>
    mapAt(map, "windowsOptions")["hostProcess"] === true
      ? [{ field: `${field}.windowsOptions.hostProcess`, message: "must not be true" }]
      : [],
  );

const privileged: Check = ({ containers }) =>
  containers
    .map(contextOf)
    .filter(({ map }) => map["privileged"] === true)
    .map(({ field }) => ({ field: `${field}.privileged`, message: "must not be true" }));

const baselineCapabilities: ReadonlySet<unknown> = new Set([
  ...["AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD"],
  ...["NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"],
]);

function addedOutside({ containers }: Pod, allowed: ReadonlySet<unknown>): Violation[] {
  return containers.map(contextOf).flatMap(({ map, field }) => {
    const add: unknown = mapAt(map, "capabilities")["add"];
    if (!Array.isArray(add)) return [];
    return add.flatMap((name: unknown, index) =>
      allowed.has(name)
        ? []
        : [
            {
              field: `${field}.capabilities.add[${index}]`,
              message: `must not add ${quoted(name)}; allowed are ${[...allowed].join(", ")}`,
            },
          ],
    );
  });
}

const capabilities: Check = (pod) => addedOutside(pod, baselineCapabilities);

const hostPaths: Check = ({ spec }) =>
  partsOf(spec, "volumes")
    .filter(({ map }) => map["hostPath"] != null)
    .map(({ field }) => ({
      field: `${field}.hostPath`,
      message: "must not be a path of the host",
    }));

/** peapod's own: the image that is a directory of the host. */
const hostDirectories: Check = ({ containers }) =>
  containers
    .filter(({ map }) => String(map["image"]).startsWith("rootfs:"))
    .map(({ field }) => ({ field: `${field}.image`, message: "must not be a path of the host" }));

const hostPorts: Check = ({ containers }) =>
  containers
    .flatMap((container) => partsOf(container, "ports"))
    .filter(({ map }) => map["hostPort"] != null && map["hostPort"] !== 0)
    .map(({ field }) => ({ field: `${field}.hostPort`, message: "must not be set" }));

const handlers = [
  ...["livenessProbe", "readinessProbe", "startupProbe"].map((key) => [key]),
  ...["postStart", "preStop"].map((key) => ["lifecycle", key]),
].flatMap((path) => ["httpGet", "tcpSocket"].map((kind) => [...path, kind]));

const handlerHosts: Check = ({ containers }) =>
  containers.flatMap(({ map, field }) =>
    handlers
      .filter((path) => (mapAt(map, ...path)["host"] ?? "") !== "")
      .map((path) => ({
        field: `${field}.${path.join(".")}.host`,
        message: "must not be set: the address is the pod's own",
      })),
  );

function profileType({ map, field }: Part, key: string, allowed: readonly string[]): Violation[] {
  const type = mapAt(map, key)["type"];
  if (type === undefined || allowed.includes(String(type))) return [];
  const message = `must not be ${quoted(type)}; allowed are ${allowed.join(", ")}`;
  return [{ field: `${field}.${key}.type`, message }];
}

const profiles = ["RuntimeDefault", "Localhost"] as const;

const seccomp: Check = (pod) =>
  contextsOf(pod).flatMap((context) => profileType(context, "seccompProfile", profiles));

const appArmorAnnotation = "container.apparmor.security.beta.kubernetes.io/";

const appArmor: Check = (pod) => [
  ...contextsOf(pod).flatMap((context) => profileType(context, "appArmorProfile", profiles)),
  ...Object.entries(mapAt(pod.metadata, "annotations"))
    .filter(([key]) => key.startsWith(appArmorAnnotation))
    .filter(([, value]) => !/^(runtime\/default|localhost\/.*)?$/.test(String(value)))
    .map(([key, value]) => ({
      field: `metadata.annotations[${quoted(key)}]`,
      message: `must not be ${quoted(value)}`,
    })),
];

const seLinuxTypes = [
  "",
  "container_t",
  "container_init_t",
  "container_kvm_t",
  "container_engine_t",
];

const seLinux: Check = (pod) =>
  contextsOf(pod).flatMap(({ map, field }) => {
    const { type = "", user = "", role = "" } = mapAt(map, "seLinuxOptions");
    const place = `${field}.seLinuxOptions`;
    const wrongType = {
      field: `${place}.type`,
      message: `must not be ${quoted(type)}; allowed are ${seLinuxTypes.slice(1).join(", ")}`,
    };
    return [
      ...(seLinuxTypes.includes(String(type)) ? [] : [wrongType]),
      ...(user === "" ? [] : [{ field: `${place}.user`, message: "must not be set" }]),
      ...(role === "" ? [] : [{ field: `${place}.role`, message: "must not be set" }]),
    ];
  });

const procMount: Check = (pod) => (isUserNamespaced(pod) ? [] : procMountOf(pod));

function procMountOf({ containers }: Pod): Violation[] {
  return containers
    .map(contextOf)
    .filter(({ map }) => !["Default", undefined, null].includes(map["procMount"] as string))
    .map(({ field }) => ({ field: `${field}.procMount`, message: "must be Default" }));
}

const sysctls: Check = ({ spec }) =>
  partsOf(contextOf(spec), "sysctls")
    .filter(({ map }) => !safeSysctls.has(String(map["name"])))
    .map(({ map, field }) => ({
      field: `${field}.name`,
      message: `must not set ${quoted(map["name"])}, which is not safe`,
    }));

const baselineChecks: readonly Check[] = [
  hostProcess,
  hostNamespaces,
  privileged,
  capabilities,
  hostPaths,
  hostDirectories,
  hostPorts,
  handlerHosts,
  appArmor,
  seLinux,
  procMount,
  seccomp,
  sysctls,
];

const volumeTypes = [
  ...["configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim"],
  ...["projected", "secret"],
];

/** A volume without a source is an emptyDir. */
const volumes: Check = ({ spec }) =>
  partsOf(spec, "volumes").flatMap(({ map, field }) => {
    const source = Object.keys(map).find((key) => key !== "name" && map[key] != null);
    if (source === undefined || volumeTypes.includes(source)) return [];
    const message = `must be one of ${volumeTypes.join(", ")}`;
    return [{ field: `${field}.${source}`, message }];
  });

/** Linux only, and so are we. */
const escalation: Check = ({ containers }) =>
  containers
    .map(contextOf)
    .filter(({ map }) => map["allowPrivilegeEscalation"] !== false)
    .map(({ field }) => ({
      field: `${field}.allowPrivilegeEscalation`,
      message: "must be written, and false",
    }));

/** What a container says, or else its pod. */
function nonRootOf(pod: Pod): Violation[] {
  const message = "must be true, for the pod or for each container";
  const own = contextOf(pod.spec);
  const forPod = own.map["runAsNonRoot"];
  const wrong = (value: unknown) => value === false || (value == null && forPod !== true);
  return [
    ...(forPod === false ? [{ field: `${own.field}.runAsNonRoot`, message }] : []),
    ...pod.containers
      .map(contextOf)
      .filter(({ map }) => wrong(map["runAsNonRoot"]))
      .map(({ field }) => ({ field: `${field}.runAsNonRoot`, message })),
  ];
}

const nonRoot: Check = (pod) => (isUserNamespaced(pod) ? [] : nonRootOf(pod));

const rootUser: Check = (pod) =>
  isUserNamespaced(pod)
    ? []
    : contextsOf(pod)
        .filter(({ map }) => map["runAsUser"] === 0)
        .map(({ field }) => ({ field: `${field}.runAsUser`, message: "must not be 0" }));

const seccompSaid: Check = (pod) => {
  const isSaid = ({ map }: Part) => mapAt(map, "seccompProfile")["type"] !== undefined;
  if (isSaid(contextOf(pod.spec))) return [];
  return pod.containers
    .map(contextOf)
    .filter((context) => !isSaid(context))
    .map(({ field }) => ({
      field: `${field}.seccompProfile.type`,
      message: `must be ${profiles.join(" or ")}, for the pod or for each container`,
    }));
};

const dropAll: Check = ({ containers }) =>
  containers.map(contextOf).flatMap(({ map, field }) => {
    const drop: unknown = mapAt(map, "capabilities")["drop"];
    if (Array.isArray(drop) && drop.includes("ALL")) return [];
    return [{ field: `${field}.capabilities.drop`, message: 'must have "ALL"' }];
  });

const bindOnly: Check = (pod) => addedOutside(pod, new Set(["NET_BIND_SERVICE"]));

const restrictedChecks: readonly Check[] = [
  volumes,
  escalation,
  nonRoot,
  rootUser,
  seccompSaid,
  dropAll,
  bindOnly,
  procMountOf,
];
