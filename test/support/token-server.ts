// A token server as registries have it (distribution, "Token Authentication"): who may do what is
// written in a signed token, and a real registry believes it by the certificate.

import { createSign, randomUUID, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";

export interface TokenServer extends Disposable {
  /** For the registry's configuration. */
  readonly auth: object;
  /** The scopes it was asked for, in order; of who had no name with a question mark. */
  readonly asked: string[];
}

const service = "test-registry";
const issuer = "test-issuer";
const seconds = 300;

/** The key and the certificate are files; whoever is not `user` gets a token for nothing. */
export function startTokenServer(
  key: string,
  certificate: string,
  user: { readonly name: string; readonly password: string },
): TokenServer {
  const asked: string[] = [];
  const x5c = [new X509Certificate(readFileSync(certificate)).raw.toString("base64")];
  const expected = `Basic ${Buffer.from(`${user.name}:${user.password}`).toString("base64")}`;
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request) => {
      const scope = new URL(request.url).searchParams.get("scope") ?? "";
      const given = request.headers.get("authorization");
      asked.push(given === null ? `${scope}?` : scope);
      if (given !== null && given !== expected) return new Response("", { status: 401 });
      const [type, name, actions = ""] = scope.split(":");
      const access = given === null ? [] : [{ type, name, actions: actions.split(",") }];
      const now = Math.floor(Date.now() / 1000);
      const claims = {
        ...{ iss: issuer, sub: user.name, aud: service, jti: randomUUID(), access },
        ...{ exp: now + seconds, nbf: now - seconds, iat: now },
      };
      return Response.json({ token: sign({ typ: "JWT", alg: "RS256", x5c }, claims, key) });
    },
  });
  const token = { realm: `${server.url.href}token`, service, issuer, rootcertbundle: certificate };
  return { auth: { token }, asked, [Symbol.dispose]: () => void server.stop(true) };
}

function sign(header: object, claims: object, key: string): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const text = `${encode(header)}.${encode(claims)}`;
  const signature = createSign("RSA-SHA256").update(text).sign(readFileSync(key));
  return `${text}.${signature.toString("base64url")}`;
}
