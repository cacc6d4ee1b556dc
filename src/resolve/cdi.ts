// Devices that vendors describe, by the Container Device Interface: what a name such as
// vendor.com/class=name adds to a container. Loaded for manifests that name one.

import { readdirSync, readFileSync, statSync } from "node:fs";
import Type from "typebox";
import { Compile } from "typebox/compile";
import type { Static } from "typebox";
import { parse } from "yaml";
import type { Origin } from "../errors/pod-error.ts";
import { PodError } from "../errors/pod-error.ts";
import type { GuestPath, HostPath } from "../spec/paths.ts";
import type { AllowedDevice, ResolvedBind, ResolvedDevice } from "../spec/resolved.ts";
import type { Said } from "../spec/security.ts";
import { deviceNumbers } from "./host-devices.ts";

/** A later directory goes before an earlier one: what is made at boot before what is installed. */
export const cdiDirectories = ["/etc/cdi", "/var/run/cdi"] as const;
const bytesMax = 4 << 20;

export interface DeviceEdits {
  readonly env: readonly string[];
  readonly groups: readonly number[];
  readonly devices: readonly ResolvedDevice[];
  /** What a program has to see to, because a node's mode cannot say it. */
  readonly allowed: readonly AllowedDevice[];
  readonly binds: readonly ResolvedBind[];
}

const Text = Type.String();
const Texts = Type.Array(Text);
const Uint32 = Type.Integer({ minimum: 0, maximum: 0xffffffff });
const Path = Type.String({ pattern: "^/[^\\0]*$" });
const Edits = Type.Object(
  {
    env: Type.Optional(Texts),
    additionalGids: Type.Optional(Type.Array(Uint32)),
    deviceNodes: Type.Optional(
      Type.Array(
        Type.Object(
          {
            path: Path,
            hostPath: Type.Optional(Path),
            type: Type.Optional(Text),
            major: Type.Optional(Uint32),
            minor: Type.Optional(Uint32),
            fileMode: Type.Optional(Uint32),
            permissions: Type.Optional(Type.String({ pattern: "^[rwm]*$" })),
            uid: Type.Optional(Uint32),
            gid: Type.Optional(Uint32),
          },
          { additionalProperties: false },
        ),
      ),
    ),
    mounts: Type.Optional(
      Type.Array(
        Type.Object(
          {
            hostPath: Path,
            containerPath: Path,
            type: Type.Optional(Text),
            options: Type.Optional(Texts),
          },
          { additionalProperties: false },
        ),
      ),
    ),
    hooks: Type.Optional(Type.Array(Type.Unknown())),
    intelRdt: Type.Optional(Type.Unknown()),
    netDevices: Type.Optional(Type.Array(Type.Unknown())),
  },
  { additionalProperties: false },
);
const Notes = Type.Optional(Type.Record(Text, Text));
const Spec = Type.Object(
  {
    cdiVersion: Text,
    kind: Text,
    annotations: Notes,
    devices: Type.Array(
      Type.Object(
        { name: Text, annotations: Notes, containerEdits: Edits },
        { additionalProperties: false },
      ),
    ),
    containerEdits: Type.Optional(Edits),
  },
  { additionalProperties: false },
);
type Edits = Static<typeof Edits>;
type Spec = Static<typeof Spec>;
const isSpec = Compile(Spec);

type Fail = (why: string) => PodError;

/** Of all the devices of one container. */
export function resolveCdiDevices(
  wanted: readonly Said<string>[],
  directories: readonly string[],
  originOf: (field: string) => Origin,
): DeviceEdits {
  const specs = readSpecs(directories);
  const used = new Set<Spec>();
  const edits = wanted.flatMap(({ value, field }) => {
    const fail: Fail = (why) =>
      new PodError({
        code: "host.device-unusable",
        message: `the device ${value} cannot be given: ${why}`,
        origin: originOf(field),
      });
    const [spec, device] = findDevice(specs, value, directories, fail);
    const own = translate(device, field, fail);
    // What a vendor's devices have in common comes once.
    const common = used.has(spec) || !spec.containerEdits;
    used.add(spec);
    return common ? [own] : [translate(spec.containerEdits ?? {}, field, fail), own];
  });
  return {
    env: edits.flatMap(({ env }) => env),
    groups: edits.flatMap(({ groups }) => groups),
    devices: unique(edits.flatMap(({ devices }) => devices)),
    allowed: edits.flatMap(({ allowed }) => allowed),
    binds: edits.flatMap(({ binds }) => binds),
  };
}

function unique(devices: readonly ResolvedDevice[]): ResolvedDevice[] {
  return [...new Map(devices.map((device) => [device.path, device])).values()];
}

interface Found {
  readonly file: string;
  readonly spec?: Spec;
  /** A file that cannot be used is told of only where it may be the one. */
  readonly problem?: string;
}

/** The last directory first. */
function readSpecs(directories: readonly string[]): Found[] {
  return directories
    .toReversed()
    .flatMap((directory) => namesIn(directory).map((name) => readSpec(`${directory}/${name}`)));
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
      .filter((name) => /\.(json|yaml)$/.test(name))
      .toSorted();
  } catch {
    return [];
  }
}

function readSpec(file: string): Found {
  try {
    const stat = statSync(file);
    if (!stat.isFile() || stat.size > bytesMax) return { file, problem: "no file of such a size" };
    const value: unknown = parse(readFileSync(file, "utf8"));
    if (isSpec.Check(value)) return { file, spec: value };
    const [first] = isSpec.Errors(value);
    return { file, problem: `${first?.instancePath ?? ""} ${first?.message ?? ""}`.trim() };
  } catch (error) {
    return { file, problem: error instanceof Error ? error.message : String(error) };
  }
}

function findDevice(
  specs: readonly Found[],
  name: string,
  directories: readonly string[],
  fail: Fail,
): readonly [Spec, Edits] {
  const [kind = "", device = ""] = name.split("=");
  for (const { spec } of specs) {
    const found = spec?.kind === kind && spec.devices.find((one) => one.name === device);
    if (spec && found) return [spec, found.containerEdits];
  }
  const broken = specs.find(({ problem }) => problem !== undefined);
  if (broken) throw fail(`${broken.file} is no CDI specification: ${broken.problem}`);
  const known = specs.flatMap(({ spec }) =>
    spec?.kind === kind ? spec.devices.map((one) => one.name) : [],
  );
  throw fail(
    known.length > 0
      ? `${kind} has ${known.toSorted().join(", ")}`
      : `no file of ${directories.join(" and ")} describes ${kind}`,
  );
}

function translate(edits: Edits, field: string, fail: Fail): DeviceEdits {
  for (const key of ["hooks", "intelRdt", "netDevices"] as const) {
    const value = edits[key];
    const isEmpty = value === undefined || (Array.isArray(value) && value.length === 0);
    if (!isEmpty) throw fail(`its specification has ${key}, which peapod does not carry out`);
  }
  const nodes = (edits.deviceNodes ?? []).map((node) => translateNode(node, field, fail));
  return {
    env: (edits.env ?? []).map((entry) => {
      if (/^[^=\0]+=[^\0]*$/.test(entry)) return entry;
      throw fail(`${JSON.stringify(entry)} is no NAME=value`);
    }),
    groups: edits.additionalGids ?? [],
    devices: nodes.map(({ device }) => device),
    allowed: nodes.map(({ device, access }) => ({ ...device, access })),
    binds: (edits.mounts ?? []).map((mount) => translateMount(mount, fail)),
  };
}

type Node = NonNullable<Edits["deviceNodes"]>[number];

/** What the specification leaves open is as on the host. */
function translateNode(node: Node, field: string, fail: Fail) {
  const source = node.hostPath ?? node.path;
  const stat = statSync(source, { throwIfNoEntry: false });
  const isDevice = stat?.isCharacterDevice() || stat?.isBlockDevice();
  if (!stat || !isDevice) throw fail(`${source} is ${stat ? "no device" : "missing"}`);
  const onHost = deviceNumbers(stat);
  const type = { b: "block_device", c: "character_device", u: "character_device" } as const;
  const given = type[(node.type ?? "") as keyof typeof type];
  if (node.type !== undefined && node.type !== "" && given === undefined) {
    throw fail(`${node.path} is of the type ${JSON.stringify(node.type)}`);
  }
  const device: ResolvedDevice = {
    field,
    path: cleanPath(node.path, fail),
    type: given ?? onHost.type,
    major: node.major ?? onHost.major,
    minor: node.minor ?? onHost.minor,
    mode: (node.fileMode ?? stat.mode) & 0o777,
    uid: node.uid ?? stat.uid,
    gid: node.gid ?? stat.gid,
  };
  return { device, access: node.permissions || "rwm" };
}

const options: ReadonlySet<string> = new Set([
  ...["ro", "rw", "bind", "rbind", "private", "rprivate", "slave", "rslave"],
  ...["nosuid", "nodev", "noexec", "exec", "relatime", "noatime"],
]);

/** Every one of them is `nosuid` and `nodev`: no container needs more. */
function translateMount(mount: NonNullable<Edits["mounts"]>[number], fail: Fail): ResolvedBind {
  const wishes = mount.options ?? [];
  const unknown = wishes.find((option) => !options.has(option));
  if (unknown !== undefined) throw fail(`a mount has the option ${JSON.stringify(unknown)}`);
  if (mount.type !== undefined && mount.type !== "" && mount.type !== "bind") {
    throw fail(`a mount is of the type ${JSON.stringify(mount.type)}`);
  }
  return {
    source: mount.hostPath as HostPath,
    target: cleanPath(mount.containerPath, fail),
    readOnly: wishes.includes("ro"),
  };
}

function cleanPath(path: string, fail: Fail): GuestPath {
  const names = path.split("/").filter((name) => name !== "" && name !== ".");
  if (names.includes("..")) throw fail(`${path} goes up`);
  return `/${names.join("/")}` as GuestPath;
}
