// A peapod with places of its own, for tests of the kernel: nothing of it is left when the test
// ends, also when it fails, and what the test itself left behind fails it.

import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { findCgroupMount, kernelVersion } from "../../src/native/host.ts";
import { PodHost } from "../../src/pod/peapod.ts";
import type { StartOptions } from "../../src/pod/start.ts";
import type { LogOptions, OpenOptions, Pod, UpOptions } from "../../src/pod/types.ts";
import type { PodManifest } from "../../src/read/pod-manifest/read.ts";
import { readPodAgain, readPodManifest } from "../../src/read/pod-manifest/read.ts";
import { endGroup } from "./groups.ts";
import { leaksSince, ownProcesses, type Snapshot, takeSnapshot } from "./leaks.ts";
import { probeAnswers, probePath } from "./probe.ts";

/** Why no pod can run here; `undefined` where one can. */
export const hostMissing: string | undefined =
  process.getuid?.() !== 0
    ? "needs root"
    : findCgroupMount() === undefined
      ? "needs a cgroup v2 hierarchy"
      : undefined;

const [major, minor] = kernelVersion();
export const isKernelAtLeast = (wanted: readonly [number, number]) =>
  major > wanted[0] || (major === wanted[0] && minor >= wanted[1]);

/** The oldest kernel that peapod runs on has what they need. */
export const hasUserNamespaces = isKernelAtLeast([6, 1]);
export const noUserNamespaces = "hostUsers: false needs Linux 6.1";

export type TestUpOptions = UpOptions & Pick<StartOptions, "failAt">;

export class TestHost implements AsyncDisposable {
  readonly folder: string;
  readonly cgroupMount: string;
  readonly cgroupRoot: string;
  /** A directory that holds the probe, as `/probe`, and nothing else. */
  readonly rootfs: string;
  readonly pods: PodHost;
  before: Snapshot;
  /** Whether what this process has open is peapod's doing: not when commands do all the work. */
  opensItself = true;

  constructor(options: OpenOptions = {}) {
    // In the virtual machine /tmp is a tmpfs of little room, and /var/lib/peapod a disk.
    const parent = process.env.PEAPOD_TEST_IN_VM === "1" ? "/var/lib/peapod" : tmpdir();
    this.folder = mkdtempSync(join(parent, "peapod-kernel-"));
    this.cgroupMount = findCgroupMount()?.path ?? "";
    this.cgroupRoot = `${this.cgroupMount}/${basename(this.folder)}`;
    this.rootfs = join(this.folder, "rootfs");
    mkdirSync(this.rootfs);
    copyFileSync(probePath(), join(this.rootfs, "probe"));
    this.pods = this.another(options);
    this.before = this.snapshot();
  }

  get places() {
    return {
      root: join(this.folder, "root"),
      state: join(this.folder, "state"),
      logs: join(this.folder, "logs"),
      cgroupRoot: this.cgroupRoot,
      // Few tests are about addresses, and those say so.
      network: "none" as const,
    };
  }

  /** What the command line needs to see the same pods. */
  get flags(): string[] {
    const { root, state, logs, cgroupRoot, network } = this.places;
    const places = ["--root", root, "--state", state, "--logs", logs, "--cgroup-root", cgroupRoot];
    return [...places, "--network", network];
  }

  /** A second look at the same places, as another process would have it. */
  another(options: OpenOptions = {}): PodHost {
    return new PodHost({ ...this.places, ...options }, (manifest, objects) =>
      readPodAgain(manifest as unknown as PodManifest, objects),
    );
  }

  up(manifest: PodManifest, options: TestUpOptions = {}): Promise<Pod> {
    return this.pods.up(readPodManifest(manifest), options);
  }

  /** Up, until all have exited, down: what the probes of the containers said, by container. */
  async answers(manifest: PodManifest): Promise<Record<string, Record<string, unknown>>> {
    await using pod = await this.up(manifest);
    return await answersOf(pod);
  }

  snapshot(): Snapshot {
    return takeSnapshot({ ...this.placesOfSnapshot, kept: isKept });
  }

  #look(): string[] {
    const after = this.snapshot();
    const { descriptors } = this.opensItself ? after : this.before;
    return leaksSince(this.before, { ...after, descriptors });
  }

  /** Empty when everything is as it was when the host was opened. */
  leaks(): string[] {
    const leaks = this.#look();
    if (!leaks.some((leak) => leak.startsWith("descriptors:"))) return leaks;
    // Bun keeps streams of children that nobody holds any more until it collects garbage.
    Bun.gc(true);
    return this.#look();
  }

  processes() {
    return ownProcesses(this.placesOfSnapshot);
  }

  get placesOfSnapshot() {
    const { cgroupMount, cgroupRoot, folder } = this;
    return { cgroupMount, cgroupRoot, folder };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.pods[Symbol.asyncDispose]();
      const leaks = this.leaks();
      if (leaks.length > 0) throw new Error(`left behind:\n${leaks.join("\n")}`);
    } finally {
      // Only a test that failed leaves something in it.
      await endGroup(this.cgroupRoot, 200);
      rmSync(this.folder, { recursive: true, force: true });
    }
  }
}

/**
 * Directories that are made on first need and stay, and the root file systems made once for all
 * pods.
 */
function isKept(path: string): boolean {
  // Claims outlive pods, and so does the directory they are in.
  if (path.endsWith("/root/volumes")) return true;
  // host-local remembers the last address that it gave.
  if (/\/state\/bridges(\/bridge-[^/]+(\/(lock|last_reserved_ip\.0))?)?$/.test(path)) return true;
  return /\/(rootfs|host-image|images|root\/seccomp|agent\.(lock|log))(\/|$)/.test(path);
}

/** Opened warm: one pod has come and gone, so that what a process opens only once is open. */
export async function openTestHost(options: OpenOptions = {}): Promise<TestHost> {
  const host = new TestHost(options);
  try {
    await host.answers(podOf(host, "warm-up", { only: ["say", "warm"] }));
    host.before = host.snapshot();
    return host;
  } catch (error) {
    await host[Symbol.asyncDispose]().catch(() => {});
    throw error;
  }
}

type Spec = NonNullable<PodManifest["spec"]>;
type ContainerOf = NonNullable<Spec["containers"]>[number];

/** A pod whose containers run the probe with these words. */
export function podOf(
  host: Pick<TestHost, "rootfs">,
  name: string,
  containers: Readonly<Record<string, readonly string[]>>,
  spec: Partial<Spec> = {},
  container: Partial<ContainerOf> = {},
): PodManifest {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name },
    spec: {
      restartPolicy: "Never",
      terminationGracePeriodSeconds: 1,
      ...spec,
      containers: Object.entries(containers).map(([containerName, words]) => ({
        name: containerName,
        image: `rootfs:${host.rootfs}`,
        command: ["/probe", ...words],
        ...container,
      })),
    },
  };
}

/** When all its containers have exited. */
export async function answersOf(pod: Pod): Promise<Record<string, Record<string, unknown>>> {
  await Promise.all(pod.containers.map(({ exited }) => exited));
  const entries = pod.containers.map(
    async ({ name }) => [name, probeAnswers(await logOf(pod, name))] as const,
  );
  return Object.fromEntries(await Promise.all(entries));
}

export async function logOf(pod: Pod, container: string, options: LogOptions = {}) {
  let text = "";
  const decoder = new TextDecoder();
  for await (const { line, isPartial } of pod.logs({ ...options, container })) {
    text += decoder.decode(line) + (isPartial ? "" : "\n");
  }
  return text;
}

/** Until it holds, or the time is up; the last value. */
export async function eventually<T>(
  look: () => T | Promise<T>,
  isEnough: (value: T) => boolean,
  timeoutMs = 5000,
): Promise<T> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const value = await look();
    if (isEnough(value) || performance.now() > end) return value;
    await Bun.sleep(5);
  }
}
