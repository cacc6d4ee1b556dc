// The names of images, read as Docker and containerd read them (distribution/reference).

import { PodError } from "../errors/pod-error.ts";

export interface ImageReference {
  /** Host and port: `docker.io`, `127.0.0.1:5000`. */
  readonly registry: string;
  /** `library/nginx`. */
  readonly repository: string;
  /** Empty when only a digest is given. */
  readonly tag: string;
  /** `sha256:…`; empty without one. It wins over the tag, which is then a remark. */
  readonly digest: string;
}

export const defaultRegistry = "docker.io";
const nameLengthMax = 255;
const component = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const domain =
  /^(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?$/;
const tagPattern = /^\w[\w.-]{0,127}$/;
const digestPattern = /^sha256:[0-9a-f]{64}$/;

export function isDigest(text: string): boolean {
  return digestPattern.test(text);
}

/** A name without a registry belongs to `registry`. */
export function parseReference(text: string, registry = defaultRegistry): ImageReference {
  const at = text.indexOf("@");
  const digest = at < 0 ? "" : text.slice(at + 1);
  if (at >= 0 && !isDigest(digest)) {
    throw invalid(text, "the digest is not sha256: and 64 lower-case hexadecimal digits");
  }
  const named = at < 0 ? text : text.slice(0, at);
  const colon = named.indexOf(":", named.lastIndexOf("/") + 1);
  const tag = colon < 0 ? "" : named.slice(colon + 1);
  if (colon >= 0 && !tagPattern.test(tag)) throw invalid(text, `the tag ${show(tag)} is not one`);
  const name = colon < 0 ? named : named.slice(0, colon);
  const slash = name.indexOf("/");
  const first = slash < 0 ? "" : name.slice(0, slash);
  const isHost = isRegistry(first);
  const path = isHost ? name.slice(slash + 1) : name;
  checkName(text, isHost ? first : registry, path);
  const host = canonicalRegistry(isHost ? first : registry);
  const isOfficial = host === defaultRegistry && !path.includes("/");
  return {
    registry: host,
    repository: isOfficial ? `library/${path}` : path,
    tag: tag === "" && digest === "" ? "latest" : tag,
    digest,
  };
}

/** True for `nginx:1.27` and `team/app`, which name no registry. */
export function isShortName(text: string): boolean {
  const slash = text.indexOf("/");
  return slash < 0 || !isRegistry(text.slice(0, slash));
}

/** The whole name, as it is stored: `docker.io/library/nginx:1.27`. */
export function printReference(reference: ImageReference): string {
  const { registry, repository, tag, digest } = reference;
  return `${registry}/${repository}${tag && `:${tag}`}${digest && `@${digest}`}`;
}

/** As short as it can be typed: `nginx:1.27`. */
export function printFamiliar(reference: ImageReference): string {
  const { registry, repository } = reference;
  const full = printReference(reference);
  if (registry !== defaultRegistry) return full;
  const withoutHost = full.slice(registry.length + 1);
  const isOfficial = /^library\/[^/]+$/.test(repository);
  return isOfficial ? withoutHost.slice("library/".length) : withoutHost;
}

/** What the registry is asked for: the digest where there is one. */
export function referenceTarget({ tag, digest }: ImageReference): string {
  return digest || tag;
}

/** As Docker decides it: `a.b/c`, `a:1/c` and `localhost/c` name a registry, `a/c` does not. */
function isRegistry(text: string): boolean {
  return /[.:A-Z]/.test(text) || text === "localhost" || text.startsWith("[");
}

function canonicalRegistry(host: string): string {
  return host === "index.docker.io" || host === "registry-1.docker.io" ? defaultRegistry : host;
}

function checkName(text: string, registry: string, path: string): void {
  if (!domain.test(registry)) throw invalid(text, `the registry ${show(registry)} is not a host`);
  if (/^[0-9a-f]{64}$/.test(path)) throw invalid(text, "64 hexadecimal digits are an id, no name");
  const wrong = path.split("/").find((part) => !component.test(part));
  if (wrong !== undefined) {
    const isUpper = /[A-Z]/.test(wrong);
    const why = isUpper ? "has upper-case letters" : "is not letters and digits, joined by . _ -";
    throw invalid(text, `the part ${show(wrong)} ${why}`);
  }
  if (registry.length + 1 + path.length > nameLengthMax) {
    throw invalid(text, `the name is longer than ${nameLengthMax} characters`);
  }
}

function invalid(text: string, why: string): PodError {
  return new PodError({
    code: "image.invalid-name",
    message: `${show(text)} is not the name of an image: ${why}`,
  });
}

function show(text: string): string {
  return JSON.stringify(text.length > 300 ? `${text.slice(0, 300)}…` : text);
}
