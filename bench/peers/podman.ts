// podman with its own defaults, but without a network of its own making: a pod of its own commands,
// and the same manifest with `kube play`. Storage, locks and configuration lie in the site.
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findProgram } from "./find.ts";
import type { Driver, DriverOptions, Peer } from "./peer.ts";
import type { Site } from "./site.ts";

const common = {
  program: "podman",
  refuses(shape) {
    if (shape.level !== "full") return "asked for whole containers only";
    if (shape.userNamespace || !shape.network) return "asked for its default namespaces only";
    if (shape.readOnlyRoot) return "asked for its default root only";
    return shape.existing > crowdMax ? `a crowd of ${shape.existing} takes minutes` : undefined;
  },
} satisfies Partial<Peer>;

const crowdMax = 100;

export const podmanPeer: Peer = {
  ...common,
  name: "podman",
  spans: {
    launch:
      "podman pod create, podman create of each container, podman pod start; " +
      "down: podman pod rm --force --time 0",
    join: "podman run --detach --pod of one more container",
    exec: "podman exec of a program that ends at once",
    lifecycle: "podman run --rm of one container that ends at once, no pod",
    throughput: "launch and its down, in several shells at once",
    "mass-down": "podman pod rm --force --time 0 of each pod, in as many shells as CPUs",
    memory: "private memory of the pod's conmons and of the first process of its infra container",
  },
  drive: (site, options) => drive(site, options, byCommands),
};

export const kubePlayPeer: Peer = {
  ...common,
  name: "podman kube play",
  spans: {
    launch: "podman kube play of the pod's manifest; down: podman pod rm --force --time 0",
    memory: "private memory of the pod's conmons and of the first process of its infra container",
  },
  drive: (site, options) => drive(site, options, byManifest),
};

const image = "localhost/bench:latest";

type Commands = (podman: string, site: Site, options: DriverOptions) => string;

async function drive(site: Site, options: DriverOptions, commands: Commands): Promise<Driver> {
  const { directory } = site;
  for (const name of ["out", "manifests"]) mkdirSync(join(directory, name));
  const podman = writeConfiguration(directory);
  // What it has no setting for: the cache of known layers.
  if (directory.startsWith("/var/lib/")) throw new Error("podman's state would be hidden");
  await site.lane.must("mount -t tmpfs none /var/lib");
  await importImage(podman, site, options);
  return {
    functions: commands(podman, site, options),
    supervisors: ["conmon", "catatonit"],
    onceOutput: () => readFileSync(join(directory, "out", "once")),
    firstInstruction: (what, pod, number) =>
      what === "command"
        ? readStamp(join(directory, "out", `call-${pod}-${number}`))
        : readLoggedStamps(directory)[number - 1],
  };
}

function readStamp(file: string): bigint | undefined {
  const bytes = readFileSync(file);
  return bytes.length < 8 ? undefined : bytes.readBigUInt64LE();
}

/**
 * Of all containers that there are now, in order of time. conmon writes a line as "time stream F
 * text".
 */
function readLoggedStamps(directory: string): bigint[] {
  const containers = join(directory, "storage", "overlay-containers");
  return readdirSync(containers)
    .flatMap((id) => {
      try {
        return readFileSync(join(containers, id, "userdata", "ctr.log"), "utf8").split("\n");
      } catch {
        return []; // The infra container writes nothing.
      }
    })
    .flatMap((line) => /^\S+ stdout F (\d+)$/.exec(line)?.slice(1) ?? [])
    .map(BigInt)
    .sort((a, b) => Number(a - b));
}

/** The command with everything that makes it leave nothing outside of the site. */
function writeConfiguration(directory: string): string {
  const home = join(directory, "home");
  mkdirSync(join(home, ".config", "containers"), { recursive: true });
  const file = (name: string, text: string) => {
    writeFileSync(join(home, ".config", "containers", name), text);
    return join(home, ".config", "containers", name);
  };
  file("policy.json", '{"default":[{"type":"insecureAcceptAnything"}]}');
  const places = [`runroot = "${directory}/run"`, `graphroot = "${directory}/storage"`];
  const storage = file("storage.conf", `[storage]\ndriver = "overlay"\n${places.join("\n")}\n`);
  // Its own defaults are above what a process without CAP_SYS_RESOURCE may ask for.
  const files = hardLimit("open files");
  const processes = Math.min(hardLimit("processes"), processesOfPodman);
  const ulimits = [`nofile=${files}:${files}`, `nproc=${processes}:${processes}`];
  const engine = [
    'cgroup_manager = "cgroupfs"',
    'events_logger = "none"',
    'lock_type = "file"',
    `runtime = "${podmanRuntime()}"`,
    `volume_path = "${directory}/volumes"`,
    `tmp_dir = "${directory}/tmp"`,
  ];
  // There may be no pids controller.
  const sections = [
    "[containers]",
    `default_ulimits = ${JSON.stringify(ulimits)}`,
    "pids_limit = 0",
    'log_driver = "k8s-file"',
    "[engine]",
  ];
  const containers = file("containers.conf", `${[...sections, ...engine].join("\n")}\n`);
  const environment = [
    `HOME=${home}`,
    `XDG_RUNTIME_DIR=${directory}`,
    `TMPDIR=${directory}`,
    `CONTAINERS_CONF=${containers}`,
    `CONTAINERS_STORAGE_CONF=${storage}`,
  ];
  return `${environment.join(" ")} ${findProgram("podman")} --tmpdir ${directory}/tmp`;
}

/**
 * Debian's choice is crun, which lifts its limit of locked memory for the device filter and gives
 * up where it may not (its src/libcrun/ebpf.c); runc goes on.
 */
export function podmanRuntime(): "crun" | "runc" {
  const [, effective] = /^CapEff:\s+(\S+)/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
  const CAP_SYS_RESOURCE = 24n;
  return (BigInt(`0x${effective ?? "0"}`) >> CAP_SYS_RESOURCE) & 1n ? "crun" : "runc";
}

/** podman lowers its own limit to this before it starts a runtime. */
const processesOfPodman = 32 << 10;

function hardLimit(name: string): number {
  const limits = readFileSync("/proc/self/limits", "utf8");
  const [, hard] = new RegExp(`^Max ${name}\\s+\\S+\\s+(\\d+)`, "m").exec(limits) ?? [];
  return Number(hard ?? Number.MAX_SAFE_INTEGER);
}

async function importImage(podman: string, site: Site, options: DriverOptions): Promise<void> {
  const rootfs = join(site.directory, "rootfs");
  mkdirSync(rootfs);
  for (const program of options.programs) {
    cpSync(program, join(rootfs, program.split("/").at(-1) ?? ""));
  }
  for (const name of ["etc", "tmp"]) mkdirSync(join(rootfs, name));
  const archive = `${site.directory}/rootfs.tar`;
  await site.lane.must(`tar -C ${rootfs} -cf ${archive} . && ${podman} import ${archive} ${image}`);
}

const words = (command: readonly string[]): string => command.map((word) => `'${word}'`).join(" ");

function byCommands(podman: string, { directory }: Site, options: DriverOptions): string {
  const numbers = Array.from({ length: options.shape.containers }, (_, index) => index + 1);
  const create = numbers.map(
    (number) => `${podman} create --pod pod$1 --name pod$1-c${number} ${image} /stamp line`,
  );
  return `
up() {
  ${podman} pod create --name pod$1 --share-parent=false --network none &&
    ${create.join(" &&\n    ")} &&
    ${podman} pod start pod$1
}
down() { ${podman} pod rm --force --time 0 pod$1; }
join() { ${podman} run --detach --pod pod$1 --name pod$1-c$2 ${image} /stamp line; }
call() { ${podman} exec pod$1-c1 /stamp exit >${directory}/out/call-$1-$2; }
once() { ${podman} run --rm --network none ${image} ${words(options.once)} >${directory}/out/once; }
`;
}

function byManifest(podman: string, { directory }: Site, options: DriverOptions): string {
  const containers = Array.from({ length: options.shape.containers }, (_, index) => ({
    name: `c${index + 1}`,
    image,
    imagePullPolicy: "Never",
    command: ["/stamp", "line"],
  }));
  const manifest = (name: string) =>
    JSON.stringify({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name },
      spec: { restartPolicy: "Never", containers },
    });
  const [before, after] = manifest("@").split("@");
  return `
up() {
  printf '%s\\n' '${before}'"pod$1"'${after}' >${directory}/manifests/$1.yaml &&
    ${podman} kube play --network none ${directory}/manifests/$1.yaml
}
down() { ${podman} pod rm --force --time 0 pod$1; }
`;
}
