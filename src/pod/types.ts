// The public shapes of a running pod: what services and the command line see. No behaviour belongs
// here.

import type { PodNetwork, PodOutcome } from "./shapes.ts";
import type { ImageLayer, PullProgress } from "../image/types.ts";
import type { PodError } from "../errors/pod-error.ts";
import type { ForwardOptions, Forwarding } from "./forward.ts";
import type { PackOptions } from "./copy/pack.ts";
import type { FileKind } from "./copy/place.ts";
import type { UnpackOptions } from "./copy/unpack.ts";
import type { PolicyLevel, PolicyOptions } from "./policy.ts";
import type { ContainerStats } from "./stats.ts";

export type { PolicyLevel, PolicyOptions };

export type { ImageOptions, OpenOptions } from "./open-options.ts";

export interface UpOptions {
  /** `owner` (default): the pod ends when this process does; `detached`: it lives until `down`. */
  readonly lifetime?: "owner" | "detached";
  /** For the launch alone. Default 60 000. */
  readonly timeoutMs?: number;
  /** Files put into emptyDir volumes before anything starts: volume name → path in it → content. */
  readonly files?: Readonly<Record<string, Readonly<Record<string, string | Uint8Array>>>>;
  /** Record when each operation ended; see `Pod.trace`. */
  readonly trace?: boolean;
  /** Hears of each layer that is pulled before the launch. */
  readonly onPull?: (progress: PullProgress) => void;
  readonly signal?: AbortSignal;
}

/** How a container's process ended. */
export interface ExitStatus {
  /** 0–255; 128 + signal when a signal ended it. */
  readonly exitCode: number;
  /** `SIGKILL` and the like; undefined when the process exited by itself. */
  readonly signal: string | undefined;
  readonly oomKilled: boolean;
  readonly startedAt: Date;
  readonly finishedAt: Date;
  readonly cpuMs: number;
  readonly memoryPeakBytes: number;
}

export interface ContainerState {
  readonly name: string;
  /** 64 hexadecimal digits. */
  readonly id: string;
  readonly phase: "waiting" | "running" | "terminated";
  /** On the host; 0 when it does not run. */
  readonly pid: number;
  readonly startedAt: Date | undefined;
  readonly exit: ExitStatus | undefined;
  /** File of the current log; rotated ones stand beside it. */
  readonly logPath: string;
  /** Absolute path of the control group. */
  readonly cgroup: string;
  /** Lines of output that a full disk has cost. */
  readonly linesDropped: number;
}

export interface ExecOptions {
  /** Default: the annotation kubectl.kubernetes.io/default-container, else the first. */
  readonly container?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Default: the container's. */
  readonly cwd?: string;
  /** `user`, `uid`, `user:group`, by the container's own files. Default: the container's. */
  readonly user?: string;
  readonly stdin?: "none" | "pipe" | string | Uint8Array | ReadableStream<Uint8Array>;
  /** `collect` (default) keeps the output for `result`; `pipe` gives a stream that must be read. */
  readonly stdout?: "pipe" | "collect" | WritableStream<Uint8Array>;
  readonly stderr?: "pipe" | "collect" | WritableStream<Uint8Array>;
  /** Collected at the most, each of stdout and stderr; more ends in `truncated`. Default 1 MiB. */
  readonly outputBytesMax?: number;
  /** After this the whole process tree is killed. Default: none. */
  readonly timeoutMs?: number;
  /** A terminal: stdout and stderr are one stream. */
  readonly tty?: boolean | { readonly rows: number; readonly columns: number };
  readonly signal?: AbortSignal;
}

export interface ExecResult {
  readonly exitCode: number;
  readonly signal: string | undefined;
  readonly oomKilled: boolean;
  readonly timedOut: boolean;
  readonly truncated: boolean;
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly memoryPeakBytes: number;
  /** What was collected; empty when it went elsewhere. */
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
}

/** A command running in a container. */
export interface Execution extends AsyncDisposable {
  /** Present with `stdin: "pipe"`. */
  readonly stdin: WritableStream<Uint8Array> | undefined;
  /** Present with `stdout: "pipe"`. */
  readonly stdout: ReadableStream<Uint8Array> | undefined;
  readonly stderr: ReadableStream<Uint8Array> | undefined;
  /** Resolves when the command has exec'd, rejects with a PodError when it could not. */
  readonly started: Promise<void>;
  readonly result: Promise<ExecResult>;
  /** To the process, or with SIGKILL to its whole tree. Default SIGTERM. */
  kill(signal?: NodeJS.Signals | number): Promise<void>;
  resize(size: { readonly rows: number; readonly columns: number }): Promise<void>;
}

export interface LogRecord {
  readonly container: string;
  readonly stream: "stdout" | "stderr";
  /** Nanoseconds since the epoch. */
  readonly timeNs: bigint;
  /** Without the newline. */
  readonly line: Uint8Array;
  /**
   * The line goes on with the stream's next record: a prompt, or more than 1 MiB without a newline.
   */
  readonly isPartial: boolean;
}

export interface LogOptions {
  /** Default: all. */
  readonly container?: string;
  /** Past restarts, until no container will write any more. */
  readonly follow?: boolean;
  /** Called by a follower after the last line of each run of a container. */
  readonly onRunEnded?: (container: string) => Promise<void>;
  /** Of the run before the last restart. */
  readonly previous?: boolean;
  /** Of each container. */
  readonly tailLines?: number;
  /** Epoch milliseconds. */
  readonly sinceMs?: number;
  readonly signal?: AbortSignal;
}

/** An attached client of a container's own streams. */
export interface Attachment extends AsyncDisposable {
  readonly stdin: WritableStream<Uint8Array> | undefined;
  readonly stdout: ReadableStream<Uint8Array>;
  readonly stderr: ReadableStream<Uint8Array> | undefined;
  resize(size: { readonly rows: number; readonly columns: number }): Promise<void>;
}

/** One operation of a launch, as it was carried out. */
export interface TraceSpan {
  /** `sandbox`, or the container's name. */
  readonly plan: string;
  readonly operation: string;
  readonly stage: string;
  readonly origin: string;
  /** Milliseconds since the call of `up`. */
  readonly startMs: number;
  readonly endMs: number;
}

/**
 * Kernel namespaces of one process, by kind (`net`, `ipc`, `uts`, `mnt`, `pid`, `cgroup`, `user`):
 * inode numbers.
 */
export type NamespaceInodes = Readonly<Record<string, number>>;

export interface PodInspection {
  /** A v1 Pod with its status, as kubectl would print it. */
  readonly pod: Readonly<Record<string, unknown>>;
  readonly sandbox: {
    readonly id: string;
    readonly keeperPid: number;
    readonly cgroup: string;
    readonly lifetime: "owner" | "detached";
    readonly namespaces: NamespaceInodes;
    readonly network?: PodNetwork;
  };
  readonly containers: readonly {
    readonly name: string;
    readonly id: string;
    readonly pid: number;
    readonly cgroup: string;
    readonly logPath: string;
    readonly namespaces: NamespaceInodes;
  }[];
}

export interface DiskUse {
  /** Allocated, whatever the files say of their length; hard links count once. */
  readonly bytes: number;
  readonly inodes: number;
  /** A tree was larger or deeper than is looked at: there is at least so much. */
  readonly isPartial: boolean;
}

/** As the kubelet counts ephemeral-storage: a container's logs are its own. */
export interface PodDiskUse {
  readonly total: DiskUse;
  readonly containers: readonly {
    readonly name: string;
    readonly writable: DiskUse;
    readonly logs: DiskUse;
  }[];
  /** emptyDirs that are not in memory. */
  readonly volumes: readonly (DiskUse & { readonly name: string })[];
}

/** What a container's root is made of: its image, what it wrote, peapod's own files. */
export interface ContainerLayers {
  readonly container: string;
  readonly imageId: string;
  /** Empty where its image has been removed by name. */
  readonly imageNames: readonly string[];
  /** Read-only, the lowest first. */
  readonly layers: readonly ImageLayer[];
  readonly writable: DiskUse & { readonly path: string };
  /** Mounted over it in every container. */
  readonly runtimeFiles: readonly string[];
  /** Where its volumes are. */
  readonly mounts: readonly string[];
}

export type PodEvent =
  | { readonly type: "started"; readonly pod: string; readonly container: string }
  | {
      readonly type: "exited";
      readonly pod: string;
      readonly container: string;
      readonly exit: ExitStatus;
    }
  | { readonly type: "ended"; readonly pod: string };

export interface Container {
  readonly name: string;
  /** A sidecar is an init container that goes on running. */
  readonly kind: "init" | "sidecar" | "container" | "ephemeral";
  /** As last recorded. */
  state(): Promise<ContainerState>;
  /** Resolves when the run that is has ended; rejects when the pod went away before anyone knew. */
  readonly exited: Promise<ExitStatus>;
  signal(signal: NodeJS.Signals | number): Promise<void>;
  attach(options?: { readonly stdin?: boolean }): Promise<Attachment>;
}

export interface Pod extends AsyncDisposable {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly lifetime: "owner" | "detached";
  /** Resolves when every container is ready, as its probes say; rejects when the pod fails. */
  readonly ready: Promise<void>;
  /** Resolves when no container will run again; the pod stays until `down`. */
  readonly finished: Promise<PodOutcome>;
  /** Resolves when nothing of the pod is left. */
  readonly ended: Promise<void>;
  /** In manifest order. */
  readonly containers: readonly Container[];
  container(name: string): Container;
  /** A v1 Pod with its status. */
  object(): Promise<Readonly<Record<string, unknown>>>;
  /** Why it is as it is. */
  describe(): Promise<import("./description-types.ts").PodDescription>;
  inspect(): Promise<PodInspection>;
  stats(): Promise<readonly ContainerStats[]>;
  /** Rejects with what a CNI plugin misses; resolves where no plugins made the network. */
  checkNetwork(): Promise<void>;
  logs(options?: LogOptions): AsyncIterable<LogRecord>;
  exec(command: readonly string[], options?: ExecOptions): Execution;
  /** A port of this process's host for one of the pod. */
  forward(options: ForwardOptions): Promise<Forwarding>;
  /**
   * Ends the pod: stop signal, grace (default: the manifest's), SIGKILL; resolves when nothing is
   * left.
   */
  down(options?: { readonly graceMs?: number }): Promise<void>;
  /** Ends one container, or all that last, and runs them again; whatever their policy. */
  restart(options?: { readonly container?: string; readonly graceMs?: number }): Promise<void>;
  /** A new run of the container, of another image; the pod stays. */
  changeImage(container: string, image: string): Promise<void>;
  /** Adds an ephemeral container, as `spec.ephemeralContainers[]` of the Pod API. Its name. */
  debug(container: Readonly<Record<string, unknown>>): Promise<string>;
  /** An owner's pod becomes detached. */
  detach(): Promise<void>;
  /** Resolves when every process stands still. Ending a pod lets it go on first. */
  pause(): Promise<void>;
  unpause(): Promise<void>;
  isPaused(): Promise<boolean>;
  /** With `trace: true`: what the launch did, and when. */
  readonly trace: readonly TraceSpan[];
  readonly files: {
    /** Beneath the first container's root unless one is named. */
    write(
      path: string,
      bytes: Uint8Array | string,
      options?: { readonly container?: string },
    ): Promise<void>;
    read(
      path: string,
      options?: { readonly bytesMax?: number; readonly container?: string },
    ): Promise<Uint8Array>;
    /** Undefined where there is no such name. */
    kind(
      path: string,
      options?: { readonly container?: string; readonly followLink?: boolean },
    ): Promise<FileKind | undefined>;
    /** A file or directory as a tar archive; devices, FIFOs and sockets are left out. */
    pack(
      path: string,
      options: PackOptions & { readonly container?: string },
    ): AsyncIterable<Uint8Array>;
    /** A tar archive into a directory that exists; no link in either is followed. */
    unpack(
      directory: string,
      archive: AsyncIterable<Uint8Array>,
      options?: UnpackOptions & { readonly container?: string },
    ): Promise<void>;
  };
}

/** What `list` says of a pod that it could not open. */
export interface BrokenPod {
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
  readonly error: PodError;
}
