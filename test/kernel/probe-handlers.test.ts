// Each kind of probe and hook against real servers and a real pod; the keeper makes the
// connections. The pod has the host's network, so that the servers of this test are in reach.

import { afterAll, beforeAll, describe, expect } from "bun:test";
import * as http2 from "node:http2";
import type { AddressInfo } from "node:net";
import type { Pod } from "../../src/index.ts";
import type { KeeperClient } from "../../src/launch/keeper-client.ts";
import { makeClock } from "../../src/pod/life/clock.ts";
import { runHandler } from "../../src/pod/life/probes/run-handler.ts";
import type { RunOptions } from "../../src/pod/life/probes/run-handler.ts";
import type { HandlerSpec } from "../../src/spec/life.ts";
import type { TestHost } from "../support/host.ts";
import { hostMissing, logOf, openTestHost } from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";
import { openDescriptors, probe, until, up } from "../support/pods.ts";
import { connectToKeeper, targetOf } from "../support/probe-target.ts";
import { selfSigned } from "../support/certificate.ts";

const test = testOrSkip(hostMissing === undefined, hostMissing ?? "");

let host: TestHost;
let pod: Pod;
let client: KeeperClient;

beforeAll(async () => {
  if (hostMissing !== undefined) return;
  host = await openTestHost();
  pod = await up(host, [probe(host, ["sleep", "600000"])], { hostNetwork: true });
  client = await connectToKeeper(host, pod);
});

afterAll(async () => {
  client?.[Symbol.dispose]();
  await pod?.[Symbol.asyncDispose]();
  await host?.[Symbol.asyncDispose]();
});

const field = "spec.containers[0].livenessProbe";
type HttpSpec = Extract<HandlerSpec, { kind: "httpGet" }>;

const run = (handler: HandlerSpec, more: Partial<RunOptions> = {}, of = pod, by = client) =>
  runHandler(handler, targetOf(of, by, [{ name: "web", containerPort: 1 }]), {
    timeoutMs: 2000,
    clock: makeClock(1),
    purpose: "probe",
    ...more,
  });

const get = (port: number, path = "/", more: Partial<HttpSpec> = {}): HttpSpec => ({
  ...{ field, kind: "httpGet", scheme: "HTTP", host: "", port, path, headers: [] },
  ...more,
});

function serve(fetch: (request: Request, url: URL) => Response | Promise<Response>) {
  return Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request) => fetch(request, new URL(request.url)),
  });
}

/** Bun says `undefined` for a server on a unix socket. */
const portOf = (server: { readonly port: number | undefined }) => server.port ?? 0;

describe("httpGet", () => {
  test("statuses from 200 to 399 are a success, all others a failure", async () => {
    using server = serve((_, url) => new Response("", { status: Number(url.pathname.slice(1)) }));
    const ask = async (status: number) => (await run(get(portOf(server), `/${status}`))).ok;
    const statuses = [200, 204, 299, 304, 399, 400, 404, 500, 503];
    expect(await Promise.all(statuses.map(ask))).toEqual([
      ...[true, true, true, true, true],
      ...[false, false, false, false],
    ]);
    expect(await run(get(portOf(server), "/500"))).toEqual({
      ok: false,
      message: "HTTP probe failed with statuscode: 500",
    });
  });

  test("the request is the kubelet's", async () => {
    const seen: Record<string, string>[] = [];
    const paths: string[] = [];
    using server = serve((request, url) => {
      seen.push(Object.fromEntries(request.headers.entries()));
      paths.push(`${url.pathname}${url.search}`);
      return new Response("");
    });
    const port = portOf(server);
    await run(get(port, "/a b/ü?x=1&y=2#part"));
    const headers = [
      ...[{ name: "Host", value: "shop.example" }],
      ...[{ name: "X-Twice", value: "1" }],
      ...[{ name: "x-twice", value: "2" }],
      ...[{ name: "User-Agent", value: "" }],
      ...[{ name: "Accept", value: "text/plain" }],
    ];
    await run(get(port, "/", { headers }));
    expect(paths[0]).toBe("/a%20b/%C3%BC?x=1&y=2");
    expect(seen).toEqual([
      {
        accept: "*/*",
        connection: "close",
        host: `127.0.0.1:${port}`,
        "user-agent": "kube-probe/1.36",
      },
      { accept: "text/plain", connection: "close", host: "shop.example", "x-twice": "1, 2" },
    ]);
  });

  test("redirects on the same host are followed, ten at the most", async () => {
    using server = serve((_, url) => {
      const left = Number(url.pathname.slice(1));
      return left === 0 ? new Response("there") : Response.redirect(`/${left - 1}`, 302);
    });
    const port = portOf(server);
    expect(await run(get(port, "/10"))).toEqual({ ok: true, message: "there" });
    expect(await run(get(port, "/11"))).toEqual({
      ok: false,
      message: `Get "http://127.0.0.1:${port}/11": stopped after 10 redirects`,
    });
  });

  test("a redirect to another host is a success with a warning", async () => {
    using server = serve(
      () => new Response("moved", { status: 301, headers: { location: "http://other.example/" } }),
    );
    expect(await run(get(portOf(server)))).toEqual({
      ok: true,
      message: "moved",
      warning: {
        reason: "ProbeWarning",
        message: "Probe terminated redirects, Response body: moved",
      },
    });
  });

  test("the body is read up to 10 KiB", async () => {
    using server = serve(() => new Response("x".repeat(1 << 20)));
    const { ok, message } = await run(get(portOf(server)));
    expect({ ok, length: message.length }).toEqual({ ok: true, length: 10 << 10 });
  });

  test("no answer in time, no answer in HTTP, nobody there", async () => {
    using slow = serve(async () => {
      await Bun.sleep(3000);
      return new Response("");
    });
    using rude = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: { open: (socket) => void socket.end(), data() {} },
    });
    const url = (port: number) => `Get "http://127.0.0.1:${port}/"`;
    const late = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)";
    expect((await run(get(portOf(slow)), { timeoutMs: 100 })).message).toBe(
      `${url(portOf(slow))}: ${late}`,
    );
    expect((await run(get(rude.port))).message).toBe(`${url(rude.port)}: EOF`);
    expect((await run(get(1))).message).toBe(
      `${url(1)}: dial tcp 127.0.0.1:1: connect: connection refused`,
    );
  });

  test("HTTPS takes any certificate", async () => {
    using server = Bun.serve({
      ...{ hostname: "127.0.0.1", port: 0, tls: selfSigned },
      fetch: () => new Response("sealed"),
    });
    expect(await run(get(portOf(server), "/", { scheme: "HTTPS" }))).toEqual({
      ok: true,
      message: "sealed",
    });
  });

  test("a port has a name, and a name that no port has is the prober's error", async () => {
    expect((await run(get(0, "/", { port: "web" }))).message).toContain("dial tcp 127.0.0.1:1:");
    const failed = await run(get(0, "/", { port: "wob" })).catch((error: unknown) => error);
    expect(String(failed)).toBe('Error: container main has no port "wob"');
  });

  test("another host is dialled by its name", async () => {
    using server = serve(() => new Response("local"));
    const local = get(portOf(server), "/", { host: "localhost" });
    expect(await run(local)).toEqual({ ok: true, message: "local" });
    const nowhere = get(80, "/", { host: "nowhere.invalid" });
    expect((await run(nowhere)).message).toBe(
      'Get "http://nowhere.invalid/": dial tcp: lookup nowhere.invalid: no such host',
    );
  });
});

describe("hooks over HTTP", () => {
  const hook = { purpose: "hook" } as const;

  test("any answer is a success, and one from 400 on is told", async () => {
    using server = serve(() => new Response("no", { status: 503 }));
    expect(await run(get(portOf(server)), hook)).toEqual({
      ok: true,
      message: "no",
      warning: {
        reason: "HookWarning",
        message: "HTTP hook was answered with statuscode: 503",
      },
    });
  });

  test("HTTPS that is answered in HTTP is asked again in HTTP", async () => {
    using server = serve(() => new Response("plain"));
    const wish = get(portOf(server), "/", { scheme: "HTTPS" });
    expect(await run(wish, hook)).toEqual({
      ok: true,
      message: "plain",
      warning: {
        reason: "LifecycleHTTPFallback",
        message: "the server answered HTTPS in HTTP, and was asked again in HTTP",
      },
    });
    expect((await run(wish)).message).toBe(
      `Get "https://127.0.0.1:${portOf(server)}/": http: server gave HTTP response to HTTPS client`,
    );
  });
});

test("tcpSocket asks for a connection and sends nothing", async () => {
  const heard: string[] = [];
  using server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open: () => void heard.push("open"),
      data: (_, bytes) => void heard.push(bytes.toString()),
      close: () => void heard.push("close"),
    },
  });
  const ask = (port: number | string) =>
    run({ field, kind: "tcpSocket", host: "", port }, { timeoutMs: 500 });
  expect(await ask(server.port)).toEqual({ ok: true, message: "" });
  await until(() => heard.length === 2);
  expect(heard).toEqual(["open", "close"]);
  expect(await ask("web")).toEqual({
    ok: false,
    message: "dial tcp 127.0.0.1:1: connect: connection refused",
  });
});

describe("exec", () => {
  const exec = (command: readonly string[], timeoutMs = 2000) =>
    run({ field, kind: "exec", command }, { timeoutMs });

  test("exit status 0 is a success, and what it says is kept up to 10 KiB", async () => {
    expect(await exec(["/probe", "say", "fine"])).toEqual({ ok: true, message: "fine\n" });
    expect(await exec(["/probe", "say", "bad", "exit", "3"])).toEqual({
      ok: false,
      message: "bad\n",
    });
    expect(await exec(["/probe", "exit", "3"])).toEqual({ ok: false, message: "exit status 3" });
    const { message } = await exec(["/probe", "print", "200", "100"]);
    expect(message.length).toBe(10 << 10);
  });

  test("a command that takes too long, or does not exist, has failed", async () => {
    expect(await exec(["/probe", "sleep", "60000"], 100)).toEqual({
      ok: false,
      message: 'command "/probe sleep 60000" timed out after 0.1s',
    });
    expect(await exec(["/nowhere"])).toMatchObject({ ok: false });
  });
});

describe("grpc", () => {
  type Answer = (stream: http2.ServerHttp2Stream, service: string) => void;

  async function serveGrpc(answer: Answer) {
    const server = http2.createServer();
    server.on("stream", (stream: http2.ServerHttp2Stream) => {
      const chunks: Uint8Array[] = [];
      stream.on("data", (chunk: Uint8Array) => void chunks.push(chunk));
      stream.on("error", () => {});
      stream.on("end", () => answer(stream, Buffer.concat(chunks).subarray(7).toString()));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    // A server on a port has an address of this shape.
    const { port } = server.address() as AddressInfo;
    return { port, [Symbol.dispose]: () => void server.close() };
  }

  function say(stream: http2.ServerHttp2Stream, status: string, message: readonly number[]): void {
    const head = { ":status": 200, "content-type": "application/grpc" };
    stream.respond(head, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": status }));
    stream.end(Uint8Array.of(0, 0, 0, 0, message.length, ...message));
  }

  const ask = (port: number, service = "", timeoutMs = 2000) =>
    run({ field, kind: "grpc", port, service }, { timeoutMs });

  test("SERVING is a success, and the service is asked for by its name", async () => {
    using server = await serveGrpc((stream, service) =>
      say(stream, "0", service === "shop" ? [8, 1] : [8, 2]),
    );
    expect(await ask(server.port, "shop")).toEqual({ ok: true, message: "service healthy" });
    expect(await ask(server.port)).toEqual({
      ok: false,
      message: 'service unhealthy (responded with "NOT_SERVING")',
    });
  });

  test("an enumeration that is left out is UNKNOWN", async () => {
    using server = await serveGrpc((stream) => say(stream, "0", []));
    expect((await ask(server.port)).message).toBe('service unhealthy (responded with "UNKNOWN")');
  });

  test("a server without the health service has failed", async () => {
    using server = await serveGrpc((stream) =>
      stream.respond(
        { ":status": 200, "grpc-status": "12", "grpc-message": "unknown%20service" },
        { endStream: true },
      ),
    );
    expect((await ask(server.port)).message).toBe(
      "error: this server does not implement the grpc health protocol " +
        "(grpc.health.v1.Health): unknown service",
    );
  });

  test("no answer in time, no gRPC, nobody there", async () => {
    using silent = await serveGrpc(() => {});
    expect((await ask(silent.port, "", 100)).message).toBe(
      "timeout: health rpc did not complete within 0.1s",
    );
    using web = serve(() => new Response("not gRPC"));
    expect((await ask(portOf(web), "", 500)).message).toMatch(/^(error|timeout): health rpc/);
    expect((await ask(1)).message).toBe(
      'error: failed to connect service at "127.0.0.1:1": ' +
        "dial tcp 127.0.0.1:1: connect: connection refused",
    );
  });
});

describe("sleep", () => {
  const clock = makeClock(0.01);
  const sleep: HandlerSpec = { field, kind: "sleep", durationMs: 5000 };
  const limits = { clock, purpose: "hook", timeoutMs: 60_000 } as const;

  test("waits as long as it says, by the clock that scales", async () => {
    const startMs = performance.now();
    expect(await run(sleep, limits)).toEqual({ ok: true, message: "" });
    expect(performance.now() - startMs).toBeWithin(45, 2000);
  });

  test("ends with the time that it is given", async () => {
    expect(await run(sleep, { ...limits, timeoutMs: 2000 })).toEqual({
      ok: false,
      message: "the sleep did not end within 2s",
    });
    const signal = AbortSignal.timeout(5);
    expect(await run({ ...sleep, durationMs: 500_000 }, { ...limits, signal })).toEqual({
      ok: false,
      message: "the sleep was cut short",
    });
  });
});

test("connections lead into the pod's own network", async () => {
  await using inside = await up(host, [probe(host, ["http-serve", "8080", "204"])]);
  using keeper = await connectToKeeper(host, inside);
  await until(async () => (await logOf(inside, "main")).includes("listening"));
  expect(await run(get(8080), {}, inside, keeper)).toEqual({ ok: true, message: "" });
  expect((await run(get(8080))).ok).toBe(false);
});

test("nothing is left open", async () => {
  using server = serve(() => new Response("x".repeat(100_000)));
  const ask = () => run(get(portOf(server)));
  await ask();
  await Bun.sleep(50);
  const before = openDescriptors();
  for (let round = 0; round < 20; round++) await ask();
  await until(() => openDescriptors() <= before + 2);
});
