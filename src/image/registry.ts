// Talking to one registry endpoint by the distribution spec: authentication, redirects, retries.
// What the answers mean is the callers' business.

import { PodError } from "../errors/pod-error.ts";
import type { Credentials } from "./credentials.ts";
import { findCredentials } from "./credentials.ts";
import type { Endpoint } from "./hosts.ts";
import { tlsOf } from "./hosts.ts";
import { documentBytesMax } from "./manifest.ts";
import { defaultRegistry } from "./reference.ts";
import { answerChallenge } from "./registry-auth.ts";
import type { PullSecret } from "./types.ts";

export interface RegistryRequest {
  readonly method?: "GET" | "HEAD" | "POST" | "PUT" | "PATCH";
  /** Below `/v2/`, or a whole address that the registry gave. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Made anew for each attempt: a stream is used up by the first. */
  readonly body?: () => Blob;
  readonly signal?: AbortSignal | undefined;
}

const attemptsMax = 5;
const firstPauseMs = 200;
const pauseMaxMs = 20_000;
const redirectsMax = 5;
/** Until the head of an answer is there; a body has its own watch. */
const answerTimeoutMs = 60_000;

export class Registry {
  readonly endpoint: Endpoint;
  readonly #repository: string;
  readonly #scope: string;
  readonly #secrets: readonly PullSecret[];
  #authorization: string | undefined;
  /** Those that the registry took: a token may have to be fetched again. */
  #accepted: { readonly credentials: Credentials | undefined } | undefined;

  constructor(
    endpoint: Endpoint,
    repository: string,
    options: {
      readonly actions?: "pull" | "pull,push";
      readonly pullSecrets?: readonly PullSecret[] | undefined;
    } = {},
  ) {
    const { actions = "pull", pullSecrets = [] } = options;
    this.endpoint = endpoint;
    this.#repository = repository;
    this.#scope = `repository:${repository}:${actions}`;
    this.#secrets = pullSecrets;
  }

  /** Any answer but those that more patience may better: they are asked for again. */
  async request(request: RegistryRequest): Promise<Response> {
    for (let attempt = 1; ; attempt += 1) {
      let failure: PodError;
      let pauseMs = firstPauseMs * 2 ** (attempt - 1) * (0.5 + Math.random());
      try {
        const answer = await this.#authorized(request);
        if (answer.status !== 429 && answer.status < 500) return answer;
        const after = Number(answer.headers.get("retry-after") ?? 0) * 1000;
        pauseMs = Math.min(Math.max(pauseMs, after), pauseMaxMs);
        failure = await this.explain(answer, request.path);
      } catch (error) {
        request.signal?.throwIfAborted();
        if (error instanceof PodError) throw error;
        failure = this.unreachable(error);
        // Who a server is does not change by asking again.
        if (isCertificateError(error)) throw failure;
      }
      if (attempt === attemptsMax) throw failure;
      await pause(pauseMs, request.signal);
    }
  }

  /** A document, never longer than documents are. */
  async read(answer: Response): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    let bytes = 0;
    for await (const piece of answer.body ?? []) {
      bytes += piece.length;
      if (bytes > documentBytesMax) {
        throw new PodError({
          code: "image.registry-failed",
          message: `${this.endpoint.url} sends a document of more than ${documentBytesMax} bytes`,
        });
      }
      pieces.push(piece);
    }
    return Buffer.concat(pieces);
  }

  unreachable(error: unknown): PodError {
    return new PodError({
      code: "image.unreachable",
      message: `the registry ${this.endpoint.url} cannot be reached`,
      step: error instanceof Error ? error.message : String(error),
    });
  }

  /** What a registry says in its own words is shown, but not trusted with many of them. */
  async explain(answer: Response, what: string): Promise<PodError> {
    const text = await this.read(answer).then(String, () => "");
    const said = /"message"\s*:\s*"([^"]{1,200})/.exec(text)?.[1];
    const { status } = answer;
    const code =
      status === 401 || status === 403
        ? "image.denied"
        : status === 404
          ? "image.not-found"
          : "image.registry-failed";
    const verb = code === "image.denied" ? "does not let us have" : "does not have";
    const phrase = code === "image.registry-failed" ? "fails at" : verb;
    return new PodError({
      code,
      message: `${this.endpoint.url} ${phrase} ${this.#repository}: ${what}`,
      step: `it answered ${status}${said === undefined ? "" : `: ${said}`}`,
    });
  }

  async #authorized(request: RegistryRequest): Promise<Response> {
    const answer = await this.#follow(request);
    const challenge = answer.headers.get("www-authenticate");
    // Only what the registry itself asks is answered; what a redirect led to may ask in vain.
    const isOwn = new URL(answer.url || this.#urlOf(request.path)).origin === this.#origin;
    if (answer.status !== 401 || challenge === null || !isOwn) return answer;
    await answer.body?.cancel();
    return await this.#answer(challenge, request);
  }

  /** With one credential after the other, until the registry takes one. */
  async #answer(challenge: string, request: RegistryRequest): Promise<Response> {
    const { endpoint } = this;
    let refused: Response | PodError | undefined;
    for await (const credentials of this.#candidates()) {
      try {
        const scope = this.#scope;
        const { signal } = request;
        const value = await answerChallenge(challenge, endpoint, scope, credentials, signal);
        if (value === undefined) continue;
        this.#authorization = value;
      } catch (error) {
        if (!(error instanceof PodError) || error.code !== "image.denied") throw error;
        refused = error;
        continue;
      }
      if (refused instanceof Response) await refused.body?.cancel();
      const answer = await this.#follow(request);
      if (answer.status !== 401 && answer.status !== 403) {
        this.#accepted = { credentials };
        return answer;
      }
      refused = answer;
    }
    if (refused instanceof Response) return refused;
    throw (
      refused ??
      new PodError({
        code: "image.denied",
        message: `${endpoint.url} wants credentials for ${this.#repository}, and there are none`,
      })
    );
  }

  /** Undefined: without a name, where nobody knows one. */
  async *#candidates(): AsyncGenerator<Credentials | undefined> {
    if (this.#accepted !== undefined) return yield this.#accepted.credentials;
    let isKnown = false;
    const sources = { secrets: this.#secrets };
    for await (const found of findCredentials(this.#credentialHost(), this.#repository, sources)) {
      isKnown = true;
      yield found;
    }
    if (!isKnown) yield undefined;
  }

  /** By hand: the next address may be another's, and gets nothing that is ours. */
  async #follow(request: RegistryRequest): Promise<Response> {
    let url = this.#urlOf(request.path);
    for (let hop = 0; hop <= redirectsMax; hop += 1) {
      const answer = await this.#send(url, request);
      const location = answer.headers.get("location");
      const isRedirect = [301, 302, 303, 307, 308].includes(answer.status);
      if (!isRedirect || location === null) return answer;
      await answer.body?.cancel();
      const next = new URL(location, url);
      if (url.startsWith("https:") && next.protocol !== "https:") {
        throw new PodError({
          code: "image.registry-failed",
          message: `${this.endpoint.url} leads to ${next.origin}, which does without TLS`,
        });
      }
      url = next.href;
    }
    throw new PodError({
      code: "image.registry-failed",
      message: `${this.endpoint.url} leads from one address to the next without end`,
    });
  }

  async #send(url: string, request: RegistryRequest): Promise<Response> {
    const isOwn = new URL(url).origin === this.#origin;
    const { method = "GET", body, signal } = request;
    const patience = new AbortController();
    const timer = setTimeout(() => patience.abort(new Error("no answer in time")), answerTimeoutMs);
    try {
      return await fetch(url, {
        method,
        headers: {
          "user-agent": "peapod",
          ...request.headers,
          ...(isOwn && this.endpoint.headers),
          ...(isOwn && this.#authorization && { authorization: this.#authorization }),
        },
        ...(body && { body: body() }),
        redirect: "manual",
        // Blobs are what their digests say, whatever a header calls them.
        decompress: false,
        tls: isOwn ? tlsOf(this.endpoint) : {},
        signal: signal ? AbortSignal.any([signal, patience.signal]) : patience.signal,
      });
    } finally {
      clearTimeout(timer);
    }
  }

  get #origin(): string {
    return new URL(this.endpoint.url).origin;
  }

  #urlOf(path: string): string {
    if (/^https?:\/\//.test(path)) return path;
    if (path.startsWith("/")) return `${this.#origin}${path}`;
    const url = `${this.endpoint.url}/${this.#repository}/${path}`;
    if (!this.endpoint.isMirror) return url;
    return `${url}${path.includes("?") ? "&" : "?"}ns=${this.endpoint.registry}`;
  }

  /** A mirror has credentials of its own. */
  #credentialHost(): string {
    const { host } = new URL(this.endpoint.url);
    return host === "registry-1.docker.io" ? defaultRegistry : host;
  }
}

function isCertificateError(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return /CERT|SIGNATURE|ISSUER|TLS/.test(code);
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  signal?.addEventListener("abort", () => resolve(), { once: true });
  await promise;
  clearTimeout(timer);
  signal?.throwIfAborted();
}
