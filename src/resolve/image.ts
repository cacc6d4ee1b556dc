// What a container's image is here: the host itself, a directory, or an image of the store.

import { statSync } from "node:fs";
import { PodError } from "../errors/pod-error.ts";
import type { PreparedImage } from "../image/ready.ts";
import type { PreparedVolume } from "../image/volume-view.ts";
import type { HostPath } from "../spec/paths.ts";
import type { Places } from "../spec/places.ts";
import type { ContainerSpec, PodSpec, VolumeMountSpec } from "../spec/pod-spec.ts";
import { originOf } from "../spec/pod-spec.ts";
import type { ResolvedRoot } from "../spec/resolved.ts";
import { rootUser } from "../spec/resolved.ts";
import { hostImageEnv, resolveHostImage } from "./host-image.ts";

/** By the text of the manifest. */
export interface ImageSource extends ReadonlyMap<string, PreparedImage> {
  readonly volumes: ReadonlyMap<string, PreparedVolume>;
}

export interface ResolvedImage extends Omit<PreparedImage, "layers"> {
  readonly root: ResolvedRoot;
}

const sigterm = 15;
const plain = {
  id: "",
  entrypoint: [],
  cmd: [],
  env: hostImageEnv,
  home: "/root",
  workingDir: "/",
  user: rootUser,
  userName: "",
  stopSignal: sigterm,
} as const;

export function resolveImage(
  spec: PodSpec,
  container: ContainerSpec,
  options: { readonly places: Places; readonly images?: ImageSource | undefined },
): ResolvedImage {
  const { image } = container;
  if (image === "host") return { ...plain, root: resolveHostImage(options.places.root) };
  if (image.startsWith("rootfs:/")) return resolveDirectory(spec, container);
  const prepared = options.images?.get(image);
  if (prepared === undefined) throw new Error(`the image ${image} was not prepared`);
  // Paths are branded; the store's are of the host.
  const layers = prepared.layers as readonly string[] as readonly HostPath[];
  return { ...prepared, root: { layers, binds: [] } };
}

/** The layers that a mount shows; none for what is no image volume. */
export function resolveSources(
  spec: PodSpec,
  { name, field }: Pick<VolumeMountSpec, "name" | "field">,
  subPath: string,
  images: ImageSource | undefined,
): readonly HostPath[] {
  const volume = spec.volumes.find((candidate) => candidate.name === name);
  if (volume?.kind !== "image") return [];
  const prepared = images?.volumes.get(volume.reference);
  if (prepared === undefined) throw new Error(`the image ${volume.reference} was not prepared`);
  try {
    // Paths are branded; the store's are of the host.
    return prepared.view(subPath) as readonly string[] as readonly HostPath[];
  } catch (error) {
    if (!(error instanceof PodError)) throw error;
    const { code, message } = error;
    throw new PodError({ code, message, origin: originOf(spec, `${field}.subPath`) });
  }
}

function resolveDirectory(spec: PodSpec, container: ContainerSpec): ResolvedImage {
  const path = container.image.slice("rootfs:".length);
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat?.isDirectory()) {
    throw new PodError({
      code: "image.unusable",
      message: `${path} is ${stat ? "not a directory" : "missing"}, so it cannot be the root of container ${container.name}`,
      origin: originOf(spec, `${container.field}.image`),
    });
  }
  return { ...plain, root: { layers: [path as HostPath], binds: [] } };
}
