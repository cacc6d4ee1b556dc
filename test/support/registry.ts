// A real registry server on loopback, and images made by the tools of others.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TokenServer } from "./token-server.ts";
import { startTokenServer } from "./token-server.ts";

const tools = ["docker-registry", "skopeo", "umoci", "openssl", "tar"];

/** Why no image tests can run here; `undefined` where they can. */
export const imageToolsMissing: string | undefined =
  process.getuid?.() !== 0
    ? "needs root"
    : (() => {
        const missing = tools.filter((tool) => Bun.which(tool) === null);
        return missing.length > 0 ? `needs ${missing.join(", ")} (npm run test:setup)` : undefined;
      })();

export interface RegistryOptions {
  readonly user?: { readonly name: string; readonly password: string };
  readonly tls?: boolean;
  /** `user` is known to a token server instead of to the registry itself. */
  readonly token?: boolean;
  /** Where it keeps things; its own folder when left out. */
  readonly storage?: string;
}

export class TestRegistry implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "peapod-registry-"));
  readonly port: number;
  readonly #options: RegistryOptions;
  #child: ReturnType<typeof Bun.spawn> | undefined;
  /** Of a registry with `token`. */
  tokens: TokenServer | undefined;

  private constructor(port: number, options: RegistryOptions) {
    this.port = port;
    this.#options = options;
  }

  static async start(options: RegistryOptions = {}): Promise<TestRegistry> {
    const registry = new TestRegistry(await freePort(), options);
    await registry.#configure();
    await registry.resume();
    return registry;
  }

  get host(): string {
    return `127.0.0.1:${this.port}`;
  }

  get url(): string {
    return `${this.#options.tls ? "https" : "http"}://${this.host}`;
  }

  get certificate(): string {
    return join(this.folder, "cert.pem");
  }

  async #configure(): Promise<void> {
    const { user, tls, token } = this.#options;
    const storage = this.#options.storage ?? join(this.folder, "storage");
    mkdirSync(storage, { recursive: true });
    if (tls || token) makeCertificate(this.folder);
    if (user) {
      const hash = await Bun.password.hash(user.password, { algorithm: "bcrypt", cost: 4 });
      writeFileSync(join(this.folder, "htpasswd"), `${user.name}:${hash}\n`);
    }
    const certificate = { certificate: this.certificate, key: join(this.folder, "key.pem") };
    if (token && user) {
      this.tokens = startTokenServer(join(this.folder, "key.pem"), this.certificate, user);
    }
    const auth = this.tokens?.auth ?? {
      htpasswd: { realm: "test", path: join(this.folder, "htpasswd") },
    };
    const configuration = {
      version: "0.1",
      log: { level: "error", accesslog: { disabled: true } },
      storage: { filesystem: { rootdirectory: storage }, delete: { enabled: true } },
      http: { addr: this.host, secret: "test", ...(tls && { tls: certificate }) },
      ...(user && { auth }),
    };
    // Every JSON document is a YAML document.
    writeFileSync(join(this.folder, "config.yml"), JSON.stringify(configuration));
  }

  async resume(): Promise<void> {
    this.#child = Bun.spawn(["docker-registry", "serve", join(this.folder, "config.yml")], {
      stdio: ["ignore", "ignore", "ignore"],
    });
    const end = performance.now() + 10_000;
    while (performance.now() < end) {
      const tls = { rejectUnauthorized: false };
      const answer = await fetch(`${this.url}/v2/`, { tls }).catch(() => undefined);
      if (answer) return;
      await Bun.sleep(20);
    }
    throw new Error("the registry does not answer");
  }

  async kill(): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.#child?.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.tokens?.[Symbol.dispose]();
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function makeCertificate(folder: string): void {
  run([
    ...["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"],
    ...["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],
    ...["-keyout", join(folder, "key.pem"), "-out", join(folder, "cert.pem")],
  ]);
}

export async function freePort(): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  const server = createServer().listen(0, "127.0.0.1", () => {
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    server.close(() => resolve(port));
  });
  return await promise;
}

/** Its output; throws with what it said when it fails. */
export function run(words: readonly string[], cwd?: string): string {
  const options = { ...(cwd !== undefined && { cwd }), env: { ...process.env } };
  const { exitCode, stdout, stderr } = Bun.spawnSync([...words], options);
  if (exitCode === 0) return stdout.toString();
  throw new Error(`${words.join(" ")}: ${stderr.toString()}${stdout.toString()}`);
}

/** An OCI layout by umoci: one layer for each directory, in order. */
export function makeLayout(
  layout: string,
  tag: string,
  archives: readonly string[],
  settings: readonly string[] = [],
): string {
  const image = `${layout}:${tag}`;
  if (!Bun.file(join(layout, "oci-layout")).size) run(["umoci", "init", "--layout", layout]);
  run(["umoci", "new", "--image", image]);
  for (const archive of archives) run(["umoci", "raw", "add-layer", "--image", image, archive]);
  if (settings.length > 0) run(["umoci", "config", "--image", image, ...settings]);
  return image;
}

/** To a registry, without TLS or with a certificate that nobody checks. */
export function pushLayout(image: string, target: string, ...flags: readonly string[]): void {
  run([
    ...["skopeo", "copy", "--dest-tls-verify=false", ...flags],
    ...[`oci:${image}`, `docker://${target}`],
  ]);
}
