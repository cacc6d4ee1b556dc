// OCI runtimes: a pod is a sandbox container and containers that join its namespaces by path, each
// a `run --detach`, as an engine would do it. They are spared what an engine does besides: their
// root is a plain directory and no overlay, nobody reads their output, no group of the pod is made.
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Shape } from "../shape.ts";
import { bundleConfig, writePodFiles } from "./bundle.ts";
import { findProgram } from "./find.ts";
import type { Driver, DriverOptions, Peer } from "./peer.ts";
import { copyRoot, planOne } from "./planned.ts";
import type { Site } from "./site.ts";

export type Runtime = "crun" | "runc" | "youki";

export function ociPeer(runtime: Runtime): Peer {
  const run = `${runtime} run --detach`;
  return {
    name: runtime,
    program: runtime,
    spans: {
      launch:
        `${run} of a sandbox container, then ${run} of each container, which joins its ` +
        `namespaces by path; down: ${runtime} delete --force of each, the sandbox last`,
      join: `${run} of one more container`,
      exec: `${runtime} exec of a program that ends at once`,
      lifecycle: `${runtime} run, not detached, of one container that ends at once`,
      throughput: "launch and its down, in several shells at once",
      "mass-down": `${runtime} delete --force of all containers, in as many shells as CPUs`,
    },
    refuses(shape) {
      if (shape.level !== "full") return "its bundle is that of a whole container";
      return shape.userNamespace ? "its bundle has no user namespace" : undefined;
    },
    drive: async (site, options) => drive(runtime, site, options),
  };
}

function drive(runtime: Runtime, site: Site, options: DriverOptions): Driver {
  const { directory } = site;
  const configs = writeBundles(site, options);
  const program = `${findProgram(runtime)} --root ${directory}/state`;
  return {
    functions: `${configs}${functions(program, directory, options.shape)}`,
    output: (pod, container) => readFileSync(join(directory, "out", `${pod}-${container}`)),
    onceOutput: () => readFileSync(join(directory, "out", "once")),
    firstInstruction(what, pod, number) {
      const bytes = readFileSync(join(directory, "out", `${mark(what)}${pod}-${number}`));
      return bytes.length < 8 ? undefined : bytes.readBigUInt64LE();
    },
  };
}

/** They stand in a configuration where the shell puts its own words. */
const holes = { "@POD@": '"$1"', "@INDEX@": '"$2"', "@PID@": '"$pid"' } as const;

/**
 * The root and the directories of bundles, and functions of sh that print configurations:
 * `config_sandbox`, `config_container` and `config_once`, each for a pod and a container's number.
 * A bundle's directory is its shell's and number's own.
 */
export function writeBundles(site: Site, options: DriverOptions): string {
  const { directory } = site;
  const planned = planOne({
    directory,
    cgroupRoot: join(site.group, "peapod"),
    command: options.command,
  });
  copyRoot(planned, join(directory, "rootfs"), options.programs);
  writePodFiles(planned, directory);
  for (const name of ["state", "pids", "out", "bundles"]) mkdirSync(join(directory, name));
  for (let lane = 0; lane < options.lanes; lane += 1) {
    for (let index = 0; index <= options.containersMax; index += 1) {
      mkdirSync(join(directory, "bundles", `${lane}-${index}`));
    }
  }
  const bundle = { planned, directory, shape: options.shape, cgroup: "/pod@POD@-c@INDEX@" };
  const configs = {
    sandbox: bundleConfig({ ...bundle, args: ["/stamp"] }),
    container: bundleConfig({ ...bundle, join: "@PID@" }),
    once: bundleConfig({ ...bundle, args: options.once }),
  };
  return Object.entries(configs)
    .map(([name, config]) => `config_${name}() { printf '%s\\n' ${quote(config)}; }\n`)
    .join("");
}

const mark = (what: "container" | "command") => (what === "command" ? "call-" : "");

/** A word of sh. No configuration has a single quote in it. */
function quote(config: string): string {
  const filled = Object.entries(holes).reduce(
    (text, [hole, value]) => text.replaceAll(hole, `'${value}'`),
    config,
  );
  return `'${filled}'`;
}

/**
 * The shell writes the configurations of joining containers itself, with the sandbox's pid in them:
 * no program but the runtime is started.
 */
function functions(runtime: string, directory: string, { containers }: Shape): string {
  const indexes = Array.from({ length: containers }, (_, index) => index + 1);
  const all = indexes.map((index) => `start container "$1" ${index}`);
  const bundle = `${directory}/bundles/$lane-`;
  return `
start() {
  config_$1 "$2" "$3" >${bundle}$3/config.json &&
    ${runtime} run --detach --bundle ${bundle}$3 --pid-file ${directory}/pids/$2-$3 \\
      pod$2-c$3 >${directory}/out/$2-$3
}
find_sandbox() { pid=; read -r pid <${directory}/pids/$1-0 || [ "$pid" ]; } # runc ends no line.
up() { start sandbox "$1" 0 && find_sandbox "$1" && ${all.join(" && ")}; }
join() { eval "joined$1=\\"$2 \\$joined$1\\""; find_sandbox "$1" && start container "$1" "$2"; }
down() {
  failed=0
  eval "joined=\\$joined$1; joined$1="
  for index in $joined ${indexes.toReversed().join(" ")} 0; do
    ${runtime} delete --force "pod$1-c$index" || failed=1
  done
  return $failed
}
call() { ${runtime} exec "pod$1-c1" /stamp exit >${directory}/out/call-$1-$2; }
once() {
  config_once once "$1" >${bundle}0/config.json &&
    ${runtime} run --bundle ${bundle}0 "once$1" >${directory}/out/once
}
`;
}
