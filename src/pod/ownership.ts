// The owner's part of a pod in this process. What it does is loaded when there is something to do.

import type { Ask, ExitedEvent, KeeperClient } from "../launch/keeper-client.ts";
import type { ContainerSpec, PodSpec } from "../spec/pod-spec.ts";
import type { LaunchContext } from "./life/launcher.ts";
import type { PodLife } from "./life/pod-life.ts";
import { limitsStorage, needsOwner } from "./needs.ts";
import type { ContainerEntry, PodState } from "./read-state.ts";
import type { Pod } from "./types.ts";

export interface OwnerParts {
  readonly spec: PodSpec;
  readonly launch: LaunchContext;
  /** A container of the manifest's kind, for this pod. */
  readonly readContainer: (container: PodState["manifest"]) => Promise<ContainerSpec>;
  /** 1 but for tests. */
  readonly timeScale: number;
}

export interface OwnedPod {
  readonly state: PodState;
  readonly directory: string;
  readonly client: () => Promise<KeeperClient>;
  readonly exec: Pod["exec"];
  readonly onRun: (container: string) => void;
  readonly onAdded: (entry: ContainerEntry) => void;
}

export class Ownership implements Disposable {
  readonly #pod: OwnedPod;
  readonly #parts: OwnerParts;
  #life: Promise<PodLife> | undefined;
  #storage: Disposable | undefined;
  #isOver = false;

  constructor(pod: OwnedPod, parts: OwnerParts) {
    this.#pod = pod;
    this.#parts = parts;
  }

  /** Whether somebody looks after the pod already. */
  get isAtWork(): boolean {
    return this.#life !== undefined;
  }

  /** Of a pod of which nothing runs yet; resolves when all of it does. */
  async start(): Promise<void> {
    const loading = this.#load();
    this.#life = loading;
    await (await loading).start();
  }

  /** At work from here on. */
  life(): Promise<PodLife> {
    this.#life ??= this.#load().then((life) => {
      if (!this.#isOver) life.resume();
      return life;
    });
    return this.#life;
  }

  exited(event: ExitedEvent): void {
    if (this.#isOver || (!this.#life && !needsOwner(this.#parts.spec))) return;
    void this.life().then((life) => life.exited(event));
  }

  asked(ask: Ask): void {
    if (!this.#isOver) void this.life().then((life) => life.asked(ask));
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    this.#storage?.[Symbol.dispose]();
    void this.#life?.then((life) => life[Symbol.dispose]());
  }

  async #load(): Promise<PodLife> {
    const { PodLife: Life } = await import("./life/pod-life.ts");
    const { makeClock } = await import("./life/clock.ts");
    const { spec, launch, timeScale, readContainer } = this.#parts;
    const { state } = this.#pod;
    const life = new Life({
      ...this.#pod,
      spec,
      launch,
      readContainer,
      clock: makeClock(timeScale),
      podIp: state.network?.podIPs[0] ?? "127.0.0.1",
    });
    await life.addEphemeral();
    if (limitsStorage(spec)) {
      const { watchStorage } = await import("./life/storage.ts");
      this.#storage = watchStorage(life);
      if (this.#isOver) this.#storage[Symbol.dispose]();
    }
    return life;
  }
}

/** Undefined where another process owns the pod, or its keeper does not run our plans. */
export async function takeOver(
  pod: OwnedPod,
  readParts: ((client: KeeperClient) => Promise<OwnerParts>) | undefined,
): Promise<Ownership | undefined> {
  const client = await pod.client();
  if (!readParts || !(await client.hello("observer")).isOurs) return undefined;
  const parts = await readParts(client);
  const { isOurs } = await client.hello("supervisor");
  return isOurs ? new Ownership(pod, parts) : undefined;
}
