// containerd by its own client `ctr`, with runc below it: a pod is a sandbox container and
// containers that join its namespaces by path, from the bundles that OCI runtimes get. Its own
// defaults name a controller that not every host has. The daemon runs in the site.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findProgram } from "./find.ts";
import { writeBundles } from "./oci.ts";
import type { Driver, DriverOptions, Peer } from "./peer.ts";
import type { Site } from "./site.ts";

export const containerdPeer: Peer = {
  name: "containerd (ctr)",
  program: "containerd",
  spans: {
    launch:
      "ctr run --detach of a sandbox container, then of each container, which joins its " +
      "namespaces by path; down: ctr task rm --force and ctr container rm of each",
    join: "ctr run --detach of one more container",
    exec: "ctr task exec of a program that ends at once",
    lifecycle: "ctr run --rm of one container that ends at once",
    throughput: "launch and its down, in several shells at once",
    "mass-down": "the down of all pods, in as many shells as CPUs",
    memory: "private memory of the pod's shims; that of the daemon is not in it",
  },
  refuses(shape) {
    if (shape.level !== "full") return "asked for whole containers only";
    if (shape.userNamespace || !shape.network) return "asked for its default namespaces only";
    return shape.readOnlyRoot ? "asked for its default root only" : undefined;
  },
  drive,
};

const startTimeoutMs = 10_000;

async function drive(site: Site, options: DriverOptions): Promise<Driver> {
  const { directory } = site;
  const configs = writeBundles(site, options);
  await startDaemon(site);
  return {
    functions: `${configs}${functions(directory, options)}`,
    supervisors: ["containerd-shim"],
    output: (pod, container) => readFileSync(join(directory, "out", `${pod}-${container}`)),
    onceOutput: () => readFileSync(join(directory, "out", "once")),
    firstInstruction(what, pod, number) {
      const file = join(directory, "out", `${what === "command" ? "call-" : ""}${pod}-${number}`);
      if (!existsSync(file)) return undefined;
      const bytes = readFileSync(file);
      return bytes.length < 8 ? undefined : bytes.readBigUInt64LE();
    },
  };
}

/** Without the CRI, which would want a network's configuration. */
async function startDaemon({ directory, lane }: Site): Promise<void> {
  const place = (name: string) => JSON.stringify(join(directory, name));
  const config = [
    "version = 2",
    `root = ${place("root")}`,
    `state = ${place("daemon")}`,
    'disabled_plugins = ["io.containerd.grpc.v1.cri"]',
    `[grpc]\naddress = ${place("socket")}`,
    `[ttrpc]\naddress = ${place("socket.ttrpc")}`,
    `[plugins."io.containerd.internal.v1.opt"]\npath = ${place("opt")}`,
  ];
  writeFileSync(join(directory, "config.toml"), `${config.join("\n")}\n`);
  const program = findProgram("containerd");
  await lane.must(`${program} --config ${directory}/config.toml >${directory}/daemon.log 2>&1 &`);
  const deadline = performance.now() + startTimeoutMs;
  while (!existsSync(join(directory, "socket"))) {
    if (performance.now() > deadline) throw new Error("containerd made no socket");
    await Bun.sleep(10);
  }
}

function functions(directory: string, { shape }: DriverOptions): string {
  const ctr = `${findProgram("ctr")} --address ${directory}/socket`;
  const numbers = Array.from({ length: shape.containers }, (_, index) => index + 1);
  const add = numbers.map((number) => `start container "$1" ${number}`);
  const config = `${directory}/bundles/$lane-`;
  return `
start() {
  config_$1 "$2" "$3" >${config}$3/config.json &&
    ${ctr} run --detach --config ${config}$3/config.json --log-uri file://${directory}/out/$2-$3 \\
      --pid-file ${directory}/pids/$2-$3 pod$2-c$3
}
find_sandbox() { pid=; read -r pid <${directory}/pids/$1-0 || [ "$pid" ]; }
up() { start sandbox "$1" 0 && find_sandbox "$1" && ${add.join(" && ")}; }
join() { eval "joined$1=\\"$2 \\$joined$1\\""; find_sandbox "$1" && start container "$1" "$2"; }
down() {
  failed=0
  eval "joined=\\$joined$1; joined$1="
  for index in $joined ${numbers.toReversed().join(" ")} 0; do
    ${ctr} task rm --force "pod$1-c$index" && ${ctr} container rm "pod$1-c$index" || failed=1
    : >${directory}/out/$1-$index # Logs are appended to.
  done
  return $failed
}
call() { ${ctr} task exec --exec-id call$2 pod$1-c1 /stamp exit >${directory}/out/call-$1-$2; }
once() {
  config_once once "$1" >${config}0/config.json &&
    ${ctr} run --rm --config ${config}0/config.json once$lane >${directory}/out/once
}
`;
}
