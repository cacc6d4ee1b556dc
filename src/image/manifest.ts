// The documents of an image: index, manifest and configuration, as OCI and Docker write them. They
// come from strangers: every one is checked against its schema before anything looks at it.

import Type from "typebox";
import { Compile } from "typebox/compile";
import type { Static } from "typebox";
import { PodError } from "../errors/pod-error.ts";

export const mediaTypes = {
  ociIndex: "application/vnd.oci.image.index.v1+json",
  ociManifest: "application/vnd.oci.image.manifest.v1+json",
  ociConfig: "application/vnd.oci.image.config.v1+json",
  ociLayer: "application/vnd.oci.image.layer.v1.tar",
  dockerList: "application/vnd.docker.distribution.manifest.list.v2+json",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
} as const;

export const acceptManifests = [
  mediaTypes.ociManifest,
  mediaTypes.ociIndex,
  mediaTypes.dockerManifest,
  mediaTypes.dockerList,
].join(", ");

/** No manifest that a registry has to take is larger (distribution spec). */
export const documentBytesMax = 4 << 20;
/** Docker's own bound is 125, and overlayfs takes 500. */
export const layersMax = 500;

const DigestText = Type.String({ pattern: "^sha256:[0-9a-f]{64}$" });
const Size = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const Platform = Type.Object({
  architecture: Type.String(),
  os: Type.String(),
  variant: Type.Optional(Type.String()),
});
const DescriptorSchema = Type.Object({
  mediaType: Type.String(),
  digest: DigestText,
  size: Size,
  urls: Type.Optional(Type.Array(Type.String())),
  platform: Type.Optional(Platform),
  annotations: Type.Optional(Type.Record(Type.String(), Type.String())),
});
const IndexSchema = Type.Object({
  schemaVersion: Type.Literal(2),
  mediaType: Type.Optional(Type.String()),
  manifests: Type.Array(DescriptorSchema, { maxItems: 10_000 }),
});
const ManifestSchema = Type.Object({
  schemaVersion: Type.Literal(2),
  mediaType: Type.Optional(Type.String()),
  config: DescriptorSchema,
  layers: Type.Array(DescriptorSchema, { maxItems: layersMax }),
});
const TextsOrNull = Type.Union([Type.Array(Type.String()), Type.Null()]);
const SetOrNull = Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.Null()]);
const RunSchema = Type.Object({
  User: Type.Optional(Type.String()),
  Env: Type.Optional(TextsOrNull),
  Entrypoint: Type.Optional(TextsOrNull),
  Cmd: Type.Optional(TextsOrNull),
  WorkingDir: Type.Optional(Type.String()),
  StopSignal: Type.Optional(Type.String()),
  Volumes: Type.Optional(SetOrNull),
  ExposedPorts: Type.Optional(SetOrNull),
  Labels: Type.Optional(Type.Union([Type.Record(Type.String(), Type.String()), Type.Null()])),
});
const HistorySchema = Type.Object({
  created: Type.Optional(Type.String()),
  created_by: Type.Optional(Type.String()),
  comment: Type.Optional(Type.String()),
  empty_layer: Type.Optional(Type.Boolean()),
});
const ConfigSchema = Type.Object({
  architecture: Type.String(),
  os: Type.String(),
  variant: Type.Optional(Type.String()),
  created: Type.Optional(Type.String()),
  config: Type.Optional(Type.Union([RunSchema, Type.Null()])),
  rootfs: Type.Object({
    type: Type.Literal("layers"),
    diff_ids: Type.Array(DigestText, { maxItems: layersMax }),
  }),
  history: Type.Optional(Type.Union([Type.Array(HistorySchema), Type.Null()])),
});

export type Descriptor = Static<typeof DescriptorSchema>;
export type ImageIndex = Static<typeof IndexSchema>;
export type ImageManifest = Static<typeof ManifestSchema>;
export type ImageConfig = Static<typeof ConfigSchema>;

const isIndex = Compile(IndexSchema);
const isManifest = Compile(ManifestSchema);
const isConfig = Compile(ConfigSchema);

export type Document =
  | { readonly kind: "index"; readonly index: ImageIndex }
  | { readonly kind: "manifest"; readonly manifest: ImageManifest };

/** What stands under a tag: the manifest of an image, or a list of them. */
export function parseDocument(bytes: Uint8Array, subject: string): Document {
  const value = parseJson(bytes, subject);
  if (isIndex.Check(value)) return { kind: "index", index: value };
  if (isManifest.Check(value)) return { kind: "manifest", manifest: value };
  const isOld = isRecord(value) && value["schemaVersion"] === 1;
  throw unsupported(
    subject,
    isOld ? "its manifest has schema 1, which carries no digests" : "its manifest is not one",
  );
}

export function parseConfig(bytes: Uint8Array, subject: string): ImageConfig {
  const value = parseJson(bytes, subject);
  if (isConfig.Check(value)) return value;
  const [first] = isConfig.Errors(value);
  const why = first ? `${first.instancePath} ${first.message}` : "";
  throw unsupported(subject, `its configuration is not an image's: ${why}`);
}

export function parseJson(bytes: Uint8Array, subject: string): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw unsupported(subject, "it is not JSON");
  }
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export interface HostPlatform {
  readonly os: string;
  readonly architecture: string;
}

/** As Go names processors. */
export const hostPlatform: HostPlatform = {
  os: "linux",
  architecture: process.arch === "x64" ? "amd64" : process.arch,
};

/** `linux/amd64`, `arm64`. */
export function parsePlatform(text: string): HostPlatform {
  const [os = "", architecture = ""] = text.includes("/") ? text.split("/") : ["linux", text];
  return { os, architecture };
}

/** The first entry for the platform; entries without one are attestations and the like. */
export function selectManifest(
  index: ImageIndex,
  wanted: HostPlatform,
  subject: string,
): Descriptor {
  const isImage = ({ mediaType }: Descriptor) =>
    mediaType === mediaTypes.ociManifest || mediaType === mediaTypes.dockerManifest;
  const images = index.manifests.filter(isImage);
  const match = images.find(
    ({ platform }) => platform?.os === wanted.os && platform.architecture === wanted.architecture,
  );
  if (match) return match;
  const [only, ...others] = images;
  // Layouts of one image leave its platform out; its configuration says it.
  if (only && others.length === 0 && only.platform === undefined) return only;
  const offered = images.map(({ platform }) => printPlatform(platform)).join(", ");
  throw unsupported(
    subject,
    `it has no image for ${wanted.os}/${wanted.architecture}, only ${offered || "none at all"}`,
  );
}

function printPlatform(platform: Descriptor["platform"]): string {
  if (platform === undefined) return "one that it does not name";
  const { os, architecture, variant } = platform;
  return `${os}/${architecture}${variant === undefined ? "" : `/${variant}`}`;
}

export type Compression = "none" | "gzip" | "zstd";

/** By its media type: OCI's with a suffix, Docker's own name for gzip. */
export function compressionOf(layer: Descriptor, subject: string): Compression {
  const { mediaType } = layer;
  if (/^application\/vnd\.docker\.image\.rootfs\.(foreign\.)?diff\.tar(\.gzip)?$/.test(mediaType)) {
    return mediaType.endsWith(".gzip") ? "gzip" : "none";
  }
  const oci = /^application\/vnd\.oci\.image\.layer\.(?:nondistributable\.)?v1\.tar(\+\w+)?$/;
  const suffix = oci.exec(mediaType)?.slice(1)[0] ?? (oci.test(mediaType) ? "" : undefined);
  if (suffix === "") return "none";
  if (suffix === "+gzip") return "gzip";
  if (suffix === "+zstd") return "zstd";
  throw unsupported(subject, `its layer has the media type ${JSON.stringify(mediaType)}`);
}

export function unsupported(subject: string, why: string): PodError {
  return new PodError({
    code: "image.unsupported",
    message: `the image ${subject} cannot be used: ${why}`,
  });
}
