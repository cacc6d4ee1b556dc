// A pod that runs, whoever started it: what is known of it, and what it can be told.

import { PodError } from "../errors/pod-error.ts";
import type { ExitedEvent, KeeperClient, KeeperEvents } from "../launch/keeper-client.ts";
import { KeeperGone } from "../launch/keeper-client.ts";
import { reapWhenEnded } from "../native/process-end.ts";
import type { HostFacts } from "../spec/host-facts.ts";
import { askOwner, hearAsk } from "./asking.ts";
import { RunningContainer } from "./container.ts";
import { planExecTarget } from "./exec-target.ts";
import { startExecution } from "./execution.ts";
import { freezeGroup, isFrozen, thawGroup } from "./freeze.ts";
import {
  connectKeeper,
  reapEventually,
  removeKeeperGroup,
  tearDownWithoutKeeper,
} from "./keepers.ts";
import { type OwnedPod, type OwnerParts, Ownership, takeOver } from "./ownership.ts";
import * as outcome from "./outcome.ts";
import { inspectPod } from "./inspect.ts";
import { secretEnvOf } from "./objects.ts";
import { logSource } from "./log-sources.ts";
import { defaultContainer, findContainer } from "./pick-container.ts";
import { podFiles } from "./pod-files.ts";
import { followLogs } from "./pod-logs.ts";
import { isKeeperAlive, makeExitStatus, readRecord } from "./record.ts";
import type { ContainerEntry, PodState } from "./read-state.ts";
import { type ContainerStats, readStats } from "./stats.ts";
import { containerStates } from "./container-states.ts";
import type {
  Container,
  ContainerState,
  ExecOptions,
  Execution,
  LogOptions,
  LogRecord,
  Pod,
  PodEvent,
  PodInspection,
  TraceSpan,
} from "./types.ts";

export interface RunningPodParts {
  readonly state: PodState;
  readonly facts: HostFacts;
  readonly lifetime: "owner" | "detached";
  /** Of this process's own keeper; reaped when it ends. */
  readonly keeperPidfd?: number;
  readonly trace?: readonly TraceSpan[];
  /** By process: variables from Secrets, which the state leaves out. */
  readonly secretEnv?: ReadonlyMap<number, readonly string[]>;
  /** Of a pod that this process owns from its start. */
  readonly owner?: OwnerParts;
  /** Of one that it may come to own; rejects where it can't. */
  readonly ownerParts?: (client: KeeperClient) => Promise<OwnerParts>;
  readonly onEvent?: (event: PodEvent) => void;
  /** A connection was made that keeps the event loop alive until it is disposed. */
  readonly onConnected?: (client: KeeperClient) => void;
}

export class RunningPod implements Pod {
  readonly state: PodState;
  readonly #parts: RunningPodParts;
  readonly #containers: RunningContainer[];
  readonly #ended = Promise.withResolvers<void>();
  #lifetime: "owner" | "detached";
  #client: KeeperClient | undefined;
  #connecting: Promise<KeeperClient> | undefined;
  #endError: PodError | undefined;
  /** We closed the connection; the pod goes on. */
  #isLetGo = false;
  #reaped: Promise<void> | undefined;
  #owner: Ownership | undefined;
  #takingOver: ReturnType<typeof takeOver> | undefined;
  #isEnding = false;
  #vacant = Promise.withResolvers<void>();
  trace: readonly TraceSpan[];

  constructor(parts: RunningPodParts) {
    this.#parts = parts;
    this.state = parts.state;
    this.#lifetime = parts.lifetime;
    this.trace = parts.trace ?? [];
    this.#containers = parts.state.containers.map((entry) => this.#open(entry));
    this.#ended.promise.catch(() => {});
    if (parts.owner) this.#owner = new Ownership(this.#owned, parts.owner);
  }

  #open(entry: ContainerEntry): RunningContainer {
    return new RunningContainer(entry, {
      client: () => this.client(),
      state: () => this.#stateOf(entry),
    });
  }

  get name(): string {
    return this.state.name;
  }

  get namespace(): string {
    return this.state.namespace;
  }

  get uid(): string {
    return this.state.uid;
  }

  get lifetime(): "owner" | "detached" {
    return this.#lifetime;
  }

  /** Undefined where another process owns the pod, or none. */
  get owner(): Ownership | undefined {
    return this.#owner;
  }

  get ready(): Promise<void> {
    return outcome.untilReady(this.#watched);
  }

  get finished(): Pod["finished"] {
    return outcome.untilFinished(this.#watched);
  }

  get #watched(): outcome.WatchedPod {
    const { state, directory } = this;
    return { state, directory, owner: this.#owner, ended: this.ended };
  }

  get #owned(): OwnedPod {
    return {
      state: this.state,
      directory: this.directory,
      client: () => this.client(),
      exec: (command, options) => this.exec(command, options),
      onRun: (name) => this.#find(name).renew(),
      onAdded: (entry) => void this.#containers.push(this.#open(entry)),
    };
  }

  /** Resolves when its owner lets go of the pod, which lives on. */
  vacancy(): Promise<void> {
    return this.#vacant.promise;
  }

  /** False when another process owns the pod. */
  async supervise(): Promise<boolean> {
    if (this.#owner) return true;
    this.#takingOver ??= takeOver(this.#owned, this.#parts.ownerParts);
    this.#owner ??= await this.#takingOver.finally(() => (this.#takingOver = undefined));
    await this.#owner?.life();
    return this.#owner !== undefined;
  }

  get ended(): Promise<void> {
    // Without a connection nobody would hear of the end; our own keeper's comes with its reaping.
    if (this.#parts.keeperPidfd === undefined) this.client().catch(() => this.#ended.resolve());
    return this.#ended.promise;
  }

  get containers(): readonly Container[] {
    return this.#containers;
  }

  get directory(): string {
    const { places } = this.state;
    return `${places.stateParent}/${places.uid}`;
  }

  container(name: string): Container {
    return this.#find(name);
  }

  /** What the keeper says, for whoever holds the connection. */
  get events(): KeeperEvents {
    return {
      exited: (event) => this.#onExited(event),
      asked: (ask) => hearAsk(this, ask),
      vacant: () => {
        this.#vacant.resolve();
        this.#vacant = Promise.withResolvers();
      },
      ended: (reply) => {
        if (reply.status === "ok") return;
        this.#endError = new PodError({
          code: "pod.not-down",
          message: `something of pod ${this.name} could not be removed`,
        });
      },
      closed: () => this.#onClosed(),
    };
  }

  /** The connection that the launch made, or one made now. */
  readonly forward: Pod["forward"] = async (options) =>
    (await import("./forward.ts")).forwardPort(() => this.client(), options);

  async client(): Promise<KeeperClient> {
    if (this.#client?.isOpen) return this.#client;
    this.#connecting ??= this.#connect().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  adopt(client: KeeperClient): void {
    this.#client = client;
  }

  async #connect(): Promise<KeeperClient> {
    let client: KeeperClient;
    try {
      client = connectKeeper(this.state.places, this.events);
    } catch {
      throw new PodError({
        code: "pod.keeper-lost",
        message: `the keeper of pod ${this.name} does not answer`,
      });
    }
    await client.listen();
    await client.hello("observer");
    await client.subscribe();
    this.#parts.onConnected?.(client);
    this.#client = client;
    this.#isLetGo = false;
    return client;
  }

  readonly object = async () =>
    (await import("./status.ts")).readPodObject(this.state, this.directory);
  readonly describe = async () =>
    (await import("./status/description.ts")).readDescription(this.state, this.directory);

  async inspect(): Promise<PodInspection> {
    const record = readRecord(this.directory);
    return inspectPod(await this.object(), this.#group, record, this.#states(), this.state);
  }

  async stats(): Promise<readonly ContainerStats[]> {
    return this.#states().map((state) => readStats(state, this.state.network));
  }

  logs(options: LogOptions = {}): AsyncIterable<LogRecord> {
    const containers =
      options.container === undefined ? this.#containers : [this.#find(options.container)];
    const over = () => Promise.race([this.ended, this.finished]);
    const pod = { state: this.state, directory: this.directory, over };
    return followLogs(
      containers.map((container) => logSource(pod, container)),
      options,
    );
  }

  exec(command: readonly string[], options: ExecOptions = {}): Execution {
    const container = this.#find(options.container ?? defaultContainer(this.state));
    return startExecution(() => this.#execTarget(container, command, options), options);
  }

  async #execTarget(container: RunningContainer, command: readonly string[], options: ExecOptions) {
    const { entry } = container;
    const client = await this.client();
    const asked = {
      ...{ entry, command, options, state: this.state, facts: this.#parts.facts },
      secretEnv: await secretEnvOf(this.#parts.secretEnv, this.state, client, entry.process),
      pidOf: () => this.#pidOf(entry.name),
    };
    return { client, ...(await planExecTarget(asked)) };
  }

  spec = async () => (await this.#parts.ownerParts?.(await this.client()))?.spec;
  checkNetwork = async () => (await import("./cni-networks.ts")).checkCni(this.state.places);
  pause = (): Promise<void> => freezeGroup(this.#group, this.name);
  unpause = async (): Promise<void> => thawGroup(this.#group, this.name);
  isPaused = async (): Promise<boolean> => isFrozen(this.#group);

  async down(options: { readonly graceMs?: number } = {}): Promise<void> {
    // A frozen process hears of no stop signal.
    thawGroup(this.#group, this.name);
    const graceMs = options.graceMs ?? this.state.graceMs;
    try {
      if (graceMs === 0 || !(this.state.endsInOrder ?? false)) await this.end(graceMs);
      else await outcome.endInOrder(this, graceMs, (leftMs) => this.end(leftMs));
    } catch (error) {
      if (!(error instanceof KeeperGone || error instanceof PodError)) throw error;
      const { places, ids } = this.state;
      await tearDownWithoutKeeper(places, ids.claim);
      return this.#ended.resolve();
    }
    await this.#ended.promise;
  }

  /** All at once, by the keeper. */
  async end(graceMs: number): Promise<void> {
    this.#isEnding = true;
    this.#owner?.[Symbol.dispose]();
    await (await this.client()).end(graceMs);
  }

  restart = async (options: { container?: string; graceMs?: number } = {}): Promise<void> =>
    void (await askOwner(this, { ask: "restart", ...options }));
  changeImage = async (container: string, image: string): Promise<void> =>
    void (await askOwner(this, { ask: "image", container, image }));
  debug = (container: Readonly<Record<string, unknown>>): Promise<string> =>
    askOwner(this, { ask: "debug", container });

  letGo(): void {
    this.#owner?.[Symbol.dispose]();
    this.#owner = undefined;
  }

  async detach(): Promise<void> {
    this.letGo();
    await (await this.client()).handOver();
    this.#lifetime = "detached";
  }

  get files(): Pod["files"] {
    const { firstId } = this.state.ids;
    return podFiles({ name: this.name, firstId, pidOf: (name) => this.#pidOf(name) });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#lifetime === "owner" && this.#parts.keeperPidfd !== undefined) {
      await this.down();
    } else {
      this.#isLetGo = true;
      this.#owner?.[Symbol.dispose]();
      this.#client?.[Symbol.dispose]();
    }
  }

  #pidOf(name: string | undefined): number {
    const container = this.#find(name ?? defaultContainer(this.state));
    const { pid } = this.#stateOf(container.entry);
    if (pid !== 0) return pid;
    throw new PodError({
      code: "container.not-running",
      message: `container ${container.name} of pod ${this.name} is not running`,
    });
  }

  #find(name: string): RunningContainer {
    return findContainer(this.#containers, name, this.name);
  }

  get #group(): string {
    const { places } = this.state;
    return `${places.cgroupParent}/${places.cgroupName}`;
  }

  #states(): ContainerState[] {
    return containerStates(
      this.state,
      readRecord(this.directory),
      (name) => `${this.#group}/${name}`,
    );
  }

  #stateOf(entry: ContainerEntry): ContainerState {
    const found = this.#states().find(({ name }) => name === entry.name);
    if (!found) throw new Error(`container ${entry.name} has no state`);
    return found;
  }

  #onExited(event: ExitedEvent): void {
    const container = this.#containers.find(({ entry }) => entry.process === event.process);
    if (!container) return;
    const exit = makeExitStatus(event);
    container.settle(exit);
    if (!this.#isEnding) this.#owner?.exited(event);
    this.#parts.onEvent?.({ type: "exited", pod: this.name, container: container.name, exit });
  }

  /** A keeper that goes on without this connection keeps its group; our own has been reaped. */
  async #afterKeeper(): Promise<void> {
    const isOver =
      this.#parts.keeperPidfd !== undefined || !isKeeperAlive(readRecord(this.directory));
    if (isOver) await removeKeeperGroup(this.state.places);
  }

  #onClosed(): void {
    this.#owner?.[Symbol.dispose]();
    const { keeperPidfd } = this.#parts;
    const finish = () => {
      for (const container of this.#containers) container.settleLost();
      if (this.#endError) this.#ended.reject(this.#endError);
      else this.#ended.resolve();
      this.#parts.onEvent?.({ type: "ended", pod: this.name });
    };
    // Its death frees the last of the pod: the mounts and namespaces that it held, and its control
    // group.
    // Once only: the descriptor's number is another's as soon as it is closed.
    const reap = this.#isLetGo ? reapEventually : reapWhenEnded;
    const reaped =
      this.#reaped ?? (keeperPidfd === undefined ? Promise.resolve() : reap(keeperPidfd));
    this.#reaped = reaped;
    if (!this.#isLetGo) void reaped.then(() => this.#afterKeeper()).then(finish);
  }
}
