// Opening a Peapod. Apart from index.ts, so that a command that reads no manifest does not load the
// reader.

import { existsSync } from "node:fs";
import type { AgentHost } from "./agent/agent.ts";
import type { AgentRecord } from "./agent/lock.ts";
import type { DoctorFinding } from "./pod/doctor.ts";
import type { CommitImageOptions, FileChange, ImageStoreApi } from "./image/types.ts";
import type { KeptVolume } from "./pod/kept-volumes.ts";
import { needsOwner } from "./pod/needs.ts";
import type { PodChanges } from "./pod/changes.ts";
import { PodHost } from "./pod/peapod.ts";
import type { ResizeWish, RestartOptions } from "./pod/shapes.ts";
import { linkTarget } from "./pod/state.ts";
import type {
  BrokenPod,
  ContainerLayers,
  OpenOptions,
  Pod,
  PodDiskUse,
  PodEvent,
  UpOptions,
} from "./pod/types.ts";
import { PodError } from "./errors/pod-error.ts";
import type { ObjectManifest, PodManifest } from "./read/pod-manifest/read.ts";
import type { ObjectTable } from "./spec/objects.ts";
import type { PodSpec } from "./spec/pod-spec.ts";

/**
 * Everything that can be done with the pods of one state directory. Disposing it ends the pods it
 * owns.
 */
export interface Peapod extends AsyncDisposable {
  /** Resolves when every container has exec'd. A string is the manifest's text. */
  up(manifest: PodManifest | PodSpec | string, options?: UpOptions & ManifestOptions): Promise<Pod>;
  list(): Promise<readonly (Pod | BrokenPod)[]>;
  /** By `namespace/name`, name, or a unique prefix of a name or a uid. */
  get(name: string): Promise<Pod>;
  /** Also ends what a dead keeper left behind. False when there was nothing. */
  down(name: string, options?: { readonly graceMs?: number }): Promise<boolean>;
  /** Whether the name is taken: one look at a link. */
  has(pod: { readonly namespace: string; readonly name: string }): Promise<boolean>;
  /** What a manifest would change of the pod of its name; undefined where there is none. */
  compare(
    manifest: PodManifest | PodSpec | string,
    options?: ManifestOptions,
  ): Promise<{ readonly pod: Pod; readonly changes: PodChanges } | undefined>;
  /**
   * Gives a pod a changed manifest, as `compare` found it to be, and starts these containers again.
   * Only where the effect is not `recreate`.
   */
  apply(
    pod: Pick<Pod, "namespace" | "name">,
    manifest: PodSpec,
    restarted: readonly string[],
  ): Promise<void>;
  /** Network policies beside the manifest of a pod that stays, in place of those before. */
  renewPolicies(pod: Pick<Pod, "namespace" | "name">, manifest: PodSpec): Promise<void>;
  /** Processor and memory of containers; rejects for what would change the class of service. */
  resize(name: string, wishes: readonly ResizeWish[]): Promise<void>;
  /** Containers end and start again in the same pod. Resolves when they are being started. */
  restart(name: string, options?: RestartOptions): Promise<void>;
  /** A container's changes as a layer on its image. The name of the new image. */
  commit(pod: string, image: string, options?: CommitImageOptions): Promise<string>;
  /** What a container has changed of its image; by default the pod's first. */
  diff(pod: string, options?: { readonly container?: string }): Promise<readonly FileChange[]>;
  /** What a container's root is made of. */
  layers(pod: string, options?: { readonly container?: string }): Promise<ContainerLayers>;
  /** What a pod holds of its disk, measured now: as ephemeral-storage counts. */
  diskUse(pod: string, options?: { readonly signal?: AbortSignal }): Promise<PodDiskUse>;
  /** What a launch would do, as text. */
  plan(
    manifest: PodManifest | PodSpec | string,
    options?: ManifestOptions & { readonly showSecrets?: boolean },
  ): Promise<string>;
  /** The store of images. Its code is loaded on first use: `host` images do without. */
  readonly images: ImageStoreApi;
  doctor(): Promise<readonly DoctorFinding[]>;
  events(options?: { readonly signal?: AbortSignal }): AsyncIterable<PodEvent>;
  /** Of persistentVolumeClaims: they stay when their pods go. */
  readonly volumes: VolumesApi;
  /** The background process that looks after detached pods. */
  readonly agent: AgentApi;
  /** Yields at once, and whenever something about any pod has changed, whoever did it. */
  changes(options?: { readonly signal?: AbortSignal }): AsyncIterable<void>;
}

/** How a manifest is read; a PodSpec has been. */
export interface ManifestOptions {
  /** ConfigMaps, Secrets and claims that the pod may name, besides those in a manifest's text. */
  readonly objects?: readonly ObjectManifest[];
  /** What to run for an image that the manifest names: a root file system for one of a registry. */
  readonly imageFor?: (image: string) => string;
  /** Unknown fields are left out. Default: each is an error, for it is most often a mistake. */
  readonly lenient?: boolean;
}

export interface VolumesApi {
  list(): Promise<readonly KeptVolume[]>;
  /** False when there is none; rejects while a pod names it. */
  remove(volume: Pick<KeptVolume, "namespace" | "name">): Promise<boolean>;
}

export interface AgentApi {
  /** Starts it unless it runs. False when it does. */
  start(): Promise<boolean>;
  /** Is the agent, until no pod needs one; resolves at once when another process is. */
  run(options: { readonly signal: AbortSignal }): Promise<void>;
  /** Undefined when there is none. */
  status(): Promise<AgentRecord | undefined>;
  /** False when there was none. The pods go on. */
  stop(): Promise<boolean>;
  readonly logPath: string;
}

export async function openPeapod(options: OpenOptions = {}): Promise<Peapod> {
  const host = new PodHost(options, readAccepted);
  const agent = lazyAgent(host, options);
  const watch = new AgentStarter(agent, options);
  return {
    up: async (manifest, upOptions = {}) => {
      const spec = await specOf(manifest, upOptions);
      const pod = await host.up(spec, upOptions);
      if (upOptions.lifetime === "detached" && needsOwner(spec)) watch.startSoon();
      return pod;
    },
    list: async () => host.list(),
    get: async (name) => host.get(name),
    down: (name, downOptions = {}) => host.down(name, downOptions),
    ...lifeApi(host, watch),
    commit: async (pod, image, commitOptions = {}) => host.commit(pod, image, commitOptions),
    plan: async (manifest, options) => host.plan(await specOf(manifest, options), options),
    diff: async (pod, { container } = {}) => {
      const { diffContainer } = await import("./pod/container-layers.ts");
      const state = await host.stateOf(pod);
      return diffContainer(state, host.places.root, { container, images: options.images });
    },
    layers: async (pod, { container } = {}) => {
      const { describeLayers } = await import("./pod/container-layers.ts");
      const state = await host.stateOf(pod);
      return describeLayers(state, host.places.root, { container, images: options.images });
    },
    diskUse: async (pod, { signal } = {}) => {
      const { measurePod } = await import("./pod/disk-use.ts");
      return measurePod(await host.stateOf(pod), { signal });
    },
    images: lazyImages(host, options),
    doctor: async () => (await import("./pod/doctor.ts")).examineHost(options),
    events: (eventOptions = {}) => host.events(eventOptions),
    agent,
    volumes: {
      list: async () => {
        const { listVolumes } = await import("./pod/kept-volumes.ts");
        return listVolumes(host.places, () => host.list());
      },
      remove: async (volume) => {
        const { removeVolume } = await import("./pod/kept-volumes.ts");
        return removeVolume(host.places, volume, () => host.list());
      },
    },
    changes: async function* ({ signal } = {}) {
      const { podChanges } = await import("./pod/watch.ts");
      yield* podChanges(`${host.places.state}/pods`, signal);
    },
    [Symbol.asyncDispose]: async () => {
      await watch.settled();
      await host[Symbol.asyncDispose]();
    },
  };
}

/** What is done with a pod that runs, and needs its owner. */
function lifeApi(
  host: PodHost,
  watch: AgentStarter,
): Pick<Peapod, "has" | "compare" | "apply" | "renewPolicies" | "resize" | "restart"> {
  return {
    has: async ({ namespace, name }) =>
      linkTarget(`${host.places.state}/names/${namespace}_${name}`) !== "",
    compare: async (manifest, manifestOptions) => {
      const { comparePod } = await import("./pod/compare.ts");
      return comparePod(host, await specOf(manifest, manifestOptions));
    },
    apply: async (pod, manifest, restarted) => {
      const { applyToPod } = await import("./pod/asking.ts");
      const running = await host.running(`${pod.namespace}/${pod.name}`);
      await applyToPod(running, { manifest: manifest.manifest, restart: restarted });
    },
    renewPolicies: async ({ namespace, name }, manifest) => {
      const { state } = host.places;
      if (!manifest.policies && !existsSync(`${state}/policies`)) return;
      const { renewPolicies } = await import("./pod/network-policies.ts");
      renewPolicies(state, await host.stateOf(`${namespace}/${name}`), manifest);
    },
    resize: async (name, wishes) => {
      const { askOwner } = await import("./pod/asking.ts");
      await askOwner(await host.running(name), { ask: "resize", wishes });
    },
    restart: async (name, restartOptions = {}) => {
      const { restartPod } = await import("./pod/asking.ts");
      const pod = await host.running(name);
      await restartPod(pod, restartOptions);
      if (pod.lifetime === "detached" && pod.state.needsOwner) watch.startSoon();
    },
  };
}

/** Starts an agent off the path of whoever started the pod, and before this process ends. */
class AgentStarter {
  readonly #agent: AgentApi;
  readonly #options: OpenOptions;
  #starting: Promise<void> | undefined;

  constructor(agent: AgentApi, options: OpenOptions) {
    this.#agent = agent;
    this.#options = options;
  }

  startSoon(): void {
    if (this.#options.agent === false) return;
    this.#starting ??= this.#start().finally(() => (this.#starting = undefined));
  }

  settled(): Promise<void> {
    return this.#starting ?? Promise.resolve();
  }

  async #start(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    try {
      await this.#agent.start();
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.#options.onWarning?.(`no agent looks after the detached pods: ${why}`);
    }
  }
}

function lazyAgent(host: PodHost, options: OpenOptions): AgentApi {
  const { places } = host;
  return {
    start: async () => {
      const { startAgent } = await import("./agent/start.ts");
      return startAgent({ ...places, cgroupRoot: options.cgroupRoot });
    },
    run: async ({ signal }) => {
      const { runAgent } = await import("./agent/agent.ts");
      await runAgent(await agentHost(host), signal);
    },
    status: async () => (await import("./agent/lock.ts")).readAgent(places.state),
    stop: async () => (await import("./agent/stop.ts")).stopAgent(places.state),
    logPath: `${places.state}/agent.log`,
  };
}

async function agentHost(host: PodHost): Promise<AgentHost> {
  const { findCgroupMount } = await import("./native/host.ts");
  const { default: packageJson } = await import("../package.json");
  return {
    state: host.places.state,
    cgroup: { mount: findCgroupMount()?.path ?? "", root: host.facts().cgroup.root },
    version: packageJson.version,
    own: (uid, signal) => host.own(uid, signal),
  };
}

function lazyImages({ places }: PodHost, options: OpenOptions): ImageStoreApi {
  let opened: Promise<ImageStoreApi> | undefined;
  const open = () =>
    (opened ??= import("./image/images.ts").then(
      ({ Images: Store }) => new Store(places.root, options.images),
    ));
  return {
    pull: async (...words) => (await open()).pull(...words),
    list: async () => (await open()).list(),
    get: async (...words) => (await open()).get(...words),
    diff: async (...words) => (await open()).diff(...words),
    tag: async (...words) => (await open()).tag(...words),
    remove: async (...words) => (await open()).remove(...words),
    prune: async (...words) => (await open()).prune(...words),
    load: async (...words) => (await open()).load(...words),
    save: async (...words) => (await open()).save(...words),
    push: async (...words) => (await open()).push(...words),
    diskUse: async () => (await open()).diskUse(),
  };
}

async function specOf(
  manifest: PodManifest | PodSpec | string,
  options: ManifestOptions = {},
): Promise<PodSpec> {
  if (typeof manifest !== "string" && isSpec(manifest)) return manifest;
  const { readPodManifest, readPodManifests } = await import("./read/pod-manifest/read.ts");
  if (typeof manifest !== "string") return readPodManifest(manifest, options);
  const specs = readPodManifests(manifest, "", options);
  const [spec] = specs;
  if (spec && specs.length === 1) return spec;
  throw new PodError({
    code: "manifest.invalid",
    message: `the manifest holds ${specs.length} pods and up starts one`,
    hint: "split them with readPodManifests and start each",
  });
}

/** What was read once already; the state keeps it as it was written. */
async function readAccepted(
  manifest: Readonly<Record<string, unknown>>,
  objects: ObjectTable,
): Promise<PodSpec> {
  const { readPodAgain } = await import("./read/pod-manifest/read.ts");
  return readPodAgain(manifest as unknown as PodManifest, objects); // It was one at its start.
}

function isSpec(manifest: PodManifest | PodSpec): manifest is PodSpec {
  return "origins" in manifest && manifest.origins instanceof Map;
}
