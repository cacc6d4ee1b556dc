// Where a registry's images really come from: hosts.toml in containerd's layout, read as it is
// (containerd, docs/hosts.md).

import { existsSync, readFileSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import Type from "typebox";
import { Compile } from "typebox/compile";
import { PodError } from "../errors/pod-error.ts";
import { defaultRegistry } from "./reference.ts";

export interface Endpoint {
  /** `https://mirror.example:5000/v2`, without a slash at the end. */
  readonly url: string;
  /** Who is asked for: mirrors of other registries are told with `?ns=`. */
  readonly registry: string;
  readonly isMirror: boolean;
  readonly canPull: boolean;
  readonly canResolve: boolean;
  readonly canPush: boolean;
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: {
    readonly ca?: readonly string[];
    readonly cert?: string;
    readonly key?: string;
    readonly rejectUnauthorized: boolean;
  };
}

const Texts = Type.Union([Type.String(), Type.Array(Type.String())]);
const hostFields = {
  capabilities: Type.Optional(Type.Array(Type.String())),
  ca: Type.Optional(Texts),
  client: Type.Optional(
    Type.Union([Type.String(), Type.Array(Type.Union([Type.String(), Type.Array(Type.String())]))]),
  ),
  skip_verify: Type.Optional(Type.Boolean()),
  override_path: Type.Optional(Type.Boolean()),
  header: Type.Optional(Type.Record(Type.String(), Texts)),
};
const HostEntry = Type.Object(hostFields);
const HostsFile = Type.Object({
  ...hostFields,
  server: Type.Optional(Type.String()),
  host: Type.Optional(Type.Record(Type.String(), HostEntry)),
});
const isHostsFile = Compile(HostsFile);

export const hostsDirectories = [
  "/etc/peapod/certs.d",
  "/etc/containerd/certs.d",
  "/etc/docker/certs.d",
];

/** In the order they are tried: mirrors as written, then the registry itself. */
export function findEndpoints(
  registry: string,
  directories: readonly string[] = hostsDirectories,
): Endpoint[] {
  const names = [registry, registry.replace(":", "_"), `${registry.replace(":", "_")}_`];
  for (const directory of directories) {
    for (const name of [...names, "_default"]) {
      const path = join(directory, name, "hosts.toml");
      if (existsSync(path)) return readHostsFile(path, registry);
    }
  }
  return [endpoint(registry, ownUrl(registry), {}, "/", false)];
}

function readHostsFile(path: string, registry: string): Endpoint[] {
  let value: unknown;
  try {
    value = Bun.TOML.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw unusable(path, error instanceof Error ? error.message : String(error));
  }
  if (!isHostsFile.Check(value)) {
    const [first] = isHostsFile.Errors(value);
    throw unusable(path, first ? `${first.instancePath} ${first.message}` : "not a hosts file");
  }
  const { server, host = {}, ...own } = value;
  const base = dirname(path);
  const hosts = Object.entries(host);
  const address = server === undefined ? ownUrl(registry) : withScheme(server);
  const mirrors = hosts.map(([url, entry]) =>
    endpoint(registry, withScheme(url), entry, base, true),
  );
  const isListed = mirrors.some(({ url }) => url === apiUrl(address, own.override_path ?? false));
  return isListed ? mirrors : [...mirrors, endpoint(registry, address, own, base, false)];
}

function endpoint(
  registry: string,
  address: string,
  entry: Type.Static<typeof HostEntry>,
  base: string,
  isMirror: boolean,
): Endpoint {
  const { capabilities = ["pull", "resolve", "push"], header = {} } = entry;
  const read = (file: string) => readFileSync(isAbsolute(file) ? file : join(base, file), "utf8");
  const ca = entry.ca === undefined ? [] : [entry.ca].flat();
  // `client = "both.pem"`, `["both.pem"]` or `[["cert.pem", "key.pem"]]`; the first is taken.
  const [pair = []] = [entry.client ?? []].flat();
  const [cert, key = cert] = [pair].flat();
  return {
    url: apiUrl(address, entry.override_path ?? false),
    registry,
    isMirror,
    canPull: capabilities.includes("pull"),
    canResolve: capabilities.includes("resolve"),
    canPush: capabilities.includes("push"),
    headers: Object.fromEntries(
      Object.entries(header).map(([name, text]) => [name, [text].flat().join(", ")]),
    ),
    tls: {
      ...(ca.length > 0 && { ca: ca.map(read) }),
      ...(cert !== undefined && key !== undefined && { cert: read(cert), key: read(key) }),
      rejectUnauthorized: !(entry.skip_verify ?? false),
    },
  };
}

/** As fetch takes it. */
export function tlsOf({ tls: { ca, cert, key, rejectUnauthorized } }: Endpoint) {
  return {
    rejectUnauthorized,
    ...(ca !== undefined && { ca: [...ca] }),
    ...(cert !== undefined && key !== undefined && { cert, key }),
  };
}

function apiUrl(address: string, isWhole: boolean): string {
  const bare = address.replace(/\/+$/, "");
  return isWhole || bare.endsWith("/v2") ? bare : `${bare}/v2`;
}

function ownUrl(registry: string): string {
  return registry === defaultRegistry ? "https://registry-1.docker.io" : withScheme(registry);
}

/** As Docker and containerd: what runs on this machine may do without TLS. */
function withScheme(address: string): string {
  if (/^https?:\/\//.test(address)) return address;
  return `${isLoopback(address) ? "http" : "https"}://${address}`;
}

function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/.test(host);
}

function unusable(path: string, why: string): PodError {
  return new PodError({
    code: "image.configuration",
    message: `${path} cannot be used: ${why}`,
  });
}
