// Runs the probe as the program of containers: of two in one pod where a subject has peapod's
// shape, of one where a peer is left to its own defaults.
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { findCgroupMount } from "../../src/native/host.ts";
import { PodHost } from "../../src/pod/peapod.ts";
import type { Pod } from "../../src/pod/types.ts";
import { readPodManifest } from "../../src/read/pod-manifest/read.ts";
import { probePath } from "../../test/support/probe.ts";
import { buildFloor } from "../floor.ts";
import { findProgram } from "../peers/find.ts";
import { defineFunctions, type Peer } from "../peers/peer.ts";
import { peers } from "../peers/peers.ts";
import { hostname, opsOf, planOne } from "../peers/planned.ts";
import { openSite, removeGroup, type Site } from "../peers/site.ts";
import { fullShape } from "../shape.ts";
import {
  type EndState,
  isWhole,
  lastWord,
  type Paths,
  probeWords,
  questions,
  readEndState,
} from "./questions.ts";

export const probeName = `/${basename(probePath())}`;

/** What peapod hides and what it shows read-only: every subject is asked about the same paths. */
export function hiddenPaths(directory: string): Paths {
  const { container } = planOne({ directory, cgroupRoot: cgroupRoot(directory), command: ["/x"] });
  return {
    masked: opsOf(container, "mask").map(({ target }) => target),
    readOnly: opsOf(container, "make_read_only").map(({ target }) => target),
  };
}

export async function lookAtPeapod(parent: string): Promise<EndState> {
  await using place = makePlace(parent);
  const { directory } = place;
  const paths = hiddenPaths(directory);
  const { layer } = planOne({ directory, cgroupRoot: cgroupRoot(directory), command: ["/x"] });
  // The image's own layer, below every container's: what is put there is in all roots.
  const program = join(layer, probeName);
  cpSync(probePath(), program);
  try {
    return fromOutputs(
      await peapodOutputs(directory, [probeName, ...probeWords(questions(paths))]),
      paths,
    );
  } finally {
    rmSync(program, { force: true });
  }
}

async function peapodOutputs(directory: string, command: readonly string[]): Promise<string[]> {
  const place = (name: string) => join(directory, "peapod", name);
  await using host = new PodHost({
    root: place("root"),
    state: place("state"),
    logs: place("logs"),
    cgroupRoot: cgroupRoot(directory),
    missingControllers: "warn",
  });
  const containers = ["c1", "c2"].map((name) => ({ name, image: "host", command: [...command] }));
  const spec = { restartPolicy: "Never" as const, containers };
  await using pod = await host.up(readPodManifest({ metadata: { name: hostname }, spec }), {});
  await Promise.all(pod.containers.map(({ exited }) => exited));
  return await Promise.all(containers.map(({ name }) => logOf(pod, name)));
}

async function logOf(pod: Pod, container: string): Promise<string> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const { line, isPartial } of pod.logs({ container })) {
    text += decoder.decode(line) + (isPartial ? "" : "\n");
  }
  return text;
}

function findPeer(name: string): Peer {
  const peer = peers.find((one) => one.name === name);
  if (peer === undefined) throw new Error(`there is no peer ${name}`);
  return peer;
}

async function openPeer(peer: Peer, parent: string, once: boolean) {
  const site = await openSite({
    name: `look-${peer.program}`,
    directory: parent,
    hostMounts: 0,
    seesAllGroups: peer.seesAllGroups ?? false,
  });
  const paths = hiddenPaths(site.directory);
  const command = [probeName, ...probeWords(questions(paths))];
  // Inodes of namespaces are used again: the first container must live until the second has looked.
  const lasting = [...command, "pause"];
  const driver = await peer.drive(site, {
    shape: fullShape,
    lanes: 1,
    containersMax: fullShape.containers,
    programs: [join(await buildFloor(), "..", "stamp"), probePath()],
    command: once ? ["/stamp"] : lasting,
    once: command,
  });
  await defineFunctions(driver, site, [site.lane]);
  return { site, driver, paths, command };
}

/** A peer that is given peapod's shape: two containers of a pod. */
export async function lookAtPods(name: string, parent: string): Promise<EndState> {
  const { site, driver, paths } = await openPeer(findPeer(name), parent, false);
  await using _ = site;
  await site.lane.must("up 1");
  const outputs = [1, 2].map((container) => () => String(driver.output?.(1, container) ?? ""));
  for (const output of outputs) await until(() => isWhole(output()));
  const seen = outputs.map((output) => output());
  await site.lane.must("down 1");
  return fromOutputs(seen, paths);
}

/** Peers that have defaults: what they do with a root and a command, and nothing else said. */
export const ownDefaults = [
  ...["crun", "runc", "youki"],
  ...["podman", "bubblewrap", "systemd-nspawn", "unshare"],
];

export async function lookAtOwnDefaults(name: string, parent: string): Promise<EndState> {
  const { site, driver, paths, command } = await openPeer(findPeer(name), parent, true);
  await using _ = site;
  if (driver.output === undefined) {
    await site.lane.must("once 1");
    return fromOutputs([String(driver.onceOutput?.() ?? "")], paths);
  }
  return fromOutputs([await runSpec(name, site, command)], paths);
}

/** With the configuration that an OCI runtime itself writes. */
async function runSpec(name: string, site: Site, command: readonly string[]): Promise<string> {
  const bundle = join(site.directory, "own");
  const file = join(bundle, "config.json");
  mkdirSync(bundle);
  const program = `${findProgram(name)} --root ${site.directory}/state`;
  await site.lane.must(`cd ${bundle} && ${program} spec && cd /`);
  // What `spec` writes, as the OCI specification has it.
  const config = JSON.parse(readFileSync(file, "utf8")) as { process: object; root: object };
  const process = { ...config.process, args: command, terminal: false };
  const root = { ...config.root, path: join(site.directory, "rootfs") };
  writeFileSync(file, JSON.stringify({ ...config, process, root }));
  await site.lane.must(`${program} run --bundle ${bundle} own >${bundle}/output`);
  return readFileSync(join(bundle, "output"), "utf8");
}

export async function lookAtFloor(twin: "best" | "naive", parent: string): Promise<EndState> {
  await using place = makePlace(parent);
  const { directory } = place;
  const paths = hiddenPaths(directory);
  const naive = twin === "naive" ? ["--naive"] : [];
  const flags = ["--directory", directory, "--look", probePath(), ...naive];
  const program = [await buildFloor(), ...flags, "--containers", "2", "--"];
  const outputs = ["", ""];
  for (const part of inParts(questions(paths))) {
    const floor = Bun.spawn([...program, ...probeWords(part)], { stdout: "pipe", stderr: "pipe" });
    const [output, message] = await Promise.all([floor.stdout.text(), floor.stderr.text()]);
    if ((await floor.exited) !== 0) throw new Error(`the floor does not look: ${message}`);
    // One container's output after the other's, each with its last line.
    for (const [index, text] of output.split(`${lastWord}\n`).slice(0, 2).entries()) {
      outputs[index] += text;
    }
  }
  return fromOutputs(
    outputs.map((text) => `${text}${lastWord}\n`),
    paths,
  );
}

/** The floor has room for so many words, and for so many bytes of them. */
const wordsMax = 60;
const bytesMax = 900;

function inParts(asked: readonly (readonly string[])[]): (readonly string[])[][] {
  const parts: (readonly string[])[][] = [[]];
  for (const question of asked) {
    const last = parts.at(-1) ?? [];
    const words = probeWords([...last, question]);
    const isTooLong = words.length > wordsMax || words.join(" ").length > bytesMax;
    if (isTooLong) parts.push([question]);
    else last.push(question);
  }
  return parts;
}

function fromOutputs(outputs: readonly string[], paths: Paths): EndState {
  const [own = "", sibling] = outputs;
  for (const output of outputs) {
    if (!isWhole(output)) throw new Error(`the probe did not come to its end: ${output}`);
  }
  const cgroupInode = statSync(findCgroupMount()?.path ?? "/sys/fs/cgroup").ino;
  return readEndState(own, { ...(sibling === undefined ? {} : { sibling }), cgroupInode }, paths);
}

/** Made by whoever plans for this host; removed with the directory's own group. */
const cgroupRoot = (directory: string): string =>
  `${findCgroupMount()?.path ?? "/sys/fs/cgroup"}/peapod-bench-${basename(directory)}/peapod`;

async function until(isTrue: () => boolean): Promise<void> {
  const deadline = performance.now() + 5000;
  while (!isTrue()) {
    if (performance.now() > deadline) throw new Error("the probe wrote nothing");
    await Bun.sleep(2);
  }
}

/** A directory and a control group, both gone at the end. */
function makePlace(parent: string): AsyncDisposable & { readonly directory: string } {
  mkdirSync(parent, { recursive: true });
  const directory = mkdtempSync(join(parent, "look-"));
  const group = dirname(cgroupRoot(directory));
  mkdirSync(group);
  return {
    directory,
    async [Symbol.asyncDispose]() {
      await removeGroup(group);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
