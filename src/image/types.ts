// The public shapes of images: what services and the command line see. No behaviour belongs here,
// and nothing that their compiler would have to load.

export interface PullProgress {
  /** Of the layer's blob. */
  readonly digest: string;
  readonly state: "waiting" | "downloading" | "unpacking" | "uploading" | "done";
  readonly bytes: number;
  readonly bytesTotal: number;
}

/** As the builder wrote it (OCI image specification, "Image Configuration"). */
export interface ImageConfig {
  readonly architecture: string;
  readonly os: string;
  readonly variant?: string;
  readonly created?: string;
  readonly config?: ImageRunConfig | null;
  readonly rootfs: { readonly type: "layers"; readonly diff_ids: readonly string[] };
  readonly history?:
    | readonly {
        readonly created?: string;
        readonly created_by?: string;
        readonly comment?: string;
        readonly empty_layer?: boolean;
      }[]
    | null;
}

export interface ImageRunConfig {
  readonly User?: string;
  readonly Env?: readonly string[] | null;
  readonly Entrypoint?: readonly string[] | null;
  readonly Cmd?: readonly string[] | null;
  readonly WorkingDir?: string;
  readonly StopSignal?: string;
  readonly Volumes?: Readonly<Record<string, unknown>> | null;
  readonly ExposedPorts?: Readonly<Record<string, unknown>> | null;
  readonly Labels?: Readonly<Record<string, string>> | null;
}

export interface ImageSummary {
  /** Digest of the configuration, as in Docker and the CRI. */
  readonly id: string;
  /** `docker.io/library/nginx:1.27`, one or several. */
  readonly names: readonly string[];
  /** `docker.io/library/nginx@sha256:…`: what the registry calls it. */
  readonly digests: readonly string[];
  readonly created: Date | undefined;
  /** Unpacked, each layer once. */
  readonly bytes: number;
  /** As it is pulled. */
  readonly compressedBytes: number;
  /** Pods that run it, by uid. */
  readonly usedBy: readonly string[];
}

export interface ImageLayer {
  readonly diffId: string;
  readonly digest: string;
  readonly mediaType: string;
  readonly compressedBytes: number;
  readonly bytes: number;
  /** Its files on this host; undefined where they are not unpacked. */
  readonly path: string | undefined;
  /** What made it, as the builder wrote it. */
  readonly createdBy: string;
}

export interface ImageDetails extends ImageSummary {
  readonly platform: string;
  readonly config: ImageConfig;
  /** The lowest first. */
  readonly layers: readonly ImageLayer[];
}

/** What was removed. */
export interface Collected {
  readonly names: readonly string[];
  readonly layers: number;
  readonly blobs: number;
  /** Of blobs and of archives that were unpacked: what the disk gets back, but for directories. */
  readonly bytes: number;
}

/** One of a pod's `imagePullSecrets`. Its credentials go to the registries that it names. */
export interface PullSecret {
  /** For errors: `default/regcred`. */
  readonly name: string;
  readonly type: "kubernetes.io/dockerconfigjson" | "kubernetes.io/dockercfg";
  /** What `.dockerconfigjson` or `.dockercfg` holds, no longer in base64. */
  readonly data: Uint8Array;
}

/** A file that differs. Of a directory that is gone it is one, of a new one also all in it. */
export interface FileChange {
  readonly change: "added" | "changed" | "deleted";
  /** Absolute. */
  readonly path: string;
  readonly type: "file" | "directory" | "link" | "special";
  /** Of a file's content, as it is now; of a deleted one, as it was. */
  readonly bytes: number;
}

export interface PullImageOptions {
  readonly onProgress?: (progress: PullProgress) => void;
  readonly signal?: AbortSignal;
  /** `linux/arm64`; default: this host's. */
  readonly platform?: string;
  /** Tried in this order, before the files of whoever runs peapod. */
  readonly pullSecrets?: readonly PullSecret[];
}

export interface CommitImageOptions {
  /** Default: the first. */
  readonly container?: string;
  readonly comment?: string;
}

/** The images of one `--root`. */
export interface ImageStoreApi {
  /** What is there already is not fetched again. */
  pull(name: string, options?: PullImageOptions): Promise<ImageDetails>;
  /** To the registry that `target` names, by default the image's own. Its digest there. */
  push(
    name: string,
    target?: string,
    options?: {
      readonly onProgress?: (progress: PullProgress) => void;
      readonly signal?: AbortSignal;
    },
  ): Promise<string>;
  /** Each once, however many names it has. */
  list(): Promise<readonly ImageSummary[]>;
  /** By name, or by an id or its beginning. */
  get(name: string): Promise<ImageDetails>;
  /** What is different in `other`; without one, what the image's topmost layer has changed. */
  diff(name: string, other?: string): Promise<readonly FileChange[]>;
  /** One more name for an image. */
  tag(source: string, target: string): Promise<string>;
  /** By an id all names of the image go. Layers that a pod uses stay until it has ended. */
  remove(
    names: readonly string[],
    options?: { readonly force?: boolean; readonly signal?: AbortSignal },
  ): Promise<Collected>;
  /** What nothing leads to; with `all` also images that no pod uses and that are old enough. */
  prune(options?: {
    readonly all?: boolean;
    readonly olderThanMs?: number;
    readonly signal?: AbortSignal;
  }): Promise<Collected>;
  /** From a layout, the path of an archive, or its bytes. The names that came. */
  load(
    source: string | ReadableStream<Uint8Array>,
    options?: { readonly name?: string; readonly signal?: AbortSignal },
  ): Promise<readonly string[]>;
  /** As one archive for OCI tools and Docker alike, or as a layout in a new directory. */
  save(
    names: readonly string[],
    target:
      { readonly directory: string } | { readonly write: (bytes: Uint8Array) => Promise<void> },
  ): Promise<void>;
  /** Of blobs and unpacked layers; of the disk that they are on. */
  diskUse(): Promise<{
    readonly blobBytes: number;
    readonly layerBytes: number;
    readonly freeBytes: number;
  }>;
}
