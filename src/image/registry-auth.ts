// How a registry wants to know who asks: basic, or a token from its token server (distribution
// spec, "Token Authentication"). Credentials go to the registry that they belong to and to the
// token server that this registry itself names, to nobody else.

import Type from "typebox";
import { Compile } from "typebox/compile";
import { PodError } from "../errors/pod-error.ts";
import type { Credentials } from "./credentials.ts";
import type { Endpoint } from "./hosts.ts";
import { tlsOf } from "./hosts.ts";

const TokenAnswer = Type.Object({
  token: Type.Optional(Type.String()),
  access_token: Type.Optional(Type.String()),
});
const isTokenAnswer = Compile(TokenAnswer);
const tokenTimeoutMs = 30_000;

export interface Challenge {
  readonly scheme: string;
  readonly parameters: Readonly<Record<string, string>>;
}

/** `Bearer realm="https://…",service="…"`, several of them in one header too (RFC 9110). */
export function parseChallenges(header: string): Challenge[] {
  const found: { scheme: string; parameters: Record<string, string> }[] = [];
  const token = /([\w!#$%&'*+.^`|~-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+)))?\s*,?\s*/gy;
  for (const [, name = "", quoted, bare] of header.matchAll(token)) {
    const value = quoted?.replaceAll(/\\(.)/g, "$1") ?? bare;
    if (value === undefined) found.push({ scheme: name.toLowerCase(), parameters: {} });
    else {
      const last = found.at(-1);
      if (last) last.parameters[name.toLowerCase()] = value;
    }
  }
  return found;
}

/** The value of the Authorization header; undefined where nothing can be answered. */
export async function answerChallenge(
  header: string,
  endpoint: Endpoint,
  scope: string,
  credentials: Credentials | undefined,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const challenges = parseChallenges(header);
  const bearer = challenges.find(({ scheme }) => scheme === "bearer");
  if (bearer) return `Bearer ${await fetchToken(bearer, endpoint, scope, credentials, signal)}`;
  const isBasic = challenges.some(({ scheme }) => scheme === "basic");
  return isBasic && credentials?.kind === "basic" ? basic(credentials) : undefined;
}

async function fetchToken(
  { parameters }: Challenge,
  endpoint: Endpoint,
  scope: string,
  credentials: Credentials | undefined,
  signal: AbortSignal | undefined,
): Promise<string> {
  const realm = realmOf(parameters["realm"] ?? "", endpoint);
  const { service } = parameters;
  const isIdentity = credentials?.kind === "identity";
  const query = new URLSearchParams({
    ...(service !== undefined && { service }),
    scope,
    ...(isIdentity && {
      grant_type: "refresh_token",
      client_id: "peapod",
      refresh_token: credentials.token,
    }),
  });
  const timeout = AbortSignal.timeout(tokenTimeoutMs);
  const isOwn = new URL(realm).origin === new URL(endpoint.url).origin;
  const url = isIdentity ? realm : `${realm}${realm.includes("?") ? "&" : "?"}${query}`;
  let answer: Response;
  try {
    answer = await fetch(url, {
      method: isIdentity ? "POST" : "GET",
      ...(isIdentity && { body: query }),
      headers: credentials?.kind === "basic" ? { authorization: basic(credentials) } : {},
      // A token server has no reason to send credentials on.
      redirect: "error",
      tls: isOwn ? tlsOf(endpoint) : {},
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
  } catch (error) {
    signal?.throwIfAborted();
    throw new PodError({
      code: "image.unreachable",
      message: `the token server ${realm} of ${endpoint.registry} does not answer`,
      step: error instanceof Error ? error.message : String(error),
    });
  }
  const value: unknown = answer.ok ? await answer.json().catch(() => undefined) : undefined;
  const text = isTokenAnswer.Check(value) ? (value.token ?? value.access_token) : undefined;
  if (text !== undefined) return text;
  throw new PodError({
    code: answer.ok || answer.status >= 500 ? "image.registry-failed" : "image.denied",
    message: `the token server of ${endpoint.registry} gives no token for ${scope}`,
    step: `${realm} answered ${answer.status}`,
  });
}

function realmOf(text: string, endpoint: Endpoint): string {
  const wrong = (why: string) =>
    new PodError({
      code: "image.registry-failed",
      message: `${endpoint.registry} sends to the token server ${JSON.stringify(text)}, ${why}`,
    });
  const url = URL.parse(text);
  if (!url || !/^https?:$/.test(url.protocol)) throw wrong("which is no address");
  const isPlain = url.protocol === "http:";
  if (isPlain && endpoint.url.startsWith("https:")) throw wrong("which does without TLS");
  return text;
}

function basic({ user, password }: Credentials & { readonly kind: "basic" }): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
}
