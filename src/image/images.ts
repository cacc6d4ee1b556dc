// What can be done with the images of one store: the module's `peapod.images`, and all that the
// command line uses.

import { statfsSync } from "node:fs";
import { basename, dirname } from "node:path";
import { PodError } from "../errors/pod-error.ts";
import { collect, layerBytes } from "./collect.ts";
import type { CommitOptions } from "./commit.ts";
import { commitLayer } from "./commit.ts";
import type { DiffOptions } from "./diff.ts";
import { diffStacks } from "./diff.ts";
import type { StoredImage } from "./image.ts";
import { layerRoots, mustFind, readImage, searchRegistries, unpackedLayers } from "./image.ts";
import { findLayer } from "./layers.ts";
import { loadImages } from "./load.ts";
import { parsePlatform } from "./manifest.ts";
import { Stack } from "./merged.ts";
import type { StoredName } from "./names.ts";
import { findName, readNames, writeName } from "./names.ts";
import { pullImage } from "./pull.ts";
import { pushImage } from "./push.ts";
import { readReady } from "./ready.ts";
import { parseReference, printFamiliar, printReference } from "./reference.ts";
import { saveArchive, saveLayout } from "./save.ts";
import { hexOf, ImageStore } from "./store.ts";
import type {
  Collected,
  FileChange,
  ImageDetails,
  ImageLayer,
  ImageStoreApi,
  ImageSummary,
  PullImageOptions,
  PullProgress,
} from "./types.ts";
import { readUses } from "./uses.ts";

export interface UpperDiff extends DiffOptions {
  /** Of the pod's user namespace; 0 without one. */
  readonly firstId: number;
}

export interface ImagesOptions {
  readonly registries?: readonly string[];
  readonly hostsDirectories?: readonly string[];
}

/** All that is known of it without the image's documents. */
function namelessLayer(path: string): ImageLayer {
  const unknown = { digest: "", mediaType: "", compressedBytes: 0, createdBy: "" };
  const diffId = `sha256:${basename(path).replace(/-chain$/, "")}`;
  return { ...unknown, diffId, bytes: layerBytes(path), path: `${path}/root` };
}

export class Images implements ImageStoreApi {
  readonly store: ImageStore;
  readonly options: ImagesOptions;

  constructor(root: string, options: ImagesOptions = {}) {
    this.store = new ImageStore(root);
    this.options = options;
  }

  async pull(name: string, options: PullImageOptions = {}): Promise<ImageDetails> {
    const { platform, ...others } = options;
    const image = await pullImage(this.store, name, {
      ...this.options,
      ...others,
      ...(platform !== undefined && { platform: parsePlatform(platform) }),
    });
    return this.describe(image);
  }

  /** Each once, however many names it has. */
  async list(): Promise<ImageSummary[]> {
    using _ = await this.store.share();
    const names = readNames(this.store);
    const first = new Map(names.map((name) => [name.config, name]));
    return [...first.values()].flatMap((name) => {
      try {
        return [this.#summarize(readImage(this.store, name), names)];
      } catch (error) {
        // A damaged image must not hide the others; asked for by name it says what is wrong.
        if (error instanceof PodError) return [];
        throw error;
      }
    });
  }

  async get(name: string): Promise<ImageDetails> {
    using _ = await this.store.share();
    return this.describe(this.read(name));
  }

  /** What is different in `other`; without one, what the image's topmost layer has changed. */
  async diff(name: string, other?: string): Promise<FileChange[]> {
    using _ = await this.store.share();
    const own = unpackedLayers(this.store, this.read(name), name);
    const after = other === undefined ? own : unpackedLayers(this.store, this.read(other), other);
    using old = Stack.open(other === undefined ? own.slice(1) : own);
    using stack = Stack.open(after);
    return [...diffStacks(old.directories, stack.directories)];
  }

  /** Of a pod that lives, whose image may have lost its name. */
  async used(id: string): Promise<Pick<ImageDetails, "names" | "layers">> {
    using _ = await this.store.share();
    const named = findName(this.store, id, []);
    if (named !== undefined) return this.describe(readImage(this.store, named));
    const layers = readReady(this.store, id)?.layers.toReversed() ?? [];
    return { names: [], layers: layers.map((path) => namelessLayer(dirname(path))) };
  }

  /** What a container has changed of its image. */
  async diffUpper(image: string, upper: string, options: UpperDiff): Promise<FileChange[]> {
    using _ = await this.store.share();
    const ready = readReady(this.store, image);
    const layers = ready?.layers ?? unpackedLayers(this.store, this.read(image), image);
    using below = Stack.open(layers);
    using top = Stack.open([upper], BigInt(options.firstId));
    const after = [...top.directories, ...below.directories];
    return [...diffStacks(below.directories, after, options)];
  }

  /** One more name for an image. */
  async tag(source: string, target: string): Promise<string> {
    using _ = await this.store.share();
    const reference = parseReference(target);
    if (reference.digest !== "") {
      throw new PodError({
        code: "image.invalid-name",
        message: `${JSON.stringify(target)} has a digest, which only content can have`,
      });
    }
    const name = printReference(reference);
    writeName(this.store, { ...this.find(source), name, setMs: Date.now() });
    return name;
  }

  /** By an id all names of the image go. Layers that a pod uses stay until it has ended. */
  async remove(
    names: readonly string[],
    options: { readonly force?: boolean; readonly signal?: AbortSignal } = {},
  ): Promise<Collected> {
    using _ = await this.store.own(options.signal);
    const drop = names.flatMap((text) => this.#named(text));
    const isLast = ({ config }: StoredName) =>
      readNames(this.store).every(
        (other) => other.config !== config || drop.some(({ name }) => name === other.name),
      );
    for (const name of drop.filter(isLast)) {
      const user = readUses(this.store).find(({ images }) => images.includes(name.config));
      if (!user || options.force) continue;
      throw new PodError({
        code: "image.in-use",
        message: `${printFamiliar(parseReference(name.name))} is used by the pod ${user.uid}`,
      });
    }
    return collect(this.store, drop);
  }

  /** What nothing leads to; with `all` also images that no pod uses and that are old enough. */
  async prune(
    options: {
      readonly all?: boolean;
      readonly olderThanMs?: number;
      readonly signal?: AbortSignal;
    } = {},
  ): Promise<Collected> {
    using _ = await this.store.own(options.signal);
    const used = new Set(readUses(this.store).flatMap(({ images }) => images));
    const isOld = ({ setMs }: StoredName) => Date.now() - setMs >= (options.olderThanMs ?? 0);
    const drop = options.all
      ? readNames(this.store).filter((name) => !used.has(name.config) && isOld(name))
      : [];
    return collect(this.store, drop);
  }

  /** From a layout, the path of an archive, or its bytes. The names that came. */
  async load(
    source: string | ReadableStream<Uint8Array>,
    options: { readonly name?: string; readonly signal?: AbortSignal } = {},
  ): Promise<string[]> {
    return (await loadImages(this.store, source, options)).map(({ name }) => name);
  }

  /** As one archive for OCI tools and Docker alike, or as a layout in a new directory. */
  async save(
    names: readonly string[],
    target:
      { readonly directory: string } | { readonly write: (bytes: Uint8Array) => Promise<void> },
  ): Promise<void> {
    using _ = await this.store.share();
    const images = names.map((name) => this.read(name));
    if ("directory" in target) await saveLayout(this.store, images, target.directory);
    else await saveArchive(this.store, images, target.write);
  }

  /** To the registry that `target` names, by default the image's own. Its digest there. */
  async push(
    name: string,
    target: string = name,
    options: {
      readonly onProgress?: (progress: PullProgress) => void;
      readonly signal?: AbortSignal;
    } = {},
  ): Promise<string> {
    using _ = await this.store.share(options.signal);
    const image = this.read(name);
    const reference = parseReference(target === name ? image.name.name : target);
    return await pushImage(this.store, image, reference, { ...this.options, ...options });
  }

  /** One more layer on an image: what a container wrote. The name that it has. */
  async commit(base: string, options: CommitOptions): Promise<string> {
    using _ = await this.store.share();
    return (await commitLayer(this.store, this.read(base), options)).name;
  }

  /** Of blobs and unpacked layers; of the disk that they are on. */
  async diskUse(): Promise<{
    readonly blobBytes: number;
    readonly layerBytes: number;
    readonly freeBytes: number;
  }> {
    using _ = await this.store.share();
    const sum = (sizes: readonly number[]) => sizes.reduce((total, size) => total + size, 0);
    const { bavail, bsize } = statfsSync(this.store.path);
    const blobs = this.store.names("blobs/sha256");
    return {
      blobBytes: sum(blobs.map((hex) => this.store.blobBytes(hex) ?? 0)),
      layerBytes: sum(
        this.store.names("layers").map((key) => layerBytes(this.store.layerPath(key))),
      ),
      freeBytes: bavail * bsize,
    };
  }

  find(text: string): StoredName {
    return mustFind(this.store, text, searchRegistries(this.options));
  }

  read(text: string): StoredImage {
    return readImage(this.store, this.find(text));
  }

  describe(image: StoredImage): ImageDetails {
    const { config } = image;
    const steps = (config.history ?? []).filter(({ empty_layer }) => !empty_layer);
    return {
      ...this.#summarize(image, readNames(this.store)),
      platform: `${config.os}/${config.architecture}`,
      config,
      layers: image.layers.map((layer, index) => {
        const path = findLayer(this.store, layer);
        return {
          diffId: layer.diffId,
          digest: layer.blob.digest,
          mediaType: layer.blob.mediaType,
          compressedBytes: layer.blob.size,
          bytes: path === undefined ? 0 : layerBytes(path),
          path: path === undefined ? undefined : `${path}/root`,
          createdBy: steps[index]?.created_by ?? "",
        };
      }),
    };
  }

  #summarize(image: StoredImage, names: readonly StoredName[]): ImageSummary {
    const { config, name } = image;
    const own = names.filter((other) => other.config === name.config);
    const roots = layerRoots(this.store, image) ?? [];
    const created = Date.parse(config.created ?? "");
    const digests = own.map((other) => {
      const { registry, repository } = parseReference(other.name);
      return `${registry}/${repository}@${other.target}`;
    });
    const uses = readUses(this.store).filter(({ images }) => images.includes(name.config));
    return {
      id: name.config,
      names: own.map((other) => other.name),
      digests: [...new Set(digests)],
      created: Number.isNaN(created) ? undefined : new Date(created),
      bytes: [...new Set(roots)].reduce((sum, path) => sum + layerBytes(path), 0),
      compressedBytes: image.layers.reduce((sum, { blob }) => sum + blob.size, 0),
      usedBy: uses.map(({ uid }) => uid),
    };
  }

  #named(text: string): StoredName[] {
    const found = this.find(text);
    const isId = /^(sha256:)?[0-9a-f]+$/.test(text) && hexOf(found.config).startsWith(hexOf(text));
    const names = readNames(this.store);
    if (isId) return names.filter(({ config }) => config === found.config);
    return names.filter(({ name }) => name === found.name);
  }
}
