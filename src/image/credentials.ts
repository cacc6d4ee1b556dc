// Who we are to a registry: a pod's pull secrets, then Docker's config.json, its credential
// helpers, and the file of podman and its kin, read as they are. Nothing is written to them.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import Type from "typebox";
import { Compile } from "typebox/compile";
import { PodError } from "../errors/pod-error.ts";
import { defaultRegistry } from "./reference.ts";
import type { PullSecret } from "./types.ts";

export type Credentials =
  | { readonly kind: "basic"; readonly user: string; readonly password: string }
  /** A refresh token for the registry's token server. */
  | { readonly kind: "identity"; readonly token: string };

const Entry = Type.Object({
  auth: Type.Optional(Type.String()),
  username: Type.Optional(Type.String()),
  password: Type.Optional(Type.String()),
  identitytoken: Type.Optional(Type.String()),
});
const Auths = Type.Record(Type.String(), Entry);
const DockerConfig = Type.Object({
  auths: Type.Optional(Auths),
  credHelpers: Type.Optional(Type.Record(Type.String(), Type.String())),
  credsStore: Type.Optional(Type.String()),
});
const HelperAnswer = Type.Object({ Username: Type.String(), Secret: Type.String() });

interface Config {
  readonly path: string;
  readonly auths: Readonly<Record<string, Type.Static<typeof Entry>>>;
  readonly credHelpers: Readonly<Record<string, string>>;
  readonly credsStore: string;
}

const isAuths = Compile(Auths);
const isConfig = Compile(DockerConfig);
const isAnswer = Compile(HelperAnswer);
const helperTimeoutMs = 30_000;

export type Environment = Readonly<Record<string, string | undefined>>;

export interface CredentialSources {
  readonly secrets?: readonly PullSecret[] | undefined;
  readonly env?: Environment;
}

/**
 * Every pull secret that knows the repository, then the first file that does: several secrets may
 * be for one registry, and only it can tell which is meant (kubelet, "BasicDockerKeyring").
 */
export async function* findCredentials(
  registry: string,
  repository: string,
  { secrets = [], env = process.env }: CredentialSources = {},
): AsyncGenerator<Credentials> {
  for (const secret of secrets) {
    const found = lookUp(readSecret(secret), registry, repository);
    if (found !== undefined) yield found;
  }
  const found = await findInFiles(registry, repository, env);
  if (found !== undefined) yield found;
}

function readSecret({ name, type, data }: PullSecret): Pick<Config, "path" | "auths"> {
  const path = `the pull secret ${name}`;
  const value = parseSecretly(new TextDecoder().decode(data), path);
  const auths =
    type === "kubernetes.io/dockercfg" ? value : isConfig.Check(value) ? (value.auths ?? {}) : 0;
  if (!isAuths.Check(auths)) throw unusable(path, `it is not what ${type} holds`);
  return { path, auths };
}

async function findInFiles(
  registry: string,
  repository: string,
  env: Environment,
): Promise<Credentials | undefined> {
  for (const path of configPaths(env)) {
    const config = readConfig(path);
    if (config === undefined) continue;
    const helper = config.credHelpers[registry] ?? config.credHelpers[dockerHubKey(registry)];
    if (helper !== undefined) return askHelper(helper, registry, env);
    const found = lookUp(config, registry, repository);
    if (found !== undefined) return found;
    if (config.credsStore !== "") {
      const answer = await askHelper(config.credsStore, registry, env);
      if (answer !== undefined) return answer;
    }
  }
  return undefined;
}

/** `$REGISTRY_AUTH_FILE` alone where it is set, as podman and skopeo have it. */
function configPaths(env: Environment): string[] {
  const file = env["REGISTRY_AUTH_FILE"];
  if (file) return [file];
  const home = env["HOME"] ?? "";
  const runtime = env["XDG_RUNTIME_DIR"];
  const docker = env["DOCKER_CONFIG"] ?? (home && join(home, ".docker"));
  return [
    ...(docker ? [join(docker, "config.json")] : []),
    ...(runtime ? [join(runtime, "containers/auth.json")] : []),
  ];
}

function readConfig(path: string): Config | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
    if (isMissing) return undefined;
    throw unusable(path, error instanceof Error ? error.message : String(error));
  }
  const value = parseSecretly(text, path);
  if (!isConfig.Check(value)) throw unusable(path, "auths, credHelpers or credsStore are not so");
  const { auths = {}, credHelpers = {}, credsStore = "" } = value;
  return { path, auths, credHelpers, credsStore };
}

function parseSecretly(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's own words would show a piece of what may be a password.
    throw unusable(path, "it is not JSON");
  }
}

/** `host/team/app`, then `host/team`, then `host`: the most particular entry wins. */
function lookUp(
  config: Pick<Config, "path" | "auths">,
  registry: string,
  repository: string,
): Credentials | undefined {
  const parts = repository.split("/");
  const scopes = parts.map((_, index) =>
    [registry, ...parts.slice(0, parts.length - index)].join("/"),
  );
  const keys = [...scopes, registry, dockerHubKey(registry)];
  for (const key of keys) {
    const entries = Object.entries(config.auths);
    const found =
      entries.find(([written]) => keyOf(written) === keyOf(key)) ??
      entries.find(([written]) => fitsPattern(keyOf(written), keyOf(key)));
    const credentials = found && fromEntry(found[1], config.path, registry);
    if (credentials !== undefined) return credentials;
  }
  return undefined;
}

/** `*.example.com/team`, as Kubernetes has it: a star is a part of one label of the host. */
function fitsPattern(written: string, key: string): boolean {
  const slash = written.indexOf("/");
  const host = slash < 0 ? written : written.slice(0, slash);
  if (!host.includes("*")) return false;
  const labels = host.split("*").map((part) => RegExp.escape(part));
  const path = slash < 0 ? "" : written.slice(slash);
  return new RegExp(`^${labels.join("[^./:]*")}${RegExp.escape(path)}$`).test(key);
}

/** Docker keeps its own hub's under an address of its first protocol. */
function dockerHubKey(registry: string): string {
  return registry === defaultRegistry ? "https://index.docker.io/v1/" : registry;
}

function keyOf(written: string): string {
  const bare = written.replace(/^https?:\/\//, "").replace(/\/(v1|v2)?\/?$/, "");
  return bare.replace(/^(index|registry-1)\.docker\.io/, defaultRegistry);
}

function fromEntry(
  entry: Type.Static<typeof Entry>,
  path: string,
  registry: string,
): Credentials | undefined {
  if (entry.identitytoken) return { kind: "identity", token: entry.identitytoken };
  if (entry.username && entry.password) {
    return { kind: "basic", user: entry.username, password: entry.password };
  }
  if (!entry.auth) return undefined;
  const text = Buffer.from(entry.auth, "base64").toString("utf8").replace(/\0+$/, "");
  const colon = text.indexOf(":");
  if (colon < 0) throw unusable(path, `the auth of ${registry} is not the base64 of user:password`);
  return { kind: "basic", user: text.slice(0, colon), password: text.slice(colon + 1) };
}

async function askHelper(
  name: string,
  registry: string,
  env: Environment,
): Promise<Credentials | undefined> {
  const program = `docker-credential-${name}`;
  // A name with a slash would be a path that the configuration's author may not have meant.
  if (!/^[\w.-]+$/.test(name)) throw unusable(program, "the helper's name is not a plain word");
  let output: string;
  try {
    const child = Bun.spawn([program, "get"], {
      stdin: new TextEncoder().encode(dockerHubKey(registry)),
      stdout: "pipe",
      stderr: "ignore",
      env: { ...env },
      timeout: helperTimeoutMs,
    });
    output = await child.stdout.text();
    // Helpers say "credentials not found" with a failure.
    if ((await child.exited) !== 0) return undefined;
  } catch (error) {
    throw unusable(program, error instanceof Error ? error.message : String(error));
  }
  const answer = parseAnswer(output);
  if (answer === undefined) throw unusable(program, "its answer is not JSON with a Username");
  return answer.Username === "<token>"
    ? { kind: "identity", token: answer.Secret }
    : { kind: "basic", user: answer.Username, password: answer.Secret };
}

function parseAnswer(text: string): Type.Static<typeof HelperAnswer> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isAnswer.Check(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function unusable(subject: string, why: string): PodError {
  return new PodError({
    code: "image.configuration",
    message: `the credentials of ${subject} cannot be used: ${why}`,
  });
}
