// What tests of running pods say again and again: containers that run the probe, pods made of them,
// and their errors.

import { readdirSync } from "node:fs";
import type { Pod, PodManifest, UpOptions } from "../../src/index.ts";
import { PodError } from "../../src/index.ts";
import { findCgroupMount } from "../../src/native/host.ts";
import type { TestHost } from "./host.ts";

export type Spec = NonNullable<PodManifest["spec"]>;
export type ContainerInput = Spec["containers"][number];

const controllers = findCgroupMount()?.controllers ?? [];
/** Whether limits on memory, CPU and processes can be set here. */
export const hasControllers = ["cpu", "memory", "pids"].every((name) => controllers.includes(name));
export const noControllers = "needs the cgroup v2 controllers cpu, memory and pids";

/** A container, named `main` unless said otherwise, that runs the probe with these words. */
export function probe(
  host: Pick<TestHost, "rootfs">,
  words: readonly string[],
  more: Partial<ContainerInput> = {},
): ContainerInput {
  const command = ["/probe", ...words];
  return { name: "main", image: `rootfs:${host.rootfs}`, command, ...more };
}

let pods = 0;

/** A manifest with a name of its own. */
export function podOf(containers: readonly ContainerInput[], spec: Partial<Spec> = {}) {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: `pod-${pods++}` },
    spec: {
      restartPolicy: "Never",
      terminationGracePeriodSeconds: 0,
      ...spec,
      containers: [...containers],
    },
  } satisfies PodManifest;
}

export function up(
  host: TestHost,
  containers: readonly ContainerInput[],
  spec: Partial<Spec> = {},
  options: UpOptions = {},
): Promise<Pod> {
  return host.up(podOf(containers, spec), options);
}

/** The PodError that a promise must reject with. */
export async function errorOf(promise: Promise<unknown>): Promise<PodError> {
  const result = await promise.then(
    () => "a success",
    (error: unknown) => error,
  );
  if (result instanceof PodError) return result;
  throw new Error(`expected a PodError, got ${String(result)}`);
}

/** Polls, for what nobody announces; throws when it does not come true. */
export async function until(what: () => boolean | Promise<boolean>, timeoutMs = 4000) {
  const end = performance.now() + timeoutMs;
  while (!(await what())) {
    if (performance.now() > end) throw new Error(`did not come true within ${timeoutMs} ms`);
    await Bun.sleep(5);
  }
}

/** How many this process holds: two looks differ by what leaked. */
export function openDescriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

export const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** Reads until the text is there; the stream can be read on. */
export async function readUntil(stream: ReadableStream<Uint8Array> | undefined, text: string) {
  let seen = "";
  const reader = (stream ?? new ReadableStream<Uint8Array>()).getReader();
  while (!seen.includes(text)) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`the stream ended with ${JSON.stringify(seen.slice(-200))}`);
    seen += textOf(value);
  }
  reader.releaseLock();
  return seen;
}

/** Writes to a stream that stays open. */
export async function writeTo(stream: WritableStream<Uint8Array> | undefined, text: string) {
  const writer = stream?.getWriter();
  await writer?.write(new TextEncoder().encode(text));
  writer?.releaseLock();
}
