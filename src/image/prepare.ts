// The images of a pod, before it starts: pulled as their policy says, found in the store, and kept
// there for as long as the pod lives.

import { join } from "node:path";
import { PodError } from "../errors/pod-error.ts";
import { signalByName } from "../native/signals.ts";
import type { ContainerSpec, PodSpec } from "../spec/pod-spec.ts";
import { isBuiltIn, originOf } from "../spec/pod-spec.ts";
import { layerRoots, readImage, searchRegistries, unpackedLayers } from "./image.ts";
import type { StoredImage } from "./image.ts";
import type { StoredName } from "./names.ts";
import { findName } from "./names.ts";
import type { PullOptions } from "./pull.ts";
import { pullImage } from "./pull.ts";
import type { PreparedImage } from "./ready.ts";
import { readReady, writeReady } from "./ready.ts";
import { pullSecretsOf } from "./pull-secrets.ts";
import { parseReference } from "./reference.ts";
import { ImageStore } from "./store.ts";
import { resolveUser } from "./user.ts";
import { addUse, recordUse } from "./uses.ts";
import type { PreparedVolume } from "./volume-view.ts";
import { prepareVolume } from "./volume-view.ts";

/** By the text of the manifest. Nothing of them is removed until it is disposed of. */
export class PreparedImages extends Map<string, PreparedImage> implements Disposable {
  /** Those of image volumes, by the text of the manifest too. */
  readonly volumes = new Map<string, PreparedVolume>();
  readonly #store: ImageStore;
  readonly #lock: Disposable;

  constructor(store: ImageStore, lock: Disposable) {
    super();
    this.#store = store;
    this.#lock = lock;
  }

  /** From here on they are kept for the pod itself. */
  keepFor(uid: string, stateParent: string): void {
    recordUse(this.#store, uid, stateParent, [...this.values(), ...this.volumes.values()]);
  }

  /** Those of one more container, or of one that starts again; what the pod has it keeps. */
  alsoKeepFor(uid: string, stateParent: string): void {
    addUse(this.#store, uid, stateParent, [...this.values(), ...this.volumes.values()]);
  }

  [Symbol.dispose](): void {
    this.#lock[Symbol.dispose]();
  }
}

export interface PrepareOptions extends Omit<PullOptions, "pullSecrets"> {
  readonly root: string;
  /** False for what is only planned. */
  readonly mayPull: boolean;
  readonly warn: (message: string) => void;
}

/** A container, or a volume that one of them mounts. */
interface Wish {
  readonly image: string;
  readonly policy: ContainerSpec["imagePullPolicy"];
  readonly subject: string;
  readonly field: string;
  readonly isVolume: boolean;
}

/** Of all containers of a pod, or of as many as are to start now. */
export async function prepareImages(
  spec: PodSpec,
  containers: readonly ContainerSpec[],
  options: PrepareOptions,
): Promise<PreparedImages> {
  const store = new ImageStore(options.root);
  const wanted = { ...options, pullSecrets: pullSecretsOf(spec, options.warn) };
  // Before anything is looked up: what is found is still there when it is used.
  const images = new PreparedImages(store, await store.share(options.signal));
  const brought = new Map<string, Brought>();
  try {
    for (const wish of wishesOf(spec, containers)) {
      try {
        const found = brought.get(wish.image) ?? (await bring(store, wish, wanted));
        brought.set(wish.image, found);
        describeInto(images, store, wish, found, options.warn);
      } catch (error) {
        throw at(spec, wish, error);
      }
    }
    return images;
  } catch (error) {
    images[Symbol.dispose]();
    throw error;
  }
}

/** An image whose layers are all there. */
interface Brought {
  readonly name: StoredName;
  /** Undefined until it is looked up for the first time. */
  readonly ready: PreparedImage | undefined;
}

function wishesOf(spec: PodSpec, containers: readonly ContainerSpec[]): Wish[] {
  const mounted = new Set(containers.flatMap((one) => one.volumeMounts.map(({ name }) => name)));
  const volumes = spec.volumes.filter(({ name }) => mounted.has(name));
  return [
    ...containers
      .filter(({ image }) => !isBuiltIn(image))
      .map(({ image, imagePullPolicy, name, field }) => ({
        ...{ image, policy: imagePullPolicy, isVolume: false },
        ...{ subject: `container ${name}`, field: `${field}.image` },
      })),
    ...volumes.flatMap((volume) => {
      if (volume.kind !== "image") return [];
      const { reference, pullPolicy, name, field } = volume;
      return [
        {
          ...{ image: reference, policy: pullPolicy, isVolume: true },
          ...{ subject: `volume ${name}`, field: `${field}.image.reference` },
        },
      ];
    }),
  ];
}

function describeInto(
  images: PreparedImages,
  store: ImageStore,
  { image: text, isVolume }: Wish,
  { name, ready }: Brought,
  warn: (message: string) => void,
): void {
  const read = () => inspect(text, () => readImage(store, name));
  if (isVolume) {
    const layers = ready?.layers ?? unpackedLayers(store, read(), text);
    images.volumes.set(text, prepareVolume(name.config, layers, text));
    return;
  }
  const image = ready ?? describe(store, read(), text, warn);
  if (!ready) writeReady(store, image);
  images.set(text, image);
}

function at(spec: PodSpec, { field }: Wish, error: unknown): unknown {
  if (!(error instanceof PodError) || error.origin) return error;
  const { code, message, step, hint } = error;
  return new PodError({
    ...{ code, message },
    ...(step !== undefined && { step }),
    ...(hint !== undefined && { hint }),
    origin: originOf(spec, field),
  });
}

/** As the kubelet, but for one case: an image that is there outlives a registry that is not. */
async function bring(
  store: ImageStore,
  wish: Wish,
  options: PrepareOptions & PullOptions,
): Promise<Brought> {
  const { image } = wish;
  const found = findWhole(store, image, options);
  const policy = wish.policy ?? defaultPolicy(image, found);
  if (policy === "IfNotPresent" && found) return found;
  if (policy === "Never" || !options.mayPull) {
    if (found) return found;
    throw new PodError({
      code: "image.never-pulled",
      message: `the image ${JSON.stringify(image)} of ${wish.subject} is not stored`,
      ...(policy !== "Never" && { hint: `bring it first: peapod pull ${image}` }),
    });
  }
  try {
    const { name } = await pullImage(store, image, options);
    return { name, ready: readReady(store, name.config) };
  } catch (error) {
    options.signal?.throwIfAborted();
    const isWritten = wish.policy !== undefined;
    if (!found || isWritten || !(error instanceof PodError)) throw error;
    options.warn(`${image} is used as it is stored: ${error.message}`);
    return found;
  }
}

function findWhole(store: ImageStore, text: string, options: PrepareOptions): Brought | undefined {
  const name = findName(store, text, searchRegistries(options));
  if (name === undefined) return undefined;
  const ready = readReady(store, name.config);
  if (ready !== undefined) return { name, ready };
  const image = inspect(text, () => readImage(store, name));
  return layerRoots(store, image) === undefined ? undefined : { name, ready };
}

/** What is stored and cannot be read is another thing than what cannot be had. */
function inspect<T>(text: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof PodError)) throw error;
    throw new PodError({
      code: "image.damaged",
      message: `the stored image ${JSON.stringify(text)} cannot be used: ${error.message}`,
    });
  }
}

/** An id is what is stored, or nothing. */
function defaultPolicy(text: string, found: Brought | undefined): "Always" | "IfNotPresent" {
  const isId = found !== undefined && /^(sha256:)?[0-9a-f]{4,64}$/.test(text);
  if (isId) return "IfNotPresent";
  const { tag, digest } = parseReference(text);
  return tag === "latest" && digest === "" ? "Always" : "IfNotPresent";
}

function describe(
  store: ImageStore,
  image: StoredImage,
  subject: string,
  warn: (message: string) => void,
): PreparedImage {
  const layers = unpackedLayers(store, image, subject);
  const run = image.config.config ?? {};
  const { home, ...user } = resolveUser(run.User ?? "", layers, subject);
  return {
    id: image.name.config,
    layers,
    entrypoint: run.Entrypoint ?? [],
    cmd: run.Cmd ?? [],
    env: (run.Env ?? []).filter((entry) => entry.indexOf("=") > 0),
    home,
    workingDir: cleanDirectory(run.WorkingDir ?? ""),
    user,
    userName: /^(|\d+)(:|$)/.test(run.User ?? "") ? "" : (run.User ?? "").replace(/:.*/s, ""),
    stopSignal: signalNumber(run.StopSignal ?? "", subject, warn),
  };
}

function cleanDirectory(text: string): string {
  return join("/", text).replace(/(.)\/$/, "$1");
}

const sigterm = 15;
const signalMax = 64;

/** `SIGQUIT`, `QUIT`, `3`, `SIGRTMIN+3`. */
export function signalNumber(
  text: string,
  subject: string,
  warn: (message: string) => void,
): number {
  if (text === "") return sigterm;
  const name = text.toUpperCase().replace(/^(?!SIG|\d)/, "SIG");
  const number = signalByName(name) ?? (/^\d+$/.test(name) ? Number(name) : 0);
  if (number >= 1 && number <= signalMax) return number;
  warn(`the stop signal ${JSON.stringify(text)} of ${subject} is not known; SIGTERM is sent`);
  return sigterm;
}
