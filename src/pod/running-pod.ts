// A pod that runs, whoever started it: what is known of it, and what it can be told.

import { PodError } from "../errors/pod-error.ts";
import type { ExitedEvent, KeeperClient, KeeperEvents } from "../launch/keeper-client.ts";
import { KeeperGone } from "../launch/keeper-client.ts";
import { reapWhenEnded } from "../native/process-end.ts";
import { planExec } from "../plan/exec.ts";
import { mergeEnv, resolveCandidates } from "../resolve/command.ts";
import type { HostFacts } from "../spec/host-facts.ts";
import { RunningContainer } from "./container.ts";
import { execUser } from "./exec-user.ts";
import { startExecution } from "./execution.ts";
import { freezeGroup, isFrozen, thawGroup } from "./freeze.ts";
import {
  connectKeeper,
  reapEventually,
  removeKeeperGroup,
  tearDownWithoutKeeper,
} from "./keepers.ts";
import { podFiles } from "./pod-files.ts";
import { followLogs } from "./pod-logs.ts";
import { isKeeperAlive, makeExitStatus, namespacesOf, readRecord } from "./record.ts";
import type { ContainerEntry, PodState } from "./read-state.ts";
import { readSecurityEntry } from "./security-entry.ts";
import { readStats } from "./stats.ts";
import { containerStates } from "./container-states.ts";
import type {
  Container,
  ContainerState,
  ContainerStats,
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
  readonly onEvent?: (event: PodEvent) => void;
  /** A connection was made that keeps the event loop alive until it is disposed. */
  readonly onConnected?: (client: KeeperClient) => void;
}

const execDeadlineMs = 30_000;

export class RunningPod implements Pod {
  readonly state: PodState;
  readonly #parts: RunningPodParts;
  readonly #containers: readonly RunningContainer[];
  readonly #ended = Promise.withResolvers<void>();
  #lifetime: "owner" | "detached";
  #client: KeeperClient | undefined;
  #connecting: Promise<KeeperClient> | undefined;
  #endError: PodError | undefined;
  /** We closed the connection; the pod goes on. */
  #isLetGo = false;
  #reaped: Promise<void> | undefined;
  trace: readonly TraceSpan[];

  constructor(parts: RunningPodParts) {
    this.#parts = parts;
    this.state = parts.state;
    this.#lifetime = parts.lifetime;
    this.trace = parts.trace ?? [];
    this.#containers = parts.state.containers.map(
      (entry) =>
        new RunningContainer(entry, {
          client: () => this.client(),
          state: () => this.#stateOf(entry),
        }),
    );
    this.#ended.promise.catch(() => {});
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

  get ready(): Promise<void> {
    return Promise.resolve();
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

  async object(): Promise<Readonly<Record<string, unknown>>> {
    const { podObject, readPodView } = await import("./status.ts");
    return podObject(readPodView(this.state, this.directory));
  }

  async inspect(): Promise<PodInspection> {
    const record = readRecord(this.directory);
    const keeperPid = isKeeperAlive(record) ? record.keeperPid : 0;
    return {
      pod: await this.object(),
      sandbox: {
        id: this.uid,
        keeperPid,
        cgroup: this.#group,
        lifetime: record?.isDetached ? "detached" : "owner",
        namespaces: namespacesOf(keeperPid),
      },
      containers: this.#states().map(({ name, id, pid, cgroup, logPath }) => ({
        name,
        id,
        pid,
        cgroup,
        logPath,
        namespaces: namespacesOf(pid),
      })),
    };
  }

  async stats(): Promise<readonly ContainerStats[]> {
    return this.#states().map(({ name, cgroup }) => readStats(name, cgroup));
  }

  logs(options: LogOptions = {}): AsyncIterable<LogRecord> {
    const containers =
      options.container === undefined ? this.#containers : [this.#find(options.container)];
    return followLogs(
      containers.map((container) => ({
        name: container.name,
        logPath: this.#stateOf(container.entry).logPath,
        ended: container.exited,
      })),
      options,
    );
  }

  exec(command: readonly string[], options: ExecOptions = {}): Execution {
    const container = this.#find(options.container ?? this.#defaultContainer());
    return startExecution(() => this.#execTarget(container, command, options), options);
  }

  async #execTarget(container: RunningContainer, command: readonly string[], options: ExecOptions) {
    const { entry } = container;
    const [first] = command;
    const subject = `container ${entry.name}`;
    if (first === undefined || first === "" || command.some((word) => word.includes("\0"))) {
      throw new PodError({
        code: "container.not-found",
        message: "the command to execute is empty",
      });
    }
    const env = mergeEnv(
      [
        ...entry.env,
        ...this.#secretEnv(entry),
        ...(options.tty && !entry.tty ? ["TERM=xterm"] : []),
      ],
      Object.entries<string>(options.env ?? {}).map(([name, value]) => `${name}=${value}`),
    );
    const process = firstExec + nextExec++;
    const plan = planExec(
      {
        ids: this.state.ids,
        namespaces: {
          network: "POD",
          ipc: "POD",
          pid: "CONTAINER",
          user: this.state.userNamespace ? "POD" : "NODE",
        },
      },
      {
        process,
        candidates: resolveCandidates(first, env),
        argv: command,
        env,
        workingDir: options.cwd ?? entry.workingDir,
        user: await execUser(options.user, entry, () => this.#pidOf(entry.name)),
        security: readSecurityEntry(entry.security),
        oomScoreAdj: entry.oomScoreAdj,
        tty: typeof options.tty === "object" ? options.tty : options.tty ? defaultSize : undefined,
        deadlineMs: execDeadlineMs,
      },
      this.#parts.facts,
    );
    return { client: await this.client(), process, target: entry.process, plan, subject };
  }

  pause = (): Promise<void> => freezeGroup(this.#group, this.name);
  unpause = async (): Promise<void> => thawGroup(this.#group, this.name);
  isPaused = async (): Promise<boolean> => isFrozen(this.#group);

  /** Those variables that are not in the pod's state. */
  #secretEnv({ process }: ContainerEntry): readonly string[] {
    return this.#parts.secretEnv?.get(process) ?? [];
  }

  async down(options: { readonly graceMs?: number } = {}): Promise<void> {
    // A frozen process hears of no stop signal.
    thawGroup(this.#group, this.name);
    let client: KeeperClient;
    try {
      client = await this.client();
      await client.end(options.graceMs ?? this.state.graceMs);
    } catch (error) {
      if (!(error instanceof KeeperGone || error instanceof PodError)) throw error;
      const { places, ids } = this.state;
      await tearDownWithoutKeeper(places, ids.claim);
      return this.#ended.resolve();
    }
    await this.#ended.promise;
  }

  async detach(): Promise<void> {
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
      this.#client?.[Symbol.dispose]();
    }
  }

  #pidOf(name: string | undefined): number {
    const container = this.#find(name ?? this.#defaultContainer());
    const { pid } = this.#stateOf(container.entry);
    if (pid !== 0) return pid;
    throw new PodError({
      code: "container.not-running",
      message: `container ${container.name} of pod ${this.name} is not running`,
    });
  }

  #find(name: string): RunningContainer {
    const found = this.#containers.find((container) => container.name === name);
    if (found) return found;
    throw new PodError({
      code: "container.unknown",
      message: `pod ${this.name} has no container ${JSON.stringify(name)}`,
      hint: `it has ${this.#containers.map((container) => container.name).join(", ")}`,
    });
  }

  #defaultContainer(): string {
    const metadata = this.state.manifest["metadata"] as
      { readonly annotations?: Readonly<Record<string, string>> } | undefined;
    const wanted = metadata?.annotations?.["kubectl.kubernetes.io/default-container"];
    const isThere = this.#containers.some(({ name }) => name === wanted);
    return isThere && wanted !== undefined ? wanted : (this.#containers[0]?.name ?? "");
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
    this.#parts.onEvent?.({ type: "exited", pod: this.name, container: container.name, exit });
  }

  /** A keeper that goes on without this connection keeps its group; our own has been reaped. */
  async #afterKeeper(): Promise<void> {
    const isOver =
      this.#parts.keeperPidfd !== undefined || !isKeeperAlive(readRecord(this.directory));
    if (isOver) await removeKeeperGroup(this.state.places);
  }

  #onClosed(): void {
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

/**
 * Above every container's and pause's number; unique among the processes that may talk to one
 * keeper.
 */
const firstExec = 1_000_000 + (process.pid % 4000) * 1_000_000;
let nextExec = 0;
const defaultSize = { rows: 24, columns: 80 } as const;
