// How registries are reached: hosts.toml, credentials, and what a server may ask for.

import { afterAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PodError } from "../../src/errors/pod-error.ts";
import { findCredentials } from "../../src/image/credentials.ts";
import { findEndpoints } from "../../src/image/hosts.ts";
import { Registry } from "../../src/image/registry.ts";
import { parseChallenges } from "../../src/image/registry-auth.ts";
import type { PullSecret } from "../../src/image/types.ts";

const folder = mkdtempSync(join(tmpdir(), "peapod-registries-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;

function hostsOf(registry: string, directory: string, text: string): string {
  const parent = join(folder, `hosts-${count++}`);
  mkdirSync(join(parent, directory), { recursive: true });
  writeFileSync(join(parent, directory, "hosts.toml"), text);
  return findEndpoints(registry, [parent])
    .map(({ url, isMirror, canPull, canResolve, canPush, tls }) => {
      const can = [canPull && "pull", canResolve && "resolve", canPush && "push"].filter(Boolean);
      const trust = tls.rejectUnauthorized ? "" : " unverified";
      return `${url}${isMirror ? " mirror" : ""} ${can.join(" ")}${trust}`;
    })
    .join("\n");
}

describe("hosts.toml", () => {
  test("without one a registry is reached by its name", () => {
    const urlOf = (registry: string) => findEndpoints(registry, []).map(({ url }) => url);
    expect(urlOf("docker.io")).toEqual(["https://registry-1.docker.io/v2"]);
    expect(urlOf("quay.io")).toEqual(["https://quay.io/v2"]);
    expect(urlOf("127.0.0.1:5000")).toEqual(["http://127.0.0.1:5000/v2"]);
    expect(urlOf("localhost")).toEqual(["http://localhost/v2"]);
    expect(urlOf("localhost.example")).toEqual(["https://localhost.example/v2"]);
  });

  test("mirrors come first, in the order in which they are written", () => {
    const text = `server = "https://registry-1.docker.io"
[host."https://near.example"]
  capabilities = ["pull", "resolve"]
[host."http://far.example:5000/prefix/v2"]
  capabilities = ["pull"]
  skip_verify = true
  override_path = true
`;
    expect(hostsOf("docker.io", "docker.io", text))
      .toBe(`https://near.example/v2 mirror pull resolve
http://far.example:5000/prefix/v2 mirror pull unverified
https://registry-1.docker.io/v2 pull resolve push`);
  });

  test("a directory may be named with an underscore for the port, or be for all", () => {
    const plain = 'server = "http://10.0.0.1:5000"\n';
    const expected = "http://10.0.0.1:5000/v2 pull resolve push";
    expect(hostsOf("10.0.0.1:5000", "10.0.0.1_5000_", plain)).toBe(expected);
    expect(hostsOf("10.0.0.1:5000", "10.0.0.1_5000", plain)).toBe(expected);
    expect(hostsOf("any.example", "_default", '[host."https://cache.example"]\n')).toBe(
      "https://cache.example/v2 mirror pull resolve push\nhttps://any.example/v2 pull resolve push",
    );
  });

  test("one that is wrong is an error, not a registry without its mirror", () => {
    for (const text of ["server = [", "server = 1", '[host."x"]\ncapabilities = "pull"']) {
      expect(() => hostsOf("a.example", "a.example", text)).toThrow(PodError);
    }
  });
});

const basic = (user: string, password: string) => ({
  auth: Buffer.from(`${user}:${password}`).toString("base64"),
});

async function credentialsOf(
  config: object | string,
  registry: string,
  repository = "team/app",
): Promise<string> {
  const path = join(folder, `config-${count++}`);
  mkdirSync(path);
  const text = typeof config === "string" ? config : JSON.stringify(config);
  writeFileSync(join(path, "config.json"), text);
  const env = { DOCKER_CONFIG: path, PATH: `${folder}:${process.env["PATH"] ?? ""}` };
  const { value: found } = await findCredentials(registry, repository, { env }).next();
  if (found === undefined) return "none";
  return found.kind === "basic" ? `${found.user}:${found.password}` : `token ${found.token}`;
}

describe("credentials", () => {
  test("are those of the registry, and of no other", async () => {
    const config = {
      auths: { "a.example": basic("alice", "se:cret"), "b.example:5000": basic("bob", "x") },
    };
    expect(await credentialsOf(config, "a.example")).toBe("alice:se:cret");
    expect(await credentialsOf(config, "b.example:5000")).toBe("bob:x");
    expect(await credentialsOf(config, "b.example")).toBe("none");
    expect(await credentialsOf(config, "example")).toBe("none");
    expect(await credentialsOf(config, "evil.a.example")).toBe("none");
  });

  test("of a part of a registry win over those of all of it", async () => {
    const config = {
      auths: {
        "a.example": basic("all", "1"),
        "a.example/team": basic("team", "2"),
        "a.example/team/app": basic("app", "3"),
      },
    };
    const userFor = (repository: string) => credentialsOf(config, "a.example", repository);
    expect(await userFor("team/app")).toBe("app:3");
    expect(await userFor("team/other")).toBe("team:2");
    expect(await userFor("teams/app")).toBe("all:1");
  });

  test("of Docker Hub have the address of its first protocol", async () => {
    const auths = { "https://index.docker.io/v1/": basic("hub", "1") };
    expect(await credentialsOf({ auths }, "docker.io")).toBe("hub:1");
    expect(await credentialsOf({ auths }, "index.docker.example")).toBe("none");
  });

  test("of pull secrets come first, all that fit, and before those of files", async () => {
    const secret = (name: string, value: object, isOld = false): PullSecret => ({
      name,
      type: isOld ? "kubernetes.io/dockercfg" : "kubernetes.io/dockerconfigjson",
      data: Buffer.from(JSON.stringify(value)),
    });
    const secrets = [
      secret("one", { auths: { "a.example": basic("one", "1"), "b.example": basic("no", "1") } }),
      secret("none", { auths: {} }),
      secret("old", { "https://a.example/v1/": { username: "two", password: "2" } }, true),
      secret("star", { auths: { "*.example": basic("three", "3") } }),
      secret("other", { auths: { "*.a.example": basic("no", "1"), "*": basic("no", "1") } }),
    ];
    const path = join(folder, `config-${count++}`);
    mkdirSync(path);
    const auths = { "a.example": basic("file", "4") };
    writeFileSync(join(path, "config.json"), JSON.stringify({ auths }));
    const env = { DOCKER_CONFIG: path };
    const found = await Array.fromAsync(findCredentials("a.example", "app", { secrets, env }));
    const users = found.map((entry) => (entry.kind === "basic" ? entry.user : ""));
    expect(users).toEqual(["one", "two", "three", "file"]);
    const bad = { name: "default/bad", type: "kubernetes.io/dockerconfigjson" } as const;
    for (const text of ["hunter2", '"hunter2"', '{"auths": {"a.example": "hunter2"}}']) {
      const wrong = [{ ...bad, data: Buffer.from(text) }];
      const failure = await findCredentials("a.example", "app", { secrets: wrong, env })
        .next()
        .catch((error: unknown) => error);
      expect(failure).toMatchObject({ code: "image.configuration" });
      expect(String(failure)).toContain("the pull secret default/bad");
      expect(JSON.stringify(failure)).not.toContain("hunter2");
    }
  });

  test("may be a token, or come from a helper", async () => {
    const auths = { "a.example": { identitytoken: "t0ken" } };
    expect(await credentialsOf({ auths }, "a.example")).toBe("token t0ken");
    const helper = join(folder, "docker-credential-test");
    writeFileSync(
      helper,
      `#!/bin/sh
read host
[ "$1 $host" = "get a.example" ] || { echo "credentials not found"; exit 1; }
echo '{"ServerURL":"a.example","Username":"<token>","Secret":"from helper"}'
`,
    );
    chmodSync(helper, 0o755);
    const helpers = { credHelpers: { "a.example": "test" } };
    expect(await credentialsOf(helpers, "a.example")).toBe("token from helper");
    expect(await credentialsOf(helpers, "b.example")).toBe("none");
    expect(await credentialsOf({ credsStore: "test" }, "a.example")).toBe("token from helper");
    expect(await credentialsOf({ credsStore: "test" }, "b.example")).toBe("none");
  });

  test("that cannot be read are an error that shows none of them", async () => {
    const secret = "hunter2";
    for (const config of [
      `{"auths": {"a": ${secret}`,
      { auths: { "a.example": { auth: btoa(secret) } } },
    ]) {
      const failure = await credentialsOf(config, "a.example").catch((error: unknown) => error);
      expect(failure).toMatchObject({ code: "image.configuration" });
      expect(JSON.stringify(failure)).not.toContain(secret);
      expect(JSON.stringify(failure)).not.toContain(btoa(secret));
    }
    await expect(credentialsOf({ credsStore: "../evil" }, "a.example")).rejects.toThrow(
      "plain word",
    );
  });
});

test("what a server asks for is read, several things at once too", () => {
  const header = 'Basic realm="a, b", Bearer realm="https://t.example/token",service="s",scope=x';
  expect(parseChallenges(header)).toEqual([
    { scheme: "basic", parameters: { realm: "a, b" } },
    {
      scheme: "bearer",
      parameters: { realm: "https://t.example/token", service: "s", scope: "x" },
    },
  ]);
});

describe("a server", () => {
  const serve = (answer: (request: Request) => Response) =>
    Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: answer });
  const registryAt = (url: string, registry: string) => {
    const [endpoint] = findEndpoints(registry, []);
    if (!endpoint) throw new Error("there is an endpoint");
    return new Registry({ ...endpoint, url: `${url}v2` }, "team/app");
  };

  test("that leads elsewhere takes no credentials along", async () => {
    const seen: (string | null)[] = [];
    using other = serve((request) => {
      seen.push(request.headers.get("authorization"));
      return new Response("", { status: 401, headers: { "www-authenticate": 'Basic realm="x"' } });
    });
    using own = serve((request) => {
      const { pathname } = new URL(request.url);
      if (request.headers.get("authorization") === null) {
        return new Response("", {
          status: 401,
          headers: { "www-authenticate": 'Basic realm="x"' },
        });
      }
      return Response.redirect(`${other.url}${pathname}`, 307);
    });
    const config = join(folder, "docker-redirect");
    mkdirSync(config);
    const host = own.url.host;
    const auths = { [host]: basic("alice", "x"), [other.url.host]: basic("eve", "y") };
    writeFileSync(join(config, "config.json"), JSON.stringify({ auths }));
    process.env["DOCKER_CONFIG"] = config;
    const answer = await registryAt(own.url.href, host).request({ path: "blobs/x" });
    delete process.env["DOCKER_CONFIG"];
    expect(answer.status).toBe(401);
    expect(seen).toEqual([null]);
  });

  test("with a token server is asked with the token that it gave", async () => {
    using token = serve((request) => {
      const { searchParams } = new URL(request.url);
      return Response.json({ token: `for ${searchParams.get("scope")}` });
    });
    using own = serve((request) => {
      const authorization = request.headers.get("authorization");
      if (authorization) return new Response(authorization);
      const asked = `Bearer realm="${token.url.href}token",service="s"`;
      return new Response("", { status: 401, headers: { "www-authenticate": asked } });
    });
    const answer = await registryAt(own.url.href, "x.example").request({ path: "manifests/1" });
    expect(await answer.text()).toBe("Bearer for repository:team/app:pull");
  });

  test("that is busy is asked again, and one that only fails is given up", async () => {
    let asked = 0;
    using busy = serve(() => new Response("ok", { status: (asked += 1) < 3 ? 503 : 200 }));
    const answer = await registryAt(busy.url.href, "x.example").request({ path: "a" });
    expect([answer.status, asked]).toEqual([200, 3]);
  });

  test("that sends documents without end is stopped", async () => {
    using endless = serve(() => new Response("x".repeat(5 << 20)));
    const registry = registryAt(endless.url.href, "x.example");
    const answer = await registry.request({ path: "manifests/1" });
    await expect(registry.read(answer)).rejects.toThrow(
      "sends a document of more than 4194304 bytes",
    );
  });

  test("that leads in circles is left", async () => {
    using round = serve((request) => Response.redirect(request.url, 307));
    const asking = registryAt(round.url.href, "x.example").request({ path: "a" });
    await expect(asking).rejects.toThrow("from one address to the next without end");
  });
});
