// Keepers ready before there is a pod for them, with their namespaces made: what a start then waits
// for is the pod's own. Each serves one pod.

import type { HostFacts } from "../spec/host-facts.ts";
import type { PodSpec } from "../spec/pod-spec.ts";
import { noNetwork } from "../spec/network.ts";
import type { Networks } from "./networks.ts";
import { wantsOwnLink } from "./networks.ts";
import type { Seed } from "./keepers.ts";
import type { StartingKeeper } from "./starting-keeper.ts";
import { bringUpKeeper, dismissKeeper } from "./starting-keeper.ts";
import { prepareLink } from "./starting-link.ts";

export interface PoolOptions {
  /** Keepers held ready; each costs what an idle pod without containers costs. */
  readonly size: number;
  /** For pods with `hostUsers: false` when false: those make their namespaces in the start. */
  readonly hostUsers?: boolean;
}

/** A refill shares the machine with the start that it follows: it waits until that is over. */
const refillDelayMs = 5;
/** After a failure: what it was is told by the next start, which meets it again. */
const retryDelayMs = 1000;

export class KeeperPool implements AsyncDisposable {
  readonly #size: number;
  readonly #namespaces: PodSpec["namespaces"];
  readonly #facts: () => HostFacts;
  readonly #seed: Seed;
  readonly #networks: Networks | undefined;
  readonly #ready: StartingKeeper[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #filling: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(
    options: PoolOptions,
    facts: () => HostFacts,
    seed: Seed,
    networks: Networks | undefined,
  ) {
    this.#networks = networks;
    this.#size = options.size;
    const user = options.hostUsers === false ? "POD" : "NODE";
    this.#namespaces = { network: "POD", ipc: "POD", pid: "CONTAINER", user };
    this.#facts = facts;
    this.#seed = seed;
    this.#refillIn(0);
  }

  /** One that suits such a pod, if there is one that lives. */
  take(spec: PodSpec): StartingKeeper | undefined {
    const own = this.#namespaces;
    const { network, ipc, user } = spec.namespaces;
    if (network !== own.network || ipc !== own.ipc || user !== own.user) return undefined;
    // The interfaces that are there publish nothing, and know no limits.
    if (this.#networks && wantsOwnLink(spec)) return undefined;
    for (let keeper = this.#ready.shift(); keeper; keeper = this.#ready.shift()) {
      this.#refillIn(refillDelayMs);
      if (keeper.client.isOpen) return keeper;
      void this.#dismiss(keeper);
    }
    return undefined;
  }

  #refillIn(delayMs: number): void {
    if (this.#isClosed || this.#timer || this.#size === 0) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#filling = this.#refill().catch(() => this.#refillIn(retryDelayMs));
    }, delayMs);
    this.#timer.unref();
  }

  /** One at a time: each makes a network namespace, which the kernel does one after another. */
  async #refill(): Promise<void> {
    while (!this.#isClosed && this.#ready.length < this.#size) {
      const keeper = bringUpKeeper(
        this.#facts(),
        crypto.randomUUID(),
        this.#namespaces,
        this.#seed,
        this.#networks !== undefined,
      );
      this.#seed.takeFromProcess(keeper.pid);
      this.#ready.push(await this.#makeReady(keeper));
    }
  }

  async #makeReady(keeper: StartingKeeper): Promise<StartingKeeper> {
    let network = noNetwork;
    try {
      if (this.#namespaces.user === "NODE") {
        network = (await this.#networks?.attachAhead(keeper.uid)) ?? noNetwork;
      }
      const link = prepareLink(keeper, this.#namespaces, network, false);
      await keeper.client.listen();
      // It is up, in a lean namespace, and has made what it was asked for before.
      await keeper.client.hello("observer");
      if (link && (await link.send()).status !== "ok") throw new Error("no network");
      return { ...keeper, link };
    } catch (error) {
      await this.#dismiss({ ...keeper, link: undefined }, network);
      throw error;
    }
  }

  async #dismiss(keeper: StartingKeeper, network = keeper.link?.network): Promise<void> {
    await dismissKeeper(keeper);
    if (network) await this.#networks?.detach(keeper.uid, network);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#filling;
    await Promise.all(this.#ready.splice(0).map((keeper) => this.#dismiss(keeper)));
  }
}
