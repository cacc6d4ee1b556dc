// The agent: one background process for each user and state directory. It owns the detached pods
// that nobody else owns, sleeps while nothing happens, and goes when the last such pod has gone. It
// may be killed at any moment: what it knows is in the pods' own files.

import { mkdirSync, readFileSync, rmdirSync, watch, writeFileSync } from "node:fs";
import { sleepDeeply } from "../native/socket.ts";
import { names } from "../pod/state.ts";
import { PodsWatcher } from "../pod/watch.ts";
import { createAgentLog } from "./agent-log.ts";
import { takeAgentLock } from "./lock.ts";

/** A pod may need an owner that did not when it was looked at: its starter has let go of it. */
export const pokeSignal = "SIGHUP";

export interface AgentHost {
  readonly state: string;
  /** Where the hierarchy is mounted, and where pods have their groups. */
  readonly cgroup: { readonly mount: string; readonly root: string };
  readonly version: string;
  /**
   * Resolves with `not-yet` for a pod that is being started, `done` for one that needs no owner or
   * is gone; else it goes on for as long as the pod lives.
   */
  own(uid: string, signal: AbortSignal): Promise<"done" | "not-yet">;
}

/** A pod that is not up yet is looked at again: a start takes milliseconds, or else much longer. */
const startingMs: readonly number[] = [20, 50, 100, 200, 500, 1000, 2000];

/** Resolves when nothing is left to own, when the signal says so, or when there is another. */
export async function runAgent(host: AgentHost, signal: AbortSignal): Promise<void> {
  const log = createAgentLog(host.state);
  const record = { pid: process.pid, startedMs: Date.now(), version: host.version };
  // Who starts a pod and finds an agent starts none: looked at again after the lock is given back.
  let known: ReadonlySet<string>;
  do {
    using lock = await takeAgentLock(host.state, record);
    if (lock === undefined) return;
    log(`agent ${process.pid} runs`);
    using _ = takeGroup(host.cgroup);
    sleepDeeply();
    known = await new Agent(host, log).run(signal);
  } while (!signal.aborted && names(`${host.state}/pods`).some((uid) => !known.has(uid)));
  log(`agent ${process.pid} ends: ${signal.aborted ? "it was told to" : "no pod needs it"}`);
}

/**
 * Whoever started us may be a service or a session, and what is in its group ends with it. The
 * group stands among those of the keepers, where an empty one is swept up.
 */
function takeGroup({ mount, root }: AgentHost["cgroup"]): Disposable {
  const own = `${root}/keepers/agent`;
  const before = /^0::(.*)$/m.exec(readFileSync("/proc/self/cgroup", "utf8"))?.[1] ?? "/";
  const enter = (group: string): void => {
    writeFileSync(`${group}/cgroup.procs`, `${process.pid}`);
  };
  try {
    mkdirSync(own, { recursive: true });
    enter(own);
  } catch {
    // Without delegation we stay where we are.
  }
  return {
    [Symbol.dispose]: () => {
      try {
        enter(`${mount}${before}`);
        rmdirSync(own);
      } catch {
        // Where we came from is gone; the next start of a pod sweeps ours up.
      }
    },
  };
}

class Agent {
  readonly #host: AgentHost;
  readonly #log: (line: string) => void;
  /** Pods that are owned or being looked at, and those that need no owner. */
  readonly #known = new Map<string, "busy" | "done">();
  readonly #stop = new AbortController();
  readonly #work = new Set<Promise<void>>();
  #idle = Promise.withResolvers<void>();

  constructor(host: AgentHost, log: (line: string) => void) {
    this.#host = host;
    this.#log = log;
  }

  /** The pods that it has seen to. */
  async run(signal: AbortSignal): Promise<ReadonlySet<string>> {
    const onAbort = (): void => this.#idle.resolve();
    signal.addEventListener("abort", onAbort);
    const lookAgain = (): void => {
      for (const [uid, state] of this.#known) if (state === "done") this.#known.delete(uid);
      this.#look();
    };
    process.on(pokeSignal, lookAgain);
    const directory = `${this.#host.state}/pods`;
    using _ = new PodsWatcher(directory, () => this.#look(), { withContents: false });
    this.#look();
    await this.#idle.promise;
    this.#stop.abort();
    await Promise.allSettled(this.#work);
    signal.removeEventListener("abort", onAbort);
    process.off(pokeSignal, lookAgain);
    return new Set(this.#known.keys());
  }

  #look(): void {
    const there = new Set(names(`${this.#host.state}/pods`));
    for (const uid of this.#known.keys()) if (!there.has(uid)) this.#known.delete(uid);
    for (const uid of there) if (!this.#known.has(uid)) this.#take(uid);
    if (![...this.#known.values()].includes("busy")) this.#idle.resolve();
  }

  #take(uid: string): void {
    this.#known.set(uid, "busy");
    const work = this.#own(uid).catch((error: unknown) => {
      this.#log(`pod ${uid}: ${error instanceof Error ? (error.stack ?? error.message) : error}`);
    });
    this.#work.add(work);
    void work.finally(() => {
      this.#work.delete(work);
      if (this.#known.has(uid)) this.#known.set(uid, "done");
      if (!this.#stop.signal.aborted) this.#look();
    });
  }

  async #own(uid: string): Promise<void> {
    for (let attempt = 0; !this.#stop.signal.aborted; attempt++) {
      if ((await this.#host.own(uid, this.#stop.signal)) === "done") return;
      if (!this.#known.has(uid)) return;
      const waitMs = startingMs[attempt];
      const directory = `${this.#host.state}/pods/${uid}`;
      const change = waitMs === undefined ? nextChange(directory) : Bun.sleep(waitMs);
      await Promise.race([change, this.#idle.promise]);
    }
  }
}

async function nextChange(directory: string): Promise<void> {
  const changed = Promise.withResolvers<void>();
  try {
    const watcher = watch(directory, () => changed.resolve());
    watcher.on("error", () => changed.resolve());
    await changed.promise;
    watcher.close();
  } catch {
    // Gone.
  }
}
