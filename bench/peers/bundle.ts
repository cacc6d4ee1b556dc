// peapod's plan of a container as an OCI configuration. What a plan says and a configuration can't
// say is listed in docs/peers.md.
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { capabilityNames, defaultCapabilities } from "../../src/spec/capabilities.ts";
import type { AttributeName, Op } from "../../src/plan/plan.ts";
import type { Shape } from "../shape.ts";
import { hostname, opOf, opsOf, type Planned } from "./planned.ts";
import { ociSeccomp } from "./seccomp.ts";

export type BundleOptions = {
  readonly planned: Planned;
  /** Holds `rootfs`, and gets the generated files. */
  readonly directory: string;
  readonly shape: Shape;
  readonly cgroup: string;
  /** The process whose network, IPC and UTS namespaces the container joins. */
  readonly join?: string;
  readonly args?: readonly string[];
};

/** One line of JSON. */
export function bundleConfig(options: BundleOptions): string {
  const { planned, directory, shape } = options;
  const { container } = planned;
  const exec = opOf(container, "exec");
  const { uid, gid, groups } = opOf(container, "set_user");
  const additionalGids = [...new Uint32Array(groups.slice().buffer)];
  return JSON.stringify({
    ociVersion: "1.0.2",
    ...(options.join === undefined ? { hostname } : {}),
    root: { path: join(directory, "rootfs"), readonly: shape.readOnlyRoot },
    process: {
      args: options.args ?? exec.arguments,
      cwd: exec.directory,
      env: exec.environment,
      user: { uid, gid, additionalGids, umask: exec.umask },
      noNewPrivileges: opsOf(container, "set_no_new_privileges").length > 0,
      oomScoreAdj: opOf(container, "set_oom_score").value,
      capabilities: capabilities(planned),
      rlimits: opsOf(container, "set_rlimit").map(({ resource, soft, hard }) => ({
        type: rlimitNames[resource],
        soft: Number(soft),
        hard: Number(hard),
      })),
    },
    mounts: mounts(planned, directory),
    linux: {
      cgroupsPath: options.cgroup,
      namespaces: namespaces(shape, options.join),
      maskedPaths: present(opsOf(container, "mask").map(({ target }) => target)),
      readonlyPaths: present(opsOf(container, "make_read_only").map(({ target }) => target)),
      seccomp: ociSeccomp({
        arch: planned.facts.arch,
        kernel: planned.facts.kernel,
        capabilities: new Set(defaultCapabilities),
      }),
    },
  });
}

const rlimitNames: Readonly<Record<number, string>> = { 4: "RLIMIT_CORE", 7: "RLIMIT_NOFILE" };

/** A runtime looks before it masks, too; this spares it that, and a failure. */
const present = (paths: readonly string[]): string[] => paths.filter((path) => existsSync(path));

function capabilities({ container }: Planned): object {
  const { permitted, inheritable, ambient } = opOf(container, "set_capabilities");
  const names = (mask: bigint) => capabilityNames(mask).map((name) => `CAP_${name}`);
  return {
    bounding: names(opOf(container, "drop_bounding").keep),
    effective: names(permitted),
    permitted: names(permitted),
    inheritable: names(inheritable),
    ambient: names(ambient),
  };
}

function namespaces(shape: Shape, joined: string | undefined): object[] {
  const shared = [
    ...(shape.network ? ([["network", "net"]] as const) : []),
    ["ipc", "ipc"] as const,
    ...(shape.network ? ([["uts", "uts"]] as const) : []),
  ];
  return [
    ...shared.map(([type, file]) =>
      joined === undefined ? { type } : { type, path: `/proc/${joined}/ns/${file}` },
    ),
    ...["mount", "pid", "cgroup"].map((type) => ({ type })),
  ];
}

type Mount = {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
};

/** In an order in which every parent comes before its children. */
function mounts(planned: Planned, directory: string): Mount[] {
  const { container } = planned;
  const { bytes_max: devBytes, target: dev } = opOf(container, "make_devices");
  const kernel = opsOf(container, "mount").map(({ type, target, options, attributes }) => ({
    destination: target,
    type: type === "cgroup2" ? "cgroup" : type,
    source: type,
    options: [...options, ...attributes.map(optionOf)],
  }));
  const devices = [`size=${devBytes}`, "mode=755", "nosuid", "noexec"];
  const all = [
    ...hostBinds(planned),
    ...kernel,
    { destination: dev, type: "tmpfs", source: "tmpfs", options: devices },
    ...podFiles(planned, directory),
  ];
  const depth = ({ destination }: Mount) => destination.split("/").length;
  return all.toSorted((a, b) => depth(a) - depth(b));
}

const optionOf = (attribute: AttributeName): string => (attribute === "rdonly" ? "ro" : attribute);

function hostBinds({ container }: Planned): Mount[] {
  const sources = opsOf(container, "open_volume");
  return attached(container.steps.map(({ op }) => op)).flatMap(({ tree, target }) => {
    const source = sources.find(({ slot }) => slot === tree);
    if (source === undefined) return [];
    const options = ["bind", ...source.attributes.map(optionOf)];
    return [{ destination: target, type: "bind", source: source.path, options }];
  });
}

const attached = (ops: readonly Op[]) => ops.flatMap((op) => (op.op === "attach" ? [op] : []));

/** What is one for the pod: /dev/shm is made by each for itself, generated files are bound. */
function podFiles({ sandbox, container }: Planned, directory: string): Mount[] {
  const clones = opsOf(container, "clone_tree");
  const trees = opsOf(sandbox, "make_tmpfs");
  return attached(container.steps.map(({ op }) => op)).flatMap(({ tree, target }) => {
    const clone = clones.find(({ slot }) => slot === tree);
    const made = trees.find(({ slot }) => slot === clone?.source);
    if (clone === undefined || made === undefined) return [];
    const options = made.attributes.map(optionOf);
    if (clone.name !== "") {
      const source = join(directory, "files", clone.name);
      return [{ destination: target, type: "bind", source, options: ["bind", ...options] }];
    }
    const size = [`size=${made.bytes_max}`, `mode=${made.mode.toString(8)}`];
    return [
      { destination: target, type: "tmpfs", source: "tmpfs", options: [...size, ...options] },
    ];
  });
}

/** The files that `bundleConfig` binds. */
export function writePodFiles({ sandbox }: Planned, directory: string): void {
  mkdirSync(join(directory, "files"), { recursive: true });
  for (const { name, content } of opsOf(sandbox, "write_file")) {
    writeFileSync(join(directory, "files", name), content);
  }
}
