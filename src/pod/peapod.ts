// All pods of one state directory: starting, finding, ending them. The front ends hand in specs;
// reading is theirs.

import { PodError } from "../errors/pod-error.ts";
import type { KeeperClient } from "../launch/keeper-client.ts";
import type { PreparedImages } from "../image/prepare.ts";
import { resolveHostFacts } from "../resolve/host-facts.ts";
import type { HostFacts } from "../spec/host-facts.ts";
import { noNetwork } from "../spec/network.ts";
import type { Places } from "../spec/places.ts";
import type { ContainerSpec, PodSpec, VolumeSpec } from "../spec/pod-spec.ts";
import { isBuiltIn } from "../spec/pod-spec.ts";
import type { CommitImageOptions } from "../image/types.ts";
import { hostIds } from "./claims.ts";
import { streamEvents } from "./event-stream.ts";
import { removeLeftovers } from "./leftovers.ts";
import { Seed, tearDownWithoutKeeper } from "./keepers.ts";
import { KeeperPool } from "./keeper-pool.ts";
import type { Networks } from "./networks.ts";
import { leaveNetworks, openNetworks, removeNetwork } from "./networks.ts";
import { enforcePolicy, policyOf } from "./policy.ts";
import { timeScale } from "./life/clock.ts";
import type { OwnerParts } from "./ownership.ts";
import { readContainer, withoutEphemeral } from "./read-container.ts";
import type { ReadSpec } from "./objects.ts";
import { objectsOf } from "./objects.ts";
import { placesOf } from "./places.ts";
import { PodQueue } from "./pod-queue.ts";
import { updateQosWeights } from "./qos-weights.ts";
import { isKeeperAlive, readRecord } from "./record.ts";
import { RunningPod } from "./running-pod.ts";
import { printPodPlan } from "./plans.ts";
import { aborted, startPod } from "./start.ts";
import { findPlaces, findRangeClaim, linkTarget, names } from "./state.ts";
import type { BrokenPod, OpenOptions, Pod, PodEvent, UpOptions } from "./types.ts";
import type { PodState } from "./read-state.ts";

type ReadPodState = typeof import("./read-state.ts").readPodState;
const queueDefault = 1000;

export class PodHost implements AsyncDisposable {
  readonly places: Places;
  readonly #options: OpenOptions;
  readonly #readSpec: ReadSpec | undefined;
  readonly #timeScale: number;
  readonly #seed = new Seed();
  readonly #pool: KeeperPool | undefined;
  readonly #queue: PodQueue;
  /** Undefined where pods have only loopback. */
  readonly #networks: Networks | undefined;
  readonly #own = new Set<RunningPod>();
  /** Of pods that were found rather than started. */
  readonly #connections = new Set<KeeperClient>();
  /** Launches under way; closing waits for them. */
  readonly #starting = new Set<Promise<unknown>>();
  /** What follows the end of an own pod; closing waits for that too. */
  readonly #ending = new Set<Promise<unknown>>();
  /** Told nothing, they have heard the last. */
  readonly #listeners = new Set<(event?: PodEvent) => void>();
  readonly #warned = new Set<string>();
  #facts: HostFacts | undefined;
  #weighing: ReturnType<typeof setTimeout> | undefined;
  #swept: Promise<void> | undefined;
  #isClosed = false;
  #closing: Promise<void> | undefined;
  readonly #closeOnAbort = () => void this[Symbol.asyncDispose]().catch(() => {});

  constructor(options: OpenOptions, readSpec?: ReadSpec) {
    this.#options = options;
    this.#readSpec = readSpec;
    this.#timeScale = options.timeScale ?? timeScale();
    this.#queue = new PodQueue(options.podsMax ?? Infinity, options.queueMax ?? queueDefault);
    this.places = placesOf(options);
    options.signal?.throwIfAborted();
    this.#networks = openNetworks(options, this.places.state, (message) => this.#warn(message));
    if (options.pool) {
      this.#pool = new KeeperPool(options.pool, () => this.facts(), this.#seed, this.#networks);
    }
    options.signal?.addEventListener("abort", this.#closeOnAbort, { once: true });
  }

  /** Probed on first need: `ps` and `logs` do without. */
  facts(): HostFacts {
    const { cgroupRoot } = this.#options;
    this.#facts ??= resolveHostFacts(cgroupRoot === undefined ? {} : { cgroupRoot });
    return this.#facts;
  }

  async up(spec: PodSpec, options: UpOptions): Promise<Pod> {
    const starting = this.#start(spec, options);
    this.#starting.add(starting);
    return starting.finally(() => this.#starting.delete(starting));
  }

  async #start(spec: PodSpec, options: UpOptions): Promise<Pod> {
    this.#refuseWhenClosed();
    if (options.signal?.aborted) throw aborted(options.signal);
    if (this.#options.policy) await enforcePolicy(spec, this.#options);
    const facts = this.facts();
    this.#seed.find(`${this.places.state}/pods`);
    const release = await this.#queue.take(options.signal);
    try {
      this.#refuseWhenClosed();
      using images = wantsStore(spec) ? await this.#prepareImages(spec, options) : undefined;
      const pod = await startPod(spec, facts, {
        ...options,
        ...this.#launchOptions(),
        images,
        timeScale: this.#timeScale,
        seed: this.#seed,
        pool: this.#pool,
        networks: this.#networks,
        onEvent: (event) => this.#tell(event),
      });
      if (this.#isClosed) {
        await pod.down({ graceMs: 0 });
        this.#refuseWhenClosed();
      }
      this.#own.add(pod);
      this.#weighLater();
      this.#sweepOnce();
      // For a detached pod its owner does: this process may be a command.
      if (pod.lifetime === "owner") this.#networks?.serveNames(pod.state);
      // Not before it has ended: closing does not wait for pods that live on.
      const whenEnded = (): void => {
        this.#own.delete(pod);
        this.#weighLater();
        release();
        if (!this.#networks) return;
        const ending = leaveNetworks(this.places.state)
          .catch(() => {}) // Tried again by the next to end a pod.
          .finally(() => this.#ending.delete(ending));
        this.#ending.add(ending);
      };
      pod.ended.then(whenEnded, whenEnded);
      return pod;
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Of every launch, whether a pod's first or a container's next. */
  #launchOptions() {
    return {
      ...policyOf(this.#options),
      places: this.places,
      warn: (message: string) => this.#warn(message),
      readContainer: (spec: PodSpec, container: PodState["manifest"]) =>
        readContainer(this.#readSpec, spec, container),
      prepareImages: (spec: PodSpec, containers: readonly ContainerSpec[]) =>
        this.#prepareImages(spec, {}, containers),
    };
  }

  /** What it takes to own a pod that somebody else has started. */
  async #ownerParts(state: PodState, client: KeeperClient): Promise<OwnerParts> {
    if (!this.#readSpec) throw new Error("nobody here reads manifests");
    const { uid, ids, network = noNetwork } = state;
    const launch = { ...this.#launchOptions(), facts: this.facts(), uid, ids, network };
    const objects = await objectsOf(state, client);
    const spec = await this.#readSpec(withoutEphemeral(state.manifest), objects);
    const read = (container: PodState["manifest"]) =>
      readContainer(this.#readSpec, spec, container);
    return { spec, timeScale: this.#timeScale, launch, readContainer: read };
  }

  /** No code for images is loaded for pods that want none from the store. */
  async #prepareImages(
    spec: PodSpec,
    options: UpOptions | undefined,
    containers: readonly ContainerSpec[] = [...spec.initContainers, ...spec.containers],
  ): Promise<PreparedImages> {
    const { prepareImages } = await import("../image/prepare.ts");
    return prepareImages(spec, containers, {
      ...this.#options.images,
      root: this.places.root,
      mayPull: options !== undefined,
      warn: (message) => this.#warn(message),
      onProgress: options?.onPull,
      signal: options?.signal,
    });
  }

  async plan(spec: PodSpec, options: { readonly showSecrets?: boolean } = {}): Promise<string> {
    await enforcePolicy(spec, this.#options);
    using images = wantsStore(spec) ? await this.#prepareImages(spec, undefined) : undefined;
    return printPodPlan(spec, this.facts(), {
      places: this.places,
      images,
      ...policyOf(this.#options),
      missingControllers: "warn",
      warn: () => {},
      ids: hostIds,
      showSecrets: options.showSecrets ?? false,
    });
  }

  async list(): Promise<readonly (Pod | BrokenPod)[]> {
    const { readPodState } = await import("./read-state.ts");
    return names(`${this.places.state}/pods`).map((uid) => this.#open(uid, readPodState));
  }

  #open(uid: string, readPodState: ReadPodState): Pod | BrokenPod {
    const own = [...this.#own].find((pod) => pod.uid === uid);
    if (own) return own;
    const directory = `${this.places.state}/pods/${uid}`;
    try {
      const state = readPodState(directory);
      return this.#opened(uid, state);
    } catch (error) {
      if (!(error instanceof PodError)) throw error;
      const link = names(`${this.places.state}/names`).find(
        (name) => linkTarget(`${this.places.state}/names/${name}`) === uid,
      );
      const [namespace = "", name = uid] = (link ?? "").split("_");
      return { uid, namespace, name, error };
    }
  }

  #opened(uid: string, state: PodState): RunningPod {
    const record = readRecord(`${this.places.state}/pods/${uid}`);
    return new RunningPod({
      state,
      facts: this.facts(),
      lifetime: record?.isDetached ? "detached" : "owner",
      ownerParts: (client) => this.#ownerParts(state, client),
      onEvent: (event) => this.#tell(event),
      onConnected: (client) => {
        this.#connections.add(client);
        client.onClosed(() => this.#connections.delete(client));
      },
    });
  }

  /** As `get`; every pod that can be opened is one. */
  async running(name: string): Promise<RunningPod> {
    const pod = await this.get(name);
    if (pod instanceof RunningPod) return pod;
    throw new Error(`pod ${pod.name} is of another kind`);
  }

  async get(name: string): Promise<Pod> {
    const found = await this.#find(name);
    if ("error" in found) throw found.error;
    return found;
  }

  /** By `namespace/name`, by name in `default`, then by a unique prefix of a name or a uid. */
  async #find(name: string): Promise<Pod | BrokenPod> {
    const pods = await this.list();
    const exact = pods.find(
      (pod) => qualified(pod) === (name.includes("/") ? name : `default/${name}`),
    );
    if (exact) return exact;
    const matches = pods.filter(
      (pod) =>
        pod.uid.startsWith(name) || pod.name.startsWith(name) || qualified(pod).startsWith(name),
    );
    const [only, ...others] = matches;
    if (only && others.length === 0 && name !== "") return only;
    if (only && name !== "") {
      throw new PodError({
        code: "pod.ambiguous",
        message: `${JSON.stringify(name)} fits ${matches.length} pods`,
        hint: `it could be ${matches.map(qualified).toSorted().join(", ")}`,
      });
    }
    throw new PodError({
      code: "pod.not-found",
      message: `there is no pod ${JSON.stringify(name)}`,
    });
  }

  /** False when there was nothing to end. */
  async down(name: string, options: { readonly graceMs?: number }): Promise<boolean> {
    let found: Pod | BrokenPod;
    try {
      found = await this.#find(name);
    } catch (error) {
      if (error instanceof PodError && error.code === "pod.not-found") return false;
      throw error;
    }
    const directory = `${this.places.state}/pods/${found.uid}`;
    if (!("error" in found) && isKeeperAlive(readRecord(directory))) {
      await found.down(options);
    } else {
      const places = findPlaces(found.uid, this.places, this.facts());
      await tearDownWithoutKeeper(places, findRangeClaim(found.uid, places.rangesParent));
    }
    this.#weighLater();
    await removeNetwork(this.places.state);
    return true;
  }

  async stateOf(name: string): Promise<PodState> {
    const { readPodState } = await import("./read-state.ts");
    const { uid } = await this.get(name);
    return readPodState(`${this.places.state}/pods/${uid}`);
  }

  /** For an agent: see `ownPod`. */
  async own(uid: string, signal: AbortSignal): Promise<"done" | "not-yet"> {
    const { ownPod } = await import("./own.ts");
    const open = (state: PodState) => {
      this.#networks?.serveNames(state);
      return this.#opened(uid, state);
    };
    return ownPod(`${this.places.state}/pods/${uid}`, open, signal);
  }

  async commit(name: string, image: string, options: CommitImageOptions): Promise<string> {
    const { commitContainer } = await import("./commit.ts");
    const state = await this.stateOf(name);
    const { images } = this.#options;
    return commitContainer(state, this.places.root, image, { ...options, images });
  }

  #sweepOnce(): void {
    this.#swept ??= removeLeftovers(this.places, this.facts());
  }

  /** Once for all that happens in one turn of the event loop. */
  #weighLater(): void {
    this.#weighing ??= setTimeout(() => this.#weigh(), 0);
  }

  #weigh(): void {
    clearTimeout(this.#weighing);
    this.#weighing = undefined;
    updateQosWeights(`${this.places.state}/pods`, this.facts());
  }

  /** Of the pods that this object started or opened. */
  events({ signal }: { readonly signal?: AbortSignal } = {}): AsyncGenerator<PodEvent> {
    return streamEvents(this.#listeners, this.#isClosed, signal);
  }

  /** Ends the pods that live with this process, and leaves the detached ones. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#isClosed = true;
    this.#options.signal?.removeEventListener("abort", this.#closeOnAbort);
    this.#queue.close();
    await Promise.allSettled(this.#starting);
    await this.#pool?.[Symbol.asyncDispose]();
    const results = await Promise.allSettled(
      [...this.#own].map((pod) => pod[Symbol.asyncDispose]()),
    );
    // A command exits right after this, and its timers with it.
    if (this.#weighing !== undefined) this.#weigh();
    for (const client of [...this.#connections]) client[Symbol.dispose]();
    this.#seed[Symbol.dispose]();
    await Promise.all(this.#ending);
    if (this.#networks?.isUsed) await removeNetwork(this.places.state);
    await this.#networks?.[Symbol.asyncDispose]();
    for (const listener of this.#listeners) listener();
    for (const result of results) if (result.status === "rejected") throw result.reason;
  }

  #refuseWhenClosed(): void {
    if (!this.#isClosed) return;
    throw new PodError({ code: "pod.closed", message: "this Peapod was closed" });
  }

  #tell(event: PodEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  #warn(message: string): void {
    if (this.#warned.has(message)) return;
    this.#warned.add(message);
    this.#options.onWarning?.(message);
  }
}

function wantsStore(spec: PodSpec): boolean {
  const isStored = ({ image }: ContainerSpec) => !isBuiltIn(image);
  const isImage = ({ kind }: VolumeSpec) => kind === "image";
  return [...spec.initContainers, ...spec.containers].some(isStored) || spec.volumes.some(isImage);
}

function qualified(pod: { readonly namespace: string; readonly name: string }): string {
  return `${pod.namespace}/${pod.name}`;
}
